"""The settings of a run: stored in its folder, and compared when the run goes on."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proposer.evaluation.backend import Description
from proposer.run.citations import citations
from proposer.run.columns import Columns, Quantity, TooManyColumns
from proposer.run.dataset import Dataset
from proposer.run.files import DatasetError, read_object, writing
from proposer.run.init_csv import init_digest, init_path
from proposer.run.meaning import difference, meaning
from proposer.run.original import original
from proposer.run.record import RunRecord, ScanMeaning
from proposer.target import Target
from scanspec import VERSION, ScanFile, ScanFileError, read_scan_file
from scanspec.files import read_text
from scanspec.reading_terms import named_files
from scanspec.text import quoted
from scanspec.textfile import COPIES

# settings that may differ when a run goes on: limits, and the time per point
_STOPS = {
    ("setup", "points"),
    ("setup", "good_points_early_stop"),
    ("setup", "max_evaluations"),
    ("setup", "max_hours"),
    ("setup", "seconds_per_point"),
    ("networks", "iterations"),
}

MANIFEST = "manifest.json"

THRESHOLD = "networks: threshold_value"
"""The path of the target in the meaning of a scan."""

NO_TARGET = dict.fromkeys(("threshold", "above", "everything", "above_best", "confidence", "degrees_of_freedom"))
"""Resets all values that a run may have stored for another target."""


GO_ON = (
    "choose another folder (--run), or change it back to go on; if only a comment or the like has changed, "
    "--same-physics goes on"
)
"""What to do if the physics of a scan has changed."""


class AnotherRun(DatasetError):
    """The folder holds a different run than the scan file asks for; the message names the difference."""


def target_change(stored: RunRecord, target: Target) -> str | None:
    """The change of the target in words, if the old or the new one follows the best NLL; else None. Then known points
    are counted anew, and the run goes on.
    """
    before, now = stored.target.rule, target.rule
    if not stored.started or before == now or not (before.follows or now.follows):
        return None
    return f"good was: {before.describe()}; is now: {now.describe()}"


def scan_difference(
    folder: Path, stored: RunRecord, scan: ScanFile, seed: int | None, *, but_for_target: bool = False
) -> str | None:
    """The difference, in words, between the scan file, the table of points or the seed of the run in `folder` and those
    of this scan; None if there is none. `but_for_target`: ignores a difference of the threshold.
    """
    before, now = _stored_meaning(folder, stored), meaning(scan)
    if but_for_target:
        before, now = (_without(meant, THRESHOLD) for meant in (before, now))
    found = difference(before, now, stored.versions.get("lodescan", ""))
    if found is None and stored.init_csv and stored.init_csv != init_digest(scan):
        found = f"the table that it started from, {init_path(scan)}, has changed since then"
    if found is None and seed is None and "seed" in scan.setup:
        seed = scan.setup.integer("seed")
    if found is None and seed is not None and seed != stored.seed:
        found = f"its seed is {stored.seed}, not {seed} (`--seed {stored.seed}` goes on with it)"
    return found


def _without(of: ScanMeaning, path: str) -> ScanMeaning:
    return of._replace(values={name: value for name, value in of.values.items() if name != path})


def change_target(dataset: Dataset, scan: ScanFile, target: Target, words: str) -> None:
    """Replaces the target of a run, and records the change in the manifest."""
    manifest = RunRecord.read(dataset.meta()).manifest or {}
    change = {"from_point": dataset.points + 1, "change": words}
    manifest = {**manifest, "target_changes": [*manifest.get("target_changes", []), change]}
    meant, given = meaning(scan)
    known = {"meaning": meant, "given": given, "manifest": manifest}
    dataset.set_meta({**NO_TARGET, **target.to_meta(), **known})
    _write(dataset.path.parent, MANIFEST, _manifest_text(manifest))
    keep_scan_file(dataset.path.parent, scan)


def note_best(dataset: Dataset, target: Target) -> None:
    """Records the best NLL and the present threshold in the manifest, if the target follows the best NLL."""
    if target.follows:
        best = dataset.best_nll()
        now = target.at(best)
        known = {"words": now.describe(), **now.to_meta(), "best_nll": best if math.isfinite(best) else None}
        _amend(dataset, {"good": known})


def check_same_evaluator(
    dataset: Dataset, stored: RunRecord, description: Description, *, same_physics: bool, next_step: str = GO_ON
) -> None:
    """Raises AnotherRun, with `next_step`, if the evaluator's results would not belong to those of the run.

    `same_physics`: the user asserts that changed files compute the same; the manifest records this.
    """
    folder = dataset.path.parent
    if found := _other_physics(stored, description):
        if not same_physics:
            raise AnotherRun(f"{folder} holds another run: {found}", next_step=next_step)
        before, now = stored.physics_digest, description.physics_digest
        changed = _changed_sources(stored.sources, description.sources)
        accepted = {"from_point": dataset.points + 1, "before": before, "now": now, "changed": changed}
        accepted_now = {"same_physics": [*stored.same_physics, accepted], "sources": description.sources}
        _amend(dataset, {"physics_digest": now, **accepted_now})
    if not stored.likelihood_digest:  # a rescored run has had no evaluator yet
        _amend(dataset, {"likelihood_digest": description.likelihood_digest})
    elif found := _other_likelihood(stored, description):
        raise another_run(folder, found)


def merged_run(folder: Path) -> AnotherRun:
    """The error for a scan in a folder that `lodescan merge` has written."""
    return AnotherRun(
        f"{folder} has the points of several runs, put together by `lodescan merge`, so a search cannot continue there",
        next_step=f"write its points into a table with `lodescan export {quoted(folder)}`, name the table as "
        "`init_csv` in the section setup, and choose another folder (--run)",
    )


def why_not(folder: Path, stored: RunRecord, scan: ScanFile, description: Description, *, target: Target) -> str:
    """The reason, in words, why the run in `folder` would not go on with this scan file and this evaluator; empty if it
    would. `target`: that of the scan file.
    """
    found = scan_difference(folder, stored, scan, None, but_for_target=target_change(stored, target) is not None)
    return found or _other_physics(stored, description) or _other_likelihood(stored, description)


def _other_physics(stored: RunRecord, description: Description) -> str:
    before, now = stored.physics_digest, description.physics_digest
    if before == now:
        return ""
    changed = _changed_sources(stored.sources, description.sources)
    named = "; ".join(changed[:3]) + ("; ..." if len(changed) > 3 else "")
    return f"its evaluator computed something else: {named or f'physics digest {before[:12]}, now {now[:12]}'}"


def _other_likelihood(stored: RunRecord, description: Description) -> str:
    before, now = stored.likelihood_digest, description.likelihood_digest
    if not before or before == now:
        return ""
    return f"its evaluator had other constants in the likelihood: digest {before[:12]}, now {now[:12]}"


_OF_LIKELIHOODS = re.compile(r"observables: .*: (mean|sigma|scaling|lower|upper|log_scaling|likelihood|numbers) ")
"""Differences of scan files that leave all observables as they were."""


def another_run(folder: Path, difference: str) -> AnotherRun:
    """The error for a scan file that differs from that of the run by `difference`, in words."""
    to_score = f"; `lodescan rescore {quoted(folder)} --scan FILE` scores its points with new constants"
    return AnotherRun(
        f"{folder} holds another run: {difference}",
        next_step="choose another folder (--run), or change it back to go on"
        + (to_score if _OF_LIKELIHOODS.search(difference) else ""),
    )


def stop_values(scan: ScanFile) -> dict[str, Any]:
    """The limits in a scan file, by key."""
    sections = {"setup": scan.setup, "networks": scan.networks}
    return {key: sections[title].raw(key) for title, key in sorted(_STOPS) if key in sections[title]}


def is_finished(stored: RunRecord, scan: ScanFile) -> bool:
    """Whether the run has stopped at the same limits as those of the scan file."""
    return bool(stored.stopped) and stored.stopped_with == stop_values(scan)


def _stored_meaning(folder: Path, stored: RunRecord) -> ScanMeaning:
    """The meaning of a run's scan file; for a run of an older version it is read from the copy of the file."""
    if stored.meaning is not None:
        return stored.meaning
    files = [*sorted(folder.glob("scan.*"))]
    first = original(folder)
    if files and first.is_file() and first.read_bytes() == files[0].read_bytes():
        files = [first]  # the files that it names are beside the original
    if not files:
        raise DatasetError(
            f"{folder}: there is no copy of the run's scan file any more", next_step="put it back as scan.yaml"
        )
    try:
        return meaning(read_scan_file(files[0]))
    except ScanFileError as error:
        raise DatasetError(
            f"{folder}: the run's scan file cannot be read any more: {error}", next_step="put the old one back"
        ) from error


def _changed_sources(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The changes of files, programs and packages behind a physics digest, in words."""
    changed = []
    for name in sorted({*before, *now}):
        if name not in now or name not in before:
            changed.append(f"{name} is {'new' if name in now else 'gone'}")
        elif before[name] != now[name]:
            is_hash = len(now[name]) == 64
            changed.append(f"{name} has changed" if is_hash else f"{name} was {before[name]}, is {now[name]}")
    return changed


def columns_of(scan: ScanFile, description: Description) -> Columns:
    """The columns of a run. Raises ScanFileError if there are more than a table can have."""
    try:
        return Columns(
            [
                Quantity(variable.name, variable.unit, description=json.dumps(variable.entry))
                for variable in scan.variables
            ],
            [
                Quantity(spec.name, spec.unit, spec.code, (spec.term or spec.likelihood).describe())
                for spec in description.observables
            ],
            [Quantity(name) for name in description.codes or ("",)],
        )
    except TooManyColumns as error:
        raise ScanFileError(f"{scan.path}: {error}") from error


def start_run(
    dataset: Dataset,
    columns: Columns,
    *,
    scan: ScanFile,
    description: Description,
    seed: int,
    threads: int,
    aims: Mapping[str, Any],
) -> None:
    """Stores the settings and limits of a new run, in one transaction."""
    values = {
        "seed": seed,
        "threads": threads,
        "backend": description.backend,
        "backend_version": description.version,
        "physics_digest": description.physics_digest,
        "likelihood_digest": description.likelihood_digest,
        "codes": list(description.codes),
        "sources": description.sources,
        "variables": [variable.name for variable in scan.variables],
        "observables": [observable.name for observable in description.observables],
        "versions": _versions(),
        "eager": False,
        "init_csv": init_digest(scan),
    }
    manifest = {**values, "scan_file": str(scan.path), "cite": citations(scan)}
    kept = {"manifest": manifest, "scan_text": scan.text, "scan_suffix": scan.path.suffix}
    meant, given = meaning(scan)
    dataset.start(columns, {**values, "meaning": meant, "given": given, "seconds": 0.0, **kept, **aims})


def keep_records(dataset: Dataset) -> str | None:
    """Restores `scan.yaml` and `manifest.json`, which are for people, from the dataset.

    Returns a note for the user if the manifest had been changed, else None.
    """
    folder, stored = dataset.path.parent, RunRecord.read(dataset.meta())
    if stored.manifest is None:  # a run of an older version
        if manifest := read_object(folder / MANIFEST):
            dataset.set_meta({"manifest": manifest})
        return None
    name = f"scan{stored.scan_suffix}" if stored.scan_suffix else ""
    if name and not (folder / name).exists():
        _write(folder, name, stored.scan_text)
    text, path = _manifest_text(stored.manifest), folder / MANIFEST
    try:
        found = path.read_bytes() if path.exists() and not path.is_symlink() else None
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror})", next_step="change who may read it, or remove it"
        ) from error
    if found == text.encode():
        return None
    _write(folder, MANIFEST, text)
    return None if found is None else f"{path} was not as lodescan had written it, and was written anew"


def keep_scan_file(folder: Path, scan: ScanFile) -> None:
    """Copies the present scan file, whose pictures may have changed, into the run's folder, together with the tables
    that its likelihoods name. Raises DatasetError.
    """
    for other in folder.glob("scan.*"):  # the run may have begun with a file in YAML instead of JSON
        if other.name != f"scan{scan.path.suffix}":
            other.unlink()
    for name, path in named_files(scan.terms).items():
        _write(folder, f"{COPIES}/{name}", read_text(path))
    _write(folder, f"scan{scan.path.suffix}", scan.text)


def note_scan_file(dataset: Dataset, scan: ScanFile) -> None:
    """Records the path of the scan file, if it has moved since the last command."""
    manifest = RunRecord.read(dataset.meta()).manifest or {}
    if manifest.get("scan_file") != str(scan.path):
        manifest = {**manifest, "scan_file": str(scan.path)}
        dataset.set_meta({"manifest": manifest})
        _write(dataset.path.parent, MANIFEST, _manifest_text(manifest))


def note_eager(dataset: Dataset) -> None:
    """Records, in the dataset and in manifest.json, that the seed does not reproduce all points of the run."""
    if not RunRecord.read(dataset.meta()).eager:
        _amend(dataset, {"eager": True})


def _amend(dataset: Dataset, values: dict[str, Any]) -> None:
    manifest = {**(RunRecord.read(dataset.meta()).manifest or {}), **values}
    dataset.set_meta({**values, "manifest": manifest})
    _write(dataset.path.parent, MANIFEST, _manifest_text(manifest))


def _manifest_text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2) + "\n"


def _write(folder: Path, name: str, text: str) -> None:
    with writing(folder, name) as file:
        file.write(text.encode())


def choose_seed(scan: ScanFile, option: int | None, stored: RunRecord) -> int:
    """The seed of a run: the stored seed of a run that goes on, else that of the command line, else that of the file,
    else a new one.
    """
    if stored.started:
        return stored.seed
    if option is not None:
        return option
    return scan.setup.integer("seed") if "seed" in scan.setup else secrets.randbelow(2**31)


def _versions() -> dict[str, str]:
    packages = ("numpy", "torch", "scikit-learn", "imbalanced-learn", "pandas", "cma", "grpcio", "protobuf")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"lodescan": VERSION, "python": platform.python_version(), **found}
