"""BSMArt's tool pass_tool, which runs no program: its input is its output."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from evaluator.codes.protocol import Code
from evaluator.codes.sources import file_hash
from evaluator.codes.template import Template
from evaluator.codes.verdict import raise_errors
from scanspec import CodeSpec, ScanFile
from scanspec.keys import OF_INPUTS
from scanspec.spectrum import read_spectrum
from scanspec.tools import PASS

if TYPE_CHECKING:
    from evaluator.codes.point import Point


class PassTool(Code):
    """The SLHA template, filled in, is the spectrum."""

    tool = PASS
    other_keys = OF_INPUTS
    changes_process = False
    fills_a_template = True

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        name = spec.section.text("input_file", "")
        path = scan.folder / name
        if not name:
            raise spec.section.error(f"code {PASS!r} needs an input_file: its SLHA template")
        where = f"{spec.section.file}, line {spec.section.line('input_file')}"
        self._template = Template(
            path,
            known,
            variables=len(scan.variables),
            where=where,
            blocks=scan.blocks,
            block_lines=scan.block_lines,
            integers=[variable.name for variable in scan.variables if variable.integer],
        )
        self._sources = {f"template {path.name}": file_hash(path)}
        self._output = re.sub(r"[^\w.-]", "_", scan.setup.text("spectrum_file", "") or "output.slha")

    def run(self, point: Point) -> Mapping[str, float]:
        path = point.folder / self._output
        spectrum = read_spectrum(self._template.write(path, point.names, point.variables))
        raise_errors(spectrum)
        point.wrote(spectrum, path)
        return {}

    def sources(self) -> Mapping[str, str]:
        return self._sources
