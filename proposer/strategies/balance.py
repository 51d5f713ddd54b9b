"""Few good points among many bad ones: SMOTE, class weights and balanced training sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.types import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

RARE = 0.1  # below this share, good points get a higher weight


def synthetic_points(
    u: Floats, good: NDArray[np.bool_], neighbours: int, most: int, rng: np.random.Generator
) -> Floats:
    """Points between good ones, by SMOTE (arXiv:1106.1813) in the unit cube, shape (m, d), m <= `most`.

    As many as it takes to have as many good points as bad ones; each between a good point
    and one of its k = min(`neighbours`, good - 1) nearest good ones. None with fewer than
    two good points or without more bad ones. Only new points are returned, never one of
    `u` (n, d); where two good points agree, so do all between them.
    """
    return between_good_points(u, good, neighbours, min(len(good) - 2 * int(good.sum()), most), rng)


def between_good_points(
    u: Floats, good: NDArray[np.bool_], neighbours: int, wanted: int, rng: np.random.Generator
) -> Floats:
    """At most `wanted` points as `synthetic_points` makes them, however many bad ones there are, but at least one."""
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
    """Weight of a good point in the loss: (1 - r) / r for a good share r below 0.1, else 1.

    1 also when the scan started from an InitCSV, which is chosen, not drawn. `good`:
    labels of the training set, shape (n,).
    """
    share = float(np.mean(good))
    return (1.0 - share) / share if 0.0 < share < RARE and not has_init else 1.0


def balanced(good: NDArray[np.bool_], late: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of all good points and of as many bad ones, drawn at random; of all bad ones if there are fewer.

    Half of the bad ones are `late` (shape (n,)) where there are so many: points that an iteration chose, most of them
    mistakes of the classifier around the good region. Drawn from all alike they would be lost among those of a large
    bootstrap, and the same mistakes made again.
    """
    bad = np.flatnonzero(~good)
    chosen, early = bad[late[bad]], bad[~late[bad]]
    n = min(len(bad), int(good.sum()))
    n_chosen = min(len(chosen), max(n // 2, n - len(early)))
    drawn = [rng.choice(chosen, n_chosen, replace=False), rng.choice(early, n - n_chosen, replace=False)]
    return np.sort(np.concatenate([np.flatnonzero(good), *drawn])).astype(np.int64)
