"""Which kinds of physics code there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from evaluator.codes.bsmart import make_tool
from evaluator.codes.bsmart_flavio import MORE, FlavioTool
from evaluator.codes.flavio import FlavioCode
from evaluator.codes.protocol import Code
from evaluator.codes.python import PythonFunction
from evaluator.codes.slha import SlhaProgram
from evaluator.codes.umbridge import UmBridgeModel
from scanspec import CodeSpec, ScanFile
from scanspec.tools import FLAVIO, WAYS

if TYPE_CHECKING:
    pass


def make_code(spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> Code:
    """The code that an entry of `codes` describes; raises ConfigurationError.

    `known` are the names that its expressions may use.
    """
    kind = next((way for way in WAYS if way in spec.section), "")
    if kind != "flavio":
        for each in spec.observables:
            if each.flavio is not None:
                what = f"the code {spec.name!r} is not flavio, but {each.name!r} asks for it"
                if not kind and spec.name == FLAVIO:
                    what = f"BSMArt's tool flavio takes each observable by its own name; {MORE}"
                raise each.section.error(what, "flavio")
    match kind:
        case "function":
            return PythonFunction(spec, scan)
        case "command":
            return SlhaProgram(spec, scan, known)
        case "flavio":
            return FlavioCode(spec, scan, known)
        case "umbridge":
            return UmBridgeModel(spec, scan, known)
    return make_tool(spec, scan, known)


def preloads(code: Code) -> list[str]:
    """Modules that workers should share in memory: imported once, by the fork server."""
    if isinstance(code, PythonFunction):
        return [code.module]
    return ["flavio"] if isinstance(code, (FlavioCode, FlavioTool)) else []
