"""BSMArt's tool `flavio`: flavio's predictions minus the Standard Model's, from a WCxf file of an earlier code.

As in BSMArt, each observable has flavio's own name, and its value is the prediction minus that of the Standard Model.
The values are also in the block FLAVIO of the spectrum, numbered in the order of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from evaluator import InvalidPoint
from evaluator.codes.kinds.flavio import FlavioCode
from evaluator.codes.verdict import read_output
from evaluator.files import write_new
from scanspec import CodeSpec, ScanFile, ScanFileError
from scanspec.files import read_bytes
from scanspec.keys import OF_INPUTS
from scanspec.observables import FlavioAddress, is_branching_ratio
from scanspec.spectrum import LARGEST_SPECTRUM, read_spectrum
from scanspec.tools import FLAVIO

if TYPE_CHECKING:
    from evaluator.codes.point import Point

_OF_BSMART_ALONE = ("e_EDM", "mu_EDM")

MORE = "docs/codes.md shows the code `flavio: {wcxf: NAME}`, whose observables take bins and have names of their own"


class FlavioTool(FlavioCode):
    """The tool `flavio`. Raises ScanFileError for settings without meaning; `load` raises it for observables that
    flavio does not know.
    """

    key = ""
    tool = FLAVIO
    settings = None
    other_keys = OF_INPUTS

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        for observable in spec.observables:
            if observable.name in _OF_BSMART_ALONE:
                message = f"{observable.name} is BSMArt's own and not flavio's; write a Python function: docs/bsmart.md"
                raise observable.section.error(message)
            if observable.flavio is not None:
                message = f"BSMArt's tool flavio takes each observable by its own name; {MORE}"
                raise observable.section.error(message, "flavio")
        self._numbers = {
            observable.name: n for n, observable in enumerate(spec.observables, start=1) if observable.function is None
        }
        ours = tuple(
            replace(observable, slha=None, flavio=FlavioAddress(observable.name))
            for observable in spec.observables
            if not observable.function
        )
        super().__init__(replace(spec, observables=ours), scan, known)

    def _file_name(self) -> str:
        name = self.section.text("input_file", "")
        if not name or "/" in name or name in (".", ".."):
            wanted = "the bare name of the WCxf file that a code before it writes into the point's folder"
            raise self.section.error(f"code {FLAVIO!r} needs an InputFile: {wanted}", "input_file")
        return name

    def load(self) -> None:
        """Loads as FlavioCode does. Its errors about an observable also say how to give a bin."""
        try:
            super().load()
        except ScanFileError as error:
            raise ScanFileError(f"{error}; {MORE}") from error

    def run(self, point: Point) -> Mapping[str, float]:
        predicted = super().run(point)
        for name, value in predicted.items():
            if is_branching_ratio(name) and not 0.0 <= value <= 1.0:
                raise InvalidPoint(f"{name} = {value:.6g} is outside [0, 1]")
        found = {name: value - self.standard_model[name] for name, value in predicted.items()}
        lines = (f" {self._numbers[name]} {value!r}" for name, value in found.items())
        self._add("\n".join(["", "Block FLAVIO", *lines, ""]), point)
        return found

    @staticmethod
    def _add(block: str, point: Point) -> None:
        """Adds the block to the spectrum file, if there is one, as BSMArt does, so that later codes can read it."""
        path = point.spectrum_path
        if path is None:
            point.spectrum = read_spectrum(block)
            return
        write_new(path, read_bytes(path, LARGEST_SPECTRUM) + block.encode())
        if (spectrum := read_output(path)) is not None:
            point.wrote(spectrum, path)

    def sources(self) -> Mapping[str, str]:
        return dict(super().sources()) | {"tool": FLAVIO}
