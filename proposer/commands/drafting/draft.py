"""The content of a new scan file, before it is written."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from scanspec import UsageError
from scanspec.document import to_number

Range = tuple[float, float]

EXAMPLE_OF_VARIABLES, EXAMPLE_OF_OBSERVABLES = "m0=100,1000", "mh=125.2,2"


@dataclass
class Draft:
    """The content of the new file.

    `variables` are ranges by name. `observables` are mean and sigma by name, None if unknown. `guessed` are variables
    whose range was not given. `known_variables` and `known_observables` are the names that the code takes and returns,
    None if its source does not show them. `comments` are the entries of an SLHA file that the variables stand for, and
    `unchanged` its other numbers, each with the reason why it is no variable. `template` is the text made from the file
    `slha`.
    """

    name: str = ""
    function: str = ""
    command: str = ""
    slha: str = ""
    template: str = ""
    variables: dict[str, Range] = field(default_factory=dict)
    observables: dict[str, Range | None] = field(default_factory=dict)
    points: int = 0
    threshold: float = math.nan
    guessed: set[str] = field(default_factory=set)
    known_variables: Collection[str] | None = None
    known_observables: Collection[str] | None = None
    comments: dict[str, str] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The name of the code in the scan file: that of the function's module, or of the program."""
        module = self.function.partition(":")[0].rpartition(".")[2]
        name = module or Path(self.command.split()[0]).stem
        name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        taken = name in self.variables or name in self.observables
        return "code" if taken or not name or name[0].isdigit() else name

    def take_variable(self, text: str) -> None:
        """Takes NAME=LOW,HIGH. Raises UsageError unless the code has such a variable and LOW is below HIGH."""
        name, (low, high) = read_pair(text, EXAMPLE_OF_VARIABLES)
        refuse_unknown(name, self.known_variables, "variable")
        if not low < high:
            raise UsageError(f"{text!r}: the range of {name} ends at or below its begin", next_step="write LOW,HIGH")
        self.variables[name] = low, high
        self.guessed.discard(name)

    def take_observable(self, text: str) -> None:
        """Takes NAME=MEAN,SIGMA. Raises UsageError unless the code has such an observable and SIGMA is positive."""
        name, (mean, sigma) = read_pair(text, EXAMPLE_OF_OBSERVABLES)
        refuse_unknown(name, self.known_observables, "observable")
        if not sigma > 0.0:
            raise UsageError(f"{text!r}: the sigma of {name} is not above 0", next_step="write MEAN,SIGMA")
        self.observables[name] = mean, sigma


def read_pair(text: str, example: str) -> tuple[str, Range]:
    """The name and the two numbers of NAME=A,B. Raises UsageError."""
    name, _, numbers = text.partition("=")
    values = [to_number(number) for number in numbers.split(",")]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not name or len(values) != 2 or len(finite) != 2:
        raise UsageError(f"{text!r} is not NAME=NUMBER,NUMBER", next_step=f"write for example {example}")
    return name, (finite[0], finite[1])


def refuse_unknown(name: str, known: Collection[str] | None, what: str) -> None:
    """Raises UsageError if the code is known not to have this variable or observable."""
    if known is not None and name not in known:
        has = ", ".join(known) or "none"
        raise UsageError(f"the code has no {what} {name!r}; it has: {has}", next_step="name one of these")


def around(value: float | None) -> Range:
    """The range from half a value to twice the value; 0 to 1 without a value, and -1 to 1 around 0."""
    if value == 0.0:
        return -1.0, 1.0
    low, high = sorted((value / 2, value * 2)) if value else (0.0, 1.0)
    return low, high
