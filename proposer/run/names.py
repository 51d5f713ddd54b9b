"""Names: of columns, for files that do not take every name, and of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

PROBLEM = "scan.json"
"""The scan file that the run of a `proposer.Problem` has in its folder, where no other run has the file it was started
with. The function of a notebook is the code; an evaluator cannot import it.
"""


def plain_names(names: Sequence[str], unwanted: Callable[[str], bool], reserved: Collection[str] = ()) -> list[str]:
    """The names with `_` in the place of each unwanted character, and a number where two would be the same.

    A name that needs no change keeps itself, whatever others become. None is one of `reserved`.
    """
    kept = {name for name in names if name not in reserved and not any(map(unwanted, name))}
    taken = kept.union(reserved)
    found = []
    for name in names:
        plain = unique = "".join("_" if unwanted(character) else character for character in name)
        number = 2
        while name not in kept and unique in taken:
            unique, number = f"{plain}_{number}", number + 1
        taken.add(unique)
        found.append(unique)
    return found
