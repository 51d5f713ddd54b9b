"""Coordinates in which a thin region is equally wide in all directions.

Near a thin region, the nearest good point in the cube is often across the region, and a ball around it leaves the
region. In these coordinates, both follow the region.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.points import Known


@dataclass(frozen=True)
class Thin:
    """`axes`: those of `shape`. `known`: the known points in the coordinates along these axes, in units of their
    lengths.
    """

    axes: Floats
    known: Known

    @classmethod
    def of(cls, known: Known) -> Thin:
        """The coordinates that fit the good points, of which there must be one."""
        axes = shape(known.u[known.good])
        return cls(axes, replace(known, u=known.u @ np.linalg.inv(axes)))

    def there(self, u: Floats) -> Floats:
        """Points u, shape (n, d), of the cube in these coordinates."""
        return np.asarray(u @ np.linalg.inv(self.axes))

    def back(self, u: Floats) -> Floats:
        """Points u, shape (n, d), of these coordinates in the cube."""
        return np.asarray(u @ self.axes)


def shape(good: Floats) -> Floats:
    """The principal axes of the points `good`, shape (n, d), of a thin region, as rows of an array of shape (d, d).
    Their lengths are proportional to the widths of the region along them; the longest has unit length. Because few
    points do not show how thin a region is, no axis is shorter than 1 / n of the longest.
    """
    triangle = np.linalg.qr(good - good.mean(axis=0), mode="r")  # has the same axes, and at most d rows
    deviation, axes = np.linalg.svd(triangle)[1:]
    length = np.zeros(good.shape[1])
    length[: len(deviation)] = deviation / max(float(deviation.max()), 1e-300)
    return np.asarray(np.maximum(length, 1.0 / len(good))[:, None] * axes)
