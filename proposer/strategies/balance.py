"""Handles few good points among many bad ones: SMOTE, class weights and balanced training sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.types import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

RARE = 0.1  # below this fraction, good points get a higher weight


def synthetic_points(
    u: Floats, good: NDArray[np.bool_], neighbours: int, most: int, rng: np.random.Generator
) -> Floats:
    """Points between good ones, by SMOTE (arXiv:1106.1813) in the unit cube, shape (m, d), m <= `most`.

    There are as many as needed to have as many good points as bad ones, at most `most`. Each lies between a good point
    and one of its k = min(`neighbours`, good - 1) nearest good points. There are none with fewer than two good points,
    or if there are no more bad points than good ones. Only new points are returned, never one of `u`, shape (n, d).
    """
    return between_good_points(u, good, neighbours, min(len(good) - 2 * int(good.sum()), most), rng)


def between_good_points(
    u: Floats, good: NDArray[np.bool_], neighbours: int, wanted: int, rng: np.random.Generator
) -> Floats:
    """At most `wanted` points between good ones, chosen as in `synthetic_points`, shape (m, d). It needs two good
    points and one bad point, and returns none if there are fewer.
    """
    n_good = int(good.sum())
    if n_good < 2 or n_good == len(good) or wanted <= 0:
        return np.empty((0, u.shape[1]))
    from imblearn.over_sampling import SMOTE  # here: a second of imports, for which most scans need not wait

    smote = SMOTE(
        sampling_strategy={1: n_good + wanted},
        k_neighbors=min(neighbours, n_good - 1),
        random_state=int(rng.integers(2**32)),
    )
    resampled, _ = smote.fit_resample(u, good.astype(np.int64))
    new = np.clip(np.asarray(resampled, dtype=np.float64)[len(u) :], 0.0, 1.0)
    known = {row.tobytes() for row in u}
    return new[[row.tobytes() not in known for row in new]]


def positive_weight(good: NDArray[np.bool_], *, has_init: bool) -> float:
    """The weight of a good point in the loss: (1 - r) / r for a fraction r of good points below 0.1, else 1.

    It is also 1 if the scan started from an `init_csv`, whose points are chosen, not drawn. `good`: labels of the
    training set, shape (n,).
    """
    share = float(np.mean(good))
    return (1.0 - share) / share if 0.0 < share < RARE and not has_init else 1.0


def balanced(good: NDArray[np.bool_], late: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """The positions of all good points and of as many random bad ones (or of all bad ones if there are fewer).

    If there are enough, half of the bad points are `late`, shape (n,): points that an iteration chose, mostly mistakes
    of the classifier around the good region. In a draw from all bad points they would be lost among those of a large
    bootstrap, and the classifier would repeat its mistakes.
    """
    bad = np.flatnonzero(~good)
    chosen, early = bad[late[bad]], bad[~late[bad]]
    n = min(len(bad), int(good.sum()))
    n_chosen = min(len(chosen), max(n // 2, n - len(early)))
    drawn = [rng.choice(chosen, n_chosen, replace=False), rng.choice(early, n - n_chosen, replace=False)]
    return np.sort(np.concatenate([np.flatnonzero(good), *drawn])).astype(np.int64)
