"""`lodescan convert`: a scan file in BSMArt's spelling, written in the plain one."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec import ScanFile, keys, read_scan_file
from scanspec.document import Section, to_number
from scanspec.keys import MAY_BE_EMPTY, Keys
from scanspec.tools import needs_the_folder, profile_name
from scanspec.types import BSMARTS_GENERATIONS, BSMARTS_POINTS, counts_evaluations, is_bsmarts
from scanspec.variables import PRIOR_NAMES, PriorKind

_BOOLEANS = frozenset({"run", "append", "log_scaling", "skip_slha_files", "spinfo", "periodic", "cross_sections"})
_TEXTS = frozenset(
    {
        "run_name",
        "type",
        "init_csv",
        "environment",
        "spectrum_file",
        "function",
        "command",
        "profile",
        "input_file",
        "output_file",
        "unit",
        "label",
        "description",
        "scaling",
        "method",
        "stderr",
        "options",
        "novelty",
        "seeds_csv",
    }
)

_Convert = Callable[[Any, str], Any]


def convert(path: Path) -> int:
    """Prints the file in the plain spelling; says on standard error what was changed. Raises ScanFileError."""
    text, changes = converted(path)
    sys.stdout.write(text)
    for line in changes:
        print(f"lodescan: {path}: {line}", file=sys.stderr)
    return 0


def converted(path: Path) -> tuple[str, list[str]]:
    """The file in the plain spelling, as YAML, and what was changed, a line each."""
    scan = read_scan_file(path)
    writer = _Writer(scan)
    content = writer.document(scan.document)
    yaml = YAML(typ="rt")
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(content, stream)
    renamed = ", ".join(f"{old} is now {new}" for old, new in writer.renamed.items())
    return stream.getvalue(), [*([renamed] if renamed else []), *writer.changes, *scan.notes]


class _Writer:
    """Rewrites section by section, and keeps what it changed."""

    def __init__(self, scan: ScanFile) -> None:
        self._scan = scan
        self._variables = {each.name: each for each in scan.variables}
        self.changes: list[str] = []
        self.renamed: dict[str, str] = {}

    def document(self, content: Mapping[str, Any]) -> CommentedMap:
        sections: dict[str, _Convert] = {
            "setup": self._setup,
            "variables": self._each(self._variable),
            "fitting": self._fitting,
            "networks": lambda value, path: self._mapping(value, keys.NETWORKS, path),
            "codes": self._each(self._code),
            "observables": self._each(self._observable),
            "plotting": self._plotting,
        }
        return self._mapping(content, keys.SECTIONS, "", sections)

    def _mapping(
        self, content: Any, known: Keys, path: str, special: Mapping[str, _Convert] | None = None
    ) -> CommentedMap:
        """A mapping with plain keys and plain values; `special` says what becomes of some values."""
        found = CommentedMap()
        for spelling, value in (content or {}).items():
            name, where = known.plain(spelling), f"{path}: {spelling}".removeprefix(": ")
            if name is None:
                self._say(f"left out {where}, which has no meaning here")
                continue
            if value is None and name not in MAY_BE_EMPTY:
                self._say(f"left out {where}, which is empty")
                continue
            if name != spelling:
                self.renamed[str(spelling)] = name
            if special is not None and name in special:
                found[name] = special[name](value, where)
            else:
                found[name] = self._value(name, value, where)
        return found

    def _value(self, name: str, value: Any, where: str) -> Any:
        plain: Any = value
        if isinstance(value, (list, CommentedSeq)):
            plain = CommentedSeq([self._value(name, each, where) for each in value])
            plain.fa.set_flow_style()
            return plain
        if name in _BOOLEANS and value is not None:
            plain = str(value).strip().lower() in ("true", "1", "yes")
        elif isinstance(value, str) and name not in _TEXTS and (number := to_number(value)) is not None:
            plain = int(number) if number.is_integer() else number
        if plain is not value and not isinstance(value, bool) and name != "run":
            self._say(f"{where}: {str(value)!r} is now {plain}")
        return plain

    def _each(self, one: _Convert) -> _Convert:
        def all_of(content: Any, path: str) -> CommentedMap:
            return CommentedMap({name: one(value, f"{path}: {name}") for name, value in (content or {}).items()})

        return all_of

    def _setup(self, content: Any, path: str) -> CommentedMap:
        found = self._mapping(content, keys.SETUP, path, {"environment_variables": lambda value, _: _texts(value)})
        if counts_evaluations(self._scan.setup):
            points = found["max_evaluations"] = found.setdefault("points", BSMARTS_POINTS)
            self._say(f"{path}: points of {found['type']} are evaluations: max_evaluations is {points}")
        if found.get("type") == "CMAES_ND" and is_bsmarts(self._scan.setup) and "generations" not in found:
            found["generations"] = BSMARTS_GENERATIONS
            self._say(f"{path}: BSMArt's default is written: generations is {BSMARTS_GENERATIONS}")
        if "type" in found and (plain := str(found["type"]).removeprefix("MLScanner.").upper()) != found["type"]:
            self._say(f"{path}: {found['type']} is now {plain}")
            found["type"] = plain
        word = str(found.get("keep_spectra", "")).strip().lower()
        if word in ("true", "1", "yes", "false", "0", "no"):
            found["keep_spectra"] = "valid" if word in ("true", "1", "yes") else "none"
            self._say(f"{path}: keep_spectra is {found['keep_spectra']}")
        return found

    def _variable(self, content: Any, path: str) -> Any:
        if isinstance(content, list) or to_number(content) is not None:
            return self._value("range", content, path)
        if isinstance(content, str):
            found = self._grid(content, path)
        else:
            found = self._mapping(content, keys.VARIABLE, path, {"prior": self._prior})
            if self._takes_degrees(content):
                variable = self._variables[path.rpartition(": ")[2]]
                found.update({"range": CommentedSeq([variable.low, variable.high]), "prior": PriorKind.SINE.value})
                self._say(f"{path}: the range of SIN, in degrees, is now in radians")
        found.fa.set_flow_style()
        return found

    @staticmethod
    def _takes_degrees(content: Any) -> bool:
        priors = [value for key, value in (content or {}).items() if keys.VARIABLE.plain(key) == "prior"]
        words = [each.values() if isinstance(each, dict) else [each] for each in priors]
        return any(str(word).lower() == "sin" for each in words for word in each)

    def _grid(self, text: str, path: str) -> CommentedMap:
        """BSMArt's Python text for a grid, as what it was read as: a range with steps, whole numbers, or a choice."""
        variable = self._variables[path.rpartition(": ")[2]]
        if variable.values:
            self._say(f"{path}: {text!r} is now a choice among values")
            return CommentedMap({"values": CommentedSeq(variable.values)})
        found = CommentedMap({"range": CommentedSeq([variable.low, variable.high])})
        if variable.integer:
            self._say(f"{path}: {text!r} is now a range of whole numbers")
            found["type"] = "integer"
            return found
        if variable.prior is PriorKind.LOG_UNIFORM:
            found["prior"] = variable.prior.value
        if variable.steps:
            found["steps"] = variable.steps
        self._say(f"{path}: {text!r} is now a range{' with steps' if variable.steps else ''}")
        return found

    def _prior(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return self._mapping(value, keys.PRIOR, path, {"type": self._prior})
        plain = PRIOR_NAMES[str(value).lower()].value
        if plain != value:
            self._say(f"{path}: {value} is now {plain}")
        return plain

    def _code(self, content: Any, path: str) -> CommentedMap:
        found = self._mapping(
            content,
            keys.CODE,
            path,
            {
                "observables": self._each(self._observable),
                "success": lambda value, where: self._mapping(value, keys.SUCCESS, where),
                "invalid_when": lambda value, where: self._mapping(value, keys.INVALID_WHEN, where),
                "flags": lambda value, _: value,
                "conditions": lambda value, _: value,
            },
        )
        self._of_profile(found, path)
        if found.get("run") is True:
            self._say("left out Run where it is true, the default")
            del found["run"]
        return found

    def _of_profile(self, found: CommentedMap, path: str) -> None:
        """Settings of BSMArt's tools: left out where nothing reads them; a call in full, where its spelling says it."""
        name = path.rpartition(": ")[2]
        profile = profile_name(Section(str(self._scan.path), path, found, keys.CODE), name)
        for key in keys.OF_PROFILES:
            if key in found and profile not in keys.OF_PROFILES[key]:
                del found[key]
                self._say(f"left out {path}: {key}, which has no meaning here")
        code = next((each.section for each in self._scan.codes if each.name == name), None)
        plain = Section(str(self._scan.path), path, found, keys.CODE)
        of_a_folder = code is not None and needs_the_folder(code) and not needs_the_folder(plain)
        if profile in ("HiggsBounds", "HiggsSignals") and of_a_folder:
            found["command"] += " {folder}/"
            self._say(f"{path}: the folder that BSMArt calls it with is now in the command")

    def _observable(self, content: Any, path: str) -> Any:
        if content is None:
            return None
        found = self._mapping(content, keys.OBSERVABLE, path, {"slha": lambda value, _: value})
        found.fa.set_flow_style()
        return found

    def _fitting(self, content: Any, path: str) -> CommentedMap:
        return self._mapping(
            content,
            keys.FITTING,
            path,
            {
                "variables": self._each(self._variable),
                "observables": self._each(lambda value, where: self._mapping(value, keys.FITTING_OBSERVABLE, where)),
                "options": lambda value, where: self._mapping(value, keys.FITTING_OPTIONS, where),
            },
        )

    def _plotting(self, content: Any, path: str) -> CommentedMap:
        def as_it_is(value: Any, _where: str) -> Any:  # a column may be called "0"
            return value

        def one(value: Any, where: str) -> CommentedMap:
            return self._mapping(value, keys.PLOT, where, {"values": as_it_is, "labels": as_it_is})

        return self._mapping(content, keys.PLOTTING, path, {"strategy": as_it_is, "plots": self._each(one)})

    def _say(self, line: str) -> None:
        if line not in self.changes:
            self.changes.append(line)


def _texts(content: Any) -> CommentedMap:
    return CommentedMap({name: str(value) for name, value in (content or {}).items()})
