"""The record of a run: its settings, its limits, and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from proposer.target import DEFAULT_TARGET, Target


class ScanMeaning(NamedTuple):
    """The settings that decide the points of a scan and their results.

    `values` maps paths in the file, such as "networks: threshold_value", to values as JSON returns them. Limits of the
    scan, time limits of codes, and texts for people are left out. `given` lists the paths that the file itself has.
    """

    values: dict[str, Any]
    given: list[str]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The values of the dataset's table `meta`.

    `started`: whether the table has any values. `method`: the `type` of the scan file; "" if the run is older than
    this record. `points`: the wanted number of good points. `seconds`: wall time of all commands. `stopped`: why the
    run has stopped, and `stopped_with`: its limits then; None while it goes on. `meaning`: that of the scan file; None
    for a run of an older version, which has only `scan_text`. `init_csv`: the SHA-256 of the table that the run started
    from; "" without one. `evaluators`: points at once, by address.
    `worker_seconds`: the time for which each evaluator was connected, times its workers, by address. `raced`: the
    number of points that two evaluators worked on. `manifest`: the content of `manifest.json`; None for a run of an
    older version. `merged_from`: folder, seed and seconds of each run whose points `lodescan merge` has put here.
    `rescored_from`: the folder whose points `lodescan rescore` has put here. `live`: the last state of the scan for
    displays, as JSON; {} before its first report.
    """

    started: bool = False
    seed: int = 0
    threads: int = 1
    method: str = ""
    backend: str = ""
    backend_version: str = ""
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
    merged_from: list[dict[str, Any]] = field(default_factory=list)
    rescored_from: str = ""
    live: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, meta: Mapping[str, Any]) -> Self:
        """The record from the values of the table `meta`."""
        own = {name: meta[name] for name in cls.__dataclass_fields__ if name in meta}
        has_meaning = "meaning" in meta and "given" in meta
        own["meaning"] = ScanMeaning(meta["meaning"], meta["given"]) if has_meaning else None
        own["method"] = str(meta.get("meaning", {}).get("setup: type", ""))
        if "threshold" in meta:
            own["target"] = Target.stored(meta)
        return cls(**own | {"started": bool(meta)})

    @property
    def target_changes(self) -> list[str]:
        """The changes of the target during the run, in words."""
        return [change["change"] for change in (self.manifest or {}).get("target_changes", [])]
