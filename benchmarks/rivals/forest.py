"""A random forest, which shows what a search without networks can reach.

It regresses ln(1 + NLL) until 30 points are good, and classifies from then on. Candidates are uniform points, and
Gaussian steps from good (or from the best) points. A tenth of each batch of 300 points is uniform and not chosen by the
forest.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from benchmarks.rivals import far

BATCH, CANDIDATES, ENOUGH = 300, 6000, 30


def main() -> None:
    rng = np.random.default_rng(far.SEED)
    u = rng.random((500, far.DIM))
    nll = far.nll(u)
    while True:
        value = np.nan_to_num(nll, nan=1e6)
        good = value < far.THRESHOLD
        uniform = rng.random((CANDIDATES, far.DIM))
        best = np.flatnonzero(good) if good.sum() >= ENOUGH else np.argsort(value)[:ENOUGH]
        step = rng.choice([0.01, 0.03, 0.1], (CANDIDATES, 1))
        near = u[rng.choice(best, CANDIDATES)] + step * rng.standard_normal((CANDIDATES, far.DIM))
        candidates = np.concatenate([uniform, near[((near >= 0) & (near <= 1)).all(axis=1)]])
        use = np.concatenate([np.flatnonzero(good), rng.permutation(np.flatnonzero(~good))[:5000]])
        if good.sum() >= ENOUGH:
            forest = RandomForestClassifier(100, class_weight="balanced_subsample", random_state=far.SEED)
            score = forest.fit(u[use], good[use]).predict_proba(candidates)[:, 1]
        else:
            forest = RandomForestRegressor(60, min_samples_leaf=2, random_state=far.SEED)
            score = -forest.fit(u[use], np.log1p(value[use])).predict(candidates)
        # points with equal scores, such as those of which the classifier is sure, come in random order
        order = np.argsort(-np.round(np.minimum(score, 0.9), 1) + 1e-6 * rng.random(len(score)))
        new = np.concatenate([candidates[order[: BATCH - BATCH // 10]], rng.random((BATCH // 10, far.DIM))])
        u, nll = np.concatenate([u, new]), np.concatenate([nll, far.nll(new)])


if __name__ == "__main__":
    main()
