"""What a run was made with: kept in its folder, and compared when the run goes on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proposer.dataset import DATASET, Dataset
from proposer.folder import DatasetError
from proposer.messages import Description
from scanspec import VERSION, ScanFile

# what may differ when a run goes on: when to stop, and how to look at it
_STOPS = {
    ("setup", "points"), ("setup", "good_points_early_stop"), ("setup", "max_evaluations"), ("setup", "max_hours"),
    ("networks", "iterations"),
}  # fmt: skip
_MAY_DIFFER = _STOPS | {("setup", "seed"), ("setup", "keep_spectra"), ("networks", "verbose"), ("plotting",)}

CITATIONS = [
    "lodescan: see CITATION.cff",
    "MLscanner, the method MLS_DNNC: A. Hammad, M. Park, R. Ramos, P. Saha, arXiv:2207.09959",
    "BSMArt, the scan file and the likelihoods: M. D. Goodsell, A. Joury, arXiv:2301.01154",
    "SMOTE: N. V. Chawla et al., J. Artif. Intell. Res. 16 (2002) 321, arXiv:1106.1813",
    "imbalanced-learn: G. Lemaitre, F. Nogueira, C. K. Aridas, J. Mach. Learn. Res. 18 (2017) 1",
    "PyTorch: A. Paszke et al., arXiv:1912.01703",
    "CMA-ES, the method CMAES: N. Hansen, arXiv:1604.00772; the package: N. Hansen et al., doi:10.5281/zenodo.2559634",
    "CMA-ES with novelty, the method CMAES_ND: J. C. Romao, M. C. Romao, arXiv:2402.07661",
    "HBOS, the novelty of CMAES_ND: M. Goldstein, A. Dengel, KI-2012 (2012) 59",
]


class AnotherRun(DatasetError):
    """The folder holds a run that differs from the one that was asked for; the message names the difference."""


def check_same_run(folder: Path, scan: ScanFile, description: Description, seed: int | None) -> dict[str, Any]:
    """The stored values of the run in `folder`; empty where there is none. Raises AnotherRun; writes nothing."""
    if not (folder / DATASET).exists():
        return {}
    with Dataset(folder, read_only=True) as dataset:
        stored = dataset.meta()
    if not stored:  # killed before its first batch
        return {}
    difference = _first_difference(stored["scan"], comparable(scan)) or _digest_difference(stored, description)
    if difference is None and seed is None and "seed" in scan.setup:
        seed = scan.setup.integer("seed")
    if difference is None and seed is not None and seed != stored["seed"]:
        difference = f"its seed is {stored['seed']}, not {seed} (`--seed {stored['seed']}` goes on with it)"
    if difference is not None:
        raise AnotherRun(
            f"{folder} holds another run: {difference}; choose another --run folder, or change it back to go on"
        )
    return stored


def stop_values(scan: ScanFile) -> dict[str, Any]:
    """What a scan file says of when to stop, by key."""
    sections = {"setup": scan.setup, "networks": scan.networks}
    return {key: sections[title].raw(key) for title, key in sorted(_STOPS) if key in sections[title]}


def finished_run(folder: Path, scan: ScanFile, seed: int | None) -> dict[str, Any]:
    """The stored values of the run in `folder` if this scan file and seed have nothing more to do there, else empty."""
    if not (folder / DATASET).exists():
        return {}
    with Dataset(folder, read_only=True) as dataset:
        stored = dataset.meta()
    same = stored.get("stopped_with") == stop_values(scan) and stored.get("scan") == comparable(scan)
    same = same and seed in (None, stored["seed"])
    return stored if same and stored.get("stopped") else {}


def comparable(scan: ScanFile) -> dict[str, Any]:
    """Every value of a scan file by its place, in plain spelling where the section has one, without what may differ."""
    places: dict[str, Any] = {}
    for title, content in scan.document.items():
        section = next((name for name in _SECTIONS if title in (name, _SECTIONS[name])), str(title))
        if section == "setup":
            items: list[tuple[tuple[str, ...], Any]] = [(("setup", key), scan.setup.raw(key)) for key in scan.setup]
        elif section == "networks":
            items = [(("networks", key), scan.networks.raw(key)) for key in scan.networks]
        else:
            items = [((section,), content)]
        for place, value in items:
            if place not in _MAY_DIFFER:
                _flatten(place, value, places)
    return places


_SECTIONS = {
    "setup": "Setup", "variables": "Variables", "derived_variables": "Derived Variables", "blocks": "Blocks",
    "fitting": "Fitting", "networks": "Networks", "codes": "Codes", "observables": "Observables",
    "plotting": "Plotting",
}  # fmt: skip


def _flatten(place: tuple[str, ...], value: Any, places: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        for key, each in value.items():
            _flatten((*place, str(key)), each, places)
    elif isinstance(value, list):
        places[": ".join(place)] = json.loads(json.dumps(value, default=str))
    else:
        places[": ".join(place)] = value if isinstance(value, (bool, int, float, type(None))) else str(value)


def _first_difference(stored: dict[str, Any], now: dict[str, Any]) -> str | None:
    for place in [*stored, *now]:
        if place not in now:
            return f"its scan file has {place} ({stored[place]}), this one does not"
        if place not in stored:
            return f"its scan file does not have {place}, this one has ({now[place]})"
        if stored[place] != now[place]:
            return f"in its scan file {place} is {stored[place]}, in this one {now[place]}"
    return None


def _digest_difference(stored: dict[str, Any], description: Description) -> str | None:
    before, now = stored["physics_digest"], description.physics_digest
    if before != now:
        changed = _changed_sources(stored.get("sources", {}), description.sources)
        named = "; ".join(changed[:3]) + ("; ..." if len(changed) > 3 else "")
        return f"its evaluator computed something else: {named or f'physics digest {before[:12]}, now {now[:12]}'}"
    before, now = stored["likelihood_digest"], description.likelihood_digest
    if before != now:
        return f"its evaluator had other constants in the likelihood: digest {before[:12]}, now {now[:12]}"
    return None


def _changed_sources(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """In words, what of the files, programs and packages behind a physics digest has changed."""
    changed = []
    for name in sorted({*before, *now}):
        if name not in now or name not in before:
            changed.append(f"{name} is {'new' if name in now else 'gone'}")
        elif before[name] != now[name]:
            is_hash = len(now[name]) == 64
            changed.append(f"{name} has changed" if is_hash else f"{name} was {before[name]}, is {now[name]}")
    return changed


def start_run(
    dataset: Dataset, folder: Path, scan: ScanFile, description: Description, seed: int, threads: int
) -> None:
    """Stores what a new run is made with, in the dataset and as files that people can read."""
    values = {
        "scan": comparable(scan),
        "seed": seed,
        "threads": threads,
        "backend": description.backend,
        "backend_version": description.version,
        "physics_digest": description.physics_digest,
        "likelihood_digest": description.likelihood_digest,
        "codes": list(description.codes),
        "sources": description.sources,
        "variables": [each.name for each in scan.variables],
        "observables": [each.name for each in description.observables],
        "versions": _versions(),
        "eager": False,
        "seconds": 0.0,
    }
    shutil.copyfile(scan.path, folder / f"scan{scan.path.suffix}")
    manifest = {
        **{key: value for key, value in values.items() if key not in ("scan", "seconds")},
        "scan_file": str(scan.path),
        "cite": CITATIONS,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    dataset.set_meta(values)  # last: a run that has them has the files too


def note_eager(dataset: Dataset, folder: Path) -> None:
    """Says for good, in the dataset and in manifest.json, that the seed does not give all of the run's points again."""
    if not dataset.meta().get("eager"):
        path = folder / "manifest.json"
        manifest = {**json.loads(path.read_text()), "eager": True}
        path.write_text(json.dumps(manifest, indent=2) + "\n")
        dataset.set_meta({"eager": True})


def choose_seed(scan: ScanFile, option: int | None, stored: dict[str, Any]) -> int:
    """The seed of a run: that of the run that goes on, of the command line, of the file, or a new one."""
    if stored:
        return int(stored["seed"])
    if option is not None:
        return option
    return scan.setup.integer("seed") if "seed" in scan.setup else secrets.randbelow(2**31)


def _versions() -> dict[str, str]:
    packages = ("numpy", "torch", "scikit-learn", "imbalanced-learn", "pandas", "cma", "grpcio", "protobuf")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"lodescan": VERSION, "python": platform.python_version(), **found}
