"""The record of a run: how it was made, when it stops, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from proposer.target import DEFAULT_TARGET, Target


class ScanMeaning(NamedTuple):
    """What decides the points of a scan and their results.

    `values`: each by its path in the file, such as "networks: threshold_value", as JSON gives it back. When the scan
    stops, how long a code may take, and texts for people are left out. `given`: the settings that the file has.
    """

    values: dict[str, Any]
    given: list[str]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The values of the dataset's table `meta`.

    `started`: whether there are any. `points`: good points that are wanted. `seconds`: wall time of all its commands.
    `stopped`: why, and `stopped_with`: by which limits; None while it goes on. `meaning`: of its scan file; None of a
    run of an older version, which has `scan_text` alone. `init_csv`: the SHA-256 of the table that it started from; ""
    without one. `evaluators`: how many points each works on at once, by address. `worker_seconds`: how long each was
    connected, times its workers. `raced`: points that two of them worked on. `manifest`: what `manifest.json` is to
    hold; None of an older version.
    """

    started: bool = False
    seed: int = 0
    threads: int = 1
    backend: str = ""
    physics_digest: str = ""
    likelihood_digest: str = ""
    codes: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    observables: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    points: int = 0
    target: Target = DEFAULT_TARGET
    seconds: float = 0.0
    eager: bool = False
    same_physics: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None
    stopped_with: dict[str, Any] | None = None
    meaning: ScanMeaning | None = None
    init_csv: str = ""
    evaluators: dict[str, int] = field(default_factory=dict)
    worker_seconds: dict[str, float] = field(default_factory=dict)
    raced: int = 0
    manifest: dict[str, Any] | None = None
    scan_text: str = ""
    scan_suffix: str = ""

    @classmethod
    def read(cls, meta: Mapping[str, Any]) -> Self:
        """From the values of the table."""
        own = {name: meta[name] for name in cls.__dataclass_fields__ if name in meta}
        whole = "meaning" in meta and "given" in meta
        own["meaning"] = ScanMeaning(meta["meaning"], meta["given"]) if whole else None
        if "threshold" in meta:
            own["target"] = Target.stored(meta)
        return cls(**own | {"started": bool(meta)})
