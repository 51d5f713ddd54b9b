"""The proposer: decides which points to try next, and keeps their results.

For notebooks and pipelines:

- `scan(what)`: scans a file with evaluators, or a `Problem` with a Python function; returns the run,
- `open_run(folder)`: the points of a run as pandas tables, its pictures and its report,
- `Lode(space, ...)`: lodescan's search by `ask` and `tell`, without services,
- `LodeGenerator(vocs, ...)`: the same for drivers that know gest-api: optimas, Xopt, libEnsemble,
- `Target`: which points are good, below a number or not far above the best one found.

They are imported when they are first used, so that `import proposer` is quick.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

    from proposer.interface.asking import Lode as Lode
    from proposer.interface.generator import LodeGenerator as LodeGenerator
    from proposer.interface.problem import Problem as Problem
    from proposer.interface.runs import Run as Run
    from proposer.interface.runs import open_run as open_run
    from proposer.interface.scans import scan as scan
    from proposer.target import Target as Target

_WHERE = {
    "Lode": "interface.asking",
    "LodeGenerator": "interface.generator",
    "Problem": "interface.problem",
    "Run": "interface.runs",
    "Target": "target",
    "open_run": "interface.runs",
    "scan": "interface.scans",
}

__all__ = ["Lode", "LodeGenerator", "Problem", "Run", "Target", "open_run", "scan"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'proposer' has no attribute {name!r}")
    from importlib import import_module

    from proposer.signals import interruptible_call

    with interruptible_call():  # an import that Ctrl-C interrupts could not be repeated
        module = import_module(f"proposer.{_WHERE[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
