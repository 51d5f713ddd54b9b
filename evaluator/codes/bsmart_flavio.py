"""BSMArt's tool `flavio`: what flavio predicts beyond the Standard Model, from a WCxf file of an earlier code.

As in BSMArt each observable has flavio's own name, its value is the prediction minus that of the
Standard Model, and the values are also block FLAVIO of the spectrum, numbered in the file's order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from evaluator import InvalidPoint
from evaluator.codes.flavio import FlavioCode
from evaluator.codes.verdict import read_output
from evaluator.errors import ConfigurationError
from evaluator.files import read_regular, write_new
from scanspec import CodeSpec, ScanFile, ScanFileError
from scanspec.observables import FlavioAddress, is_branching_ratio
from scanspec.spectrum import LARGEST_SPECTRUM, read_spectrum
from scanspec.tools import FLAVIO

if TYPE_CHECKING:
    from evaluator.codes.point import Point

_OF_BSMART_ALONE = ("e_EDM", "mu_EDM")

MORE = "docs/codes.md shows the code `flavio: {wcxf: NAME}`, whose observables take bins and have names of their own"


class FlavioTool:
    """The tool; raises ConfigurationError where its entry means nothing, and at `load` what flavio does not know."""

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        section = spec.section
        file = section.text("input_file", "")
        if not file or "/" in file or file in (".", ".."):
            what = "the bare name of the WCxf file that a code before it writes into the point's folder"
            raise ConfigurationError(str(section.error(f"code {FLAVIO!r} needs an InputFile: {what}", "input_file")))
        for each in spec.observables:
            if each.name in _OF_BSMART_ALONE:
                what = f"{each.name} is BSMArt's own and not flavio's; write a Python function for it: docs/bsmart.md"
                raise ConfigurationError(str(each.section.error(what)))
        self._numbers = {each.name: n for n, each in enumerate(spec.observables, start=1) if each.function is None}
        ours = tuple(
            replace(each, slha=None, flavio=FlavioAddress(each.name)) for each in spec.observables if not each.function
        )
        self._code = FlavioCode(replace(spec, observables=ours), scan, known, file)
        self.timeout, self.first_timeout = self._code.timeout, self._code.first_timeout

    def load(self) -> None:
        """As FlavioCode's; an error about an observable says how it can have a bin."""
        try:
            self._code.load()
        except ScanFileError as error:
            raise ScanFileError(f"{error}; {MORE}") from error

    def run(self, point: Point) -> Mapping[str, float]:
        self._code.timeout, self._code.first_timeout = self.timeout, self.first_timeout
        predicted = self._code.run(point)
        for name, value in predicted.items():
            if is_branching_ratio(name) and not 0.0 <= value <= 1.0:
                raise InvalidPoint(f"{name} = {value:.6g} is outside [0, 1]")
        found = {name: value - self._code.standard_model[name] for name, value in predicted.items()}
        lines = (f" {self._numbers[name]} {value!r}" for name, value in found.items())
        self._add("\n".join(["", "Block FLAVIO", *lines, ""]), point)
        return found

    @staticmethod
    def _add(block: str, point: Point) -> None:
        """To the spectrum file where there is one, as BSMArt does, so that later codes read it too."""
        path = point.spectrum_path
        if path is None:
            point.spectrum = read_spectrum(block)
            return
        write_new(path, read_regular(path, LARGEST_SPECTRUM) + block.encode())
        if (spectrum := read_output(path)) is not None:
            point.wrote(spectrum, path)

    def sources(self) -> Mapping[str, str]:
        return dict(self._code.sources()) | {"tool": FLAVIO}
