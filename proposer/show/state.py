"""The state of a scan: the live display shows it, `--json` prints it, and `lodescan watch` reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a scan as values for JSON, None where unknown.

    `at`: Unix time in seconds. `hit_rate`: good points per evaluated point; `hit_rates`: its history over equal numbers
    of evaluations. `statuses`: points by status; `by_code`: points that ended at a code, by status. `busy`: the number
    of busy workers. `evaluators`: the work of each evaluator since this command began (see EvaluatorWork), those with
    most points first. `doing`: the step of the loop; `strategy` and `regions`: descriptions in plain words. `left`: the
    lowest, likely and highest estimate of the time to the end, in seconds. `remark`: a text in place of the estimate.
    """

    at: float
    good: int
    wanted: int
    target: str
    evaluated: int
    run: str = ""
    method: str = ""
    evaluator: str = ""
    workers: int = 0
    busy: int = 0
    evaluators: list[dict[str, Any]] = field(default_factory=list)
    hit_rate: float | None = None
    hit_rates: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    by_code: dict[str, dict[str, int]] = field(default_factory=dict)
    points_per_second: float = 0.0
    lowest_nll: float | None = None
    lowest: str = ""
    doing: str = ""
    strategy: str = ""
    regions: str = ""
    seconds: float = 0.0
    left: list[float] | None = None
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        """The state as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Reads the value of `to_json`, of this or another version. Raises TypeError for anything else."""
        if not isinstance(values, dict):
            raise TypeError(f"{type(values).__name__} is not a state")
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})
