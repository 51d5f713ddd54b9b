"""Makes names of columns for files that do not accept every name, and has the name of one file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

PROBLEM = "scan.json"
"""The scan file of a `proposer.Problem`, which is in the run's own folder; other runs were started with a file
elsewhere. Its code is a function of a notebook, which an evaluator cannot import.
"""


def plain_names(names: Sequence[str], unwanted: Callable[[str], bool], reserved: Collection[str] = ()) -> list[str]:
    """The names with `_` for each unwanted character, and with a number where two names would be the same.

    A name without unwanted characters stays as it is. Another name that would become equal to it gets a number. No
    returned name is in `reserved`.
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
