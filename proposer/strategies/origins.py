"""The origins of points: the word that a strategy gives to each point, and the meaning of the word."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """`meaning` explains the point in the report; `doing` describes the strategy's work in the live display.

    `from_prior`: these points follow the prior, so that a fraction of them is a fraction of its volume. `independent`:
    they are independent draws. The points of a Sobol sequence follow the prior, but depend on each other.
    """

    meaning: str
    doing: str
    from_prior: bool = False
    independent: bool = False


ORIGINS = {
    "init": Origin("a row of init_csv", "takes points from the table"),
    "bootstrap": Origin("drawn from the prior at the start", "draws first points at random", True, independent=True),
    "start": Origin("spread evenly over the prior at the start", "draws first points", from_prior=True),
    "random": Origin("drawn from the prior", "draws points at random", from_prior=True, independent=True),
    "left": Origin("a random one of the other candidates", "draws points at random"),
    "sobol": Origin("spread evenly over the prior", "fills the space evenly", from_prior=True),
    "grid": Origin("a node of the grid", "walks over the grid"),
    "cmaes": Origin("a draw of CMA-ES", "moves a cloud of points towards lower NLLs"),
    "cmaes_nd": Origin("a draw of CMA-ES for new good points", "moves a cloud of points to new good points"),
    "exploit": Origin("predicted to be good", "fills the known region"),
    "solve": Origin("predicted to be good by another model", "fills the known region"),
    "fill": Origin("between and around good points", "fills the known region"),
    "leap": Origin("a step from a good point along the difference of two others", "follows the region farther"),
    "explore": Origin("perhaps good, and far from all other points", "looks for new regions"),
    "plane": Origin("close to a plane where an observable changes abruptly", "looks for new regions"),
    "basin": Origin("towards the bottom of a basin", "looks for new regions"),
    "bowl": Origin("where the minimum of a region is expected", "looks for new regions"),
    "lower": Origin("perhaps lower than the best point", "looks for a better best point"),
    "probe": Origin("a predicted minimum, or a step downhill", "looks for lower NLLs"),
    "smote": Origin("between good points (SMOTE)", "fills the known region"),
}
"""The origins by word. Datasets of earlier versions may have other words."""


def as_now(origin: str, kind: str) -> str:
    """The present word for an origin in a scan of the type `kind`; earlier versions used another word for
    some points.
    """
    return "left" if (origin, kind) == ("random", "MLS_DNNC") else origin
