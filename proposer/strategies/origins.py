"""Where points come from: the word that a strategy gives each point that it asks for, and what the word means."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """`meaning`: what a point is, in the report. `doing`: what the strategy does meanwhile, in the live display.

    `from_prior`: such points follow the prior, so that shares of them are shares of its volume. `independent`: each of
    them is a draw of its own, whatever came before. The points of a Sobol sequence follow the prior, but each depends
    on the others.
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
    "explore": Origin("far from all other points", "looks for new regions"),
    "basin": Origin("towards the bottom of a basin", "looks for new regions"),
    "lower": Origin("perhaps lower than the best point", "looks for a better best point"),
    "probe": Origin("a predicted minimum, or a step downhill", "looks for lower NLLs"),
    "smote": Origin("between good points (SMOTE)", "fills the known region"),
}
"""By the word. Datasets of earlier versions may hold others."""


def as_now(origin: str, kind: str) -> str:
    """The word for points of a scan of the type `kind`, which earlier versions may have called otherwise."""
    return "left" if (origin, kind) == ("random", "MLS_DNNC") else origin
