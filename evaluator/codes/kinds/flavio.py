"""flavio as a physics code: Wilson coefficients in, flavour observables out (arXiv:1810.08132).

The coefficients are expressions in the scan file (`flavio: {eft, basis, scale, coefficients}`), or come from a WCxf
file that an earlier code wrote into the point's folder (`flavio: {wcxf: NAME}`; arXiv:1712.05298). wilson runs and
matches them to each observable's scale (arXiv:1804.05033).

The import of flavio takes seconds and 765 MB, so only `load` imports it.
"""

from __future__ import annotations

import importlib
import json
import math
import re
import subprocess
import sys
import traceback
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from evaluator import InvalidPoint
from evaluator.codes import measurements
from evaluator.codes.deadline import run_by
from evaluator.codes.protocol import Code
from evaluator.codes.sources import module_sources
from evaluator.errors import CodeFailed, ConfigurationError
from evaluator.expressions import Expression
from scanspec import CodeSpec, Kind, Likelihood, ObservableSpec, ScanFile
from scanspec import keys as known_keys
from scanspec.canonical import canonical_expression
from scanspec.document import Section, closest

if TYPE_CHECKING:
    from evaluator.codes.point import Point

_LARGEST_FILE = 16 << 20  # bytes of a WCxf file
_NOISE = 1e-6  # the largest imaginary part of a real coefficient by rounding, relative to its modulus


class FlavioCode(Code):
    """flavio's predictions at one point of an effective theory.

    A coefficient is one expression, or two for its real and imaginary parts. Coefficients that the scan file does not
    name are zero, as in the Standard Model. BSMArt's tool (bsmart_flavio) names its WCxf file outside the section
    `flavio`.
    """

    key = "flavio"
    settings: ClassVar[Collection[str] | None] = tuple(known_keys.FLAVIO.known)
    observable_keys = ("flavio",)
    changes_process = False
    preloads = ("flavio",)

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        section = self.own
        self._wcxf = self._file_name()
        self.standard_model: dict[str, float] = {}
        """The Standard Model's prediction for each observable, by name; `load` sets it."""
        self._coefficients: dict[str, tuple[Expression, ...]] = {}
        self._eft = self._basis = ""
        self._scale = math.nan
        if not self._wcxf:
            self._eft, self._basis = section.text("eft", "WET"), section.text("basis", "flavio")
            section.require("scale", "; in GeV, where the coefficients are defined, for example 4.8")
            self._scale = section.number_in("scale", math.nan, 0.0, 1e19, open_low=True)
            section.require("coefficients", "; name Wilson coefficients, each with an expression")
            self._coefficients = _read_coefficients(section.section("coefficients"), known, len(scan.variables))
        self._specs = [observable for observable in spec.observables if observable.flavio is not None]
        for observable in spec.observables:
            if observable.flavio is None and observable.function is None and observable.slha is None:
                raise observable.section.error(
                    f"the observable {observable.name!r} needs flavio: its name there, for example BR(Bs->mumu)",
                    observable.name,
                )
        self._flavio: Any = None
        self._wilson: Any = None

    def _file_name(self) -> str:
        """The name of the WCxf file without a folder; empty if the section has coefficients."""
        name = self.own.text("wcxf", "")
        beside = [key for key in ("eft", "basis", "scale", "coefficients") if key in self.own]
        if name and beside:
            raise self.own.error(f"the file {name} gives {beside[0]}; keep one of the two", beside[0])
        if "/" in name or name in (".", ".."):
            raise self.own.wrong("wcxf", "the bare name of a file in the point's folder")
        return name

    def load(self) -> None:
        """Imports flavio, checks every name and bin, and computes the Standard Model predictions.

        Raises ScanFileError or ConfigurationError with the line of the error.
        """
        try:
            self._flavio = importlib.import_module("flavio")
            self._wilson = importlib.import_module("wilson")
        except Exception as error:
            raise self.own.error(
                f"flavio cannot be imported here ({type(error).__name__}: {error}); it needs its own environment "
                "(environment: flavio)"
            ) from error
        if not self._wcxf:
            self._check_basis()
        for spec in self._specs:
            self._check_observable(spec)
        zero = dict.fromkeys(self._coefficients, 0.0)
        try:
            point = None if self._wcxf else self._wilson.Wilson(zero, self._scale, self._eft, self._basis)
        except Exception as error:
            raise self.own.error(f"wilson refuses this ({type(error).__name__}: {error})") from error
        for spec in self._specs:
            self._check_standard_model(spec, point)

    def _check_basis(self) -> None:
        wcxf, section = self._wilson.wcxf, self.own
        if self._eft not in wcxf.EFT.instances:
            raise section.error(f"unknown eft {self._eft!r}{closest(self._eft, wcxf.EFT.instances)}", "eft")
        bases = [basis for eft, basis in wcxf.Basis.instances if eft == self._eft]
        if self._basis not in bases:
            raise section.error(f"{self._eft} has no basis {self._basis!r}{closest(self._basis, bases)}", "basis")
        basis = wcxf.Basis[self._eft, self._basis]
        known, real = basis.all_wcs, _real(basis)
        coefficients = section.section("coefficients")
        for name, parts in self._coefficients.items():
            if name not in known:
                message = f"{name!r} is not a Wilson coefficient of {self._eft}, basis {self._basis}"
                raise coefficients.error(f"{message}{closest(name, known)}", name)
            if name in real and len(parts) > 1:  # wilson would drop the imaginary part without a message
                message = f"{name} is a real Wilson coefficient of {self._eft}, basis {self._basis}"
                raise coefficients.error(f"{message}; give it one expression", name)

    def _check_observable(self, spec: ObservableSpec) -> None:
        assert spec.flavio is not None
        known = self._flavio.Observable.instances
        name, values = spec.flavio.name, spec.flavio.arguments
        if name not in known:
            raise spec.section.error(f"flavio has no observable {name!r}{closest(name, known)}", "flavio")
        arguments = list(known[name].arguments or ())
        if len(arguments) != len(values):
            wanted = f"[{', '.join([name, *arguments])}]" if arguments else f"{name} alone"
            fault = f"{name} is given {len(values)} numbers (bin, q2), but takes {len(arguments)}"
            raise spec.section.error(f"{fault}; write flavio: {wanted}", "flavio")
        given = dict(zip(arguments, values, strict=True))
        for low in arguments:
            high = low.removesuffix("min") + "max"
            if low.endswith("min") and high in given and not given[low] < given[high]:
                fault = f"the bin {given[low]:g} to {given[high]:g} of {name} is empty or reversed"
                raise spec.section.error(f"{fault}; {low} must be below {high}", "flavio")
        self._check_kinematics(spec, name, values, arguments)

    def _check_kinematics(
        self, spec: ObservableSpec, name: str, values: tuple[float, ...], arguments: list[str]
    ) -> None:
        """Raises ScanFileError for a bin outside the kinematic limits of the decay.

        For such a bin, flavio returns zero, or the result for a part of the bin, without a warning. The limits are
        where flavio's rate is zero. A bin in which the decay has been measured is accepted, because such bins often end
        a little beyond the limit.
        """
        if arguments not in (["q2min", "q2max"], ["q2"]):
            return
        rate = next((candidate for candidate in _rates(name) if candidate in self._flavio.Observable.instances), None)
        if rate is None or measurements.bin_is_measured(name, values):
            return
        inside = 1e-3 * (values[-1] - values[0])
        ends = zip(values, (values[0] + inside, values[-1] - inside), strict=False)
        for end, q2 in ends:
            if self._flavio.sm_prediction(rate, q2) == 0:
                message = f"q2 = {end:g} GeV^2 of {name} is outside the kinematic limits (the rate is zero there)"
                raise spec.section.error(f"{message}; choose a bin within them", "flavio")

    def _check_standard_model(self, spec: ObservableSpec, point: Any) -> None:
        assert spec.flavio is not None
        try:
            if point is None:
                value = self._flavio.sm_prediction(spec.flavio.name, *spec.flavio.arguments)
            else:
                value = self._flavio.np_prediction(spec.flavio.name, point, *spec.flavio.arguments)
        except Exception as error:
            fault = f"flavio cannot predict {spec.flavio} in the Standard Model"
            raise spec.section.error(f"{fault} ({type(error).__name__}: {error})", "flavio") from error
        if not math.isfinite(value):
            raise spec.section.error(f"{spec.flavio} is {value} in the Standard Model", "flavio")
        self.standard_model[spec.name] = float(value)

    def measured(self) -> Mapping[str, Likelihood]:
        """The likelihoods of the observables that use a measurement of flavio. Raises ScanFileError or
        ConfigurationError.
        """
        wanted = {
            spec.name: (spec.flavio.name, list(spec.flavio.arguments), list(spec.measurement))
            for spec in self._specs
            if spec.flavio is not None and spec.measurement is not None
        }
        if not wanted:
            return {}
        found = measurements.read(wanted) if "flavio" in sys.modules else _read_elsewhere(wanted)
        for spec in self._specs:
            if isinstance(found.get(spec.name), str):
                raise spec.section.error(str(found[spec.name]), "measurement")
        return {name: Likelihood(Kind.GAUSS, *constants) for name, constants in found.items()}

    def run(self, point: Point) -> Mapping[str, float]:
        if self._flavio is None:
            self.load()
        try:
            return run_by(self.next_timeout(), "flavio", self._predict, point)
        except (InvalidPoint, CodeFailed):
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise CodeFailed(f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})") from error

    def _predict(self, point: Point) -> dict[str, float]:
        coefficients = self._read_file(point) if self._wcxf else self._compute(point)
        found = {}
        for spec in self._specs:
            assert spec.flavio is not None
            found[spec.name] = float(self._flavio.np_prediction(spec.flavio.name, coefficients, *spec.flavio.arguments))
        return found

    def _compute(self, point: Point) -> Any:
        values: dict[str, complex] = {}
        for name, parts in self._coefficients.items():
            numbers = [float(part(point.names, point.variables)) for part in parts]
            if not all(math.isfinite(number) for number in numbers):  # flavio would return NaN without a message
                raise InvalidPoint(f"the coefficient {name} = {', '.join(part.text for part in parts)} is not finite")
            values[name] = numbers[0] if len(numbers) == 1 else complex(*numbers)
        return self._wilson.Wilson(values, self._scale, self._eft, self._basis)

    def _read_file(self, point: Point) -> Any:
        path = point.folder / self._wcxf
        if not path.is_file():
            raise CodeFailed(f"no code before this one has written {self._wcxf} into the point's folder")
        if path.stat().st_size > _LARGEST_FILE:
            raise CodeFailed(f"{self._wcxf} is larger than {_LARGEST_FILE >> 20} MiB")
        try:
            with path.open() as file:
                coefficients = self._wilson.wcxf.WC.load(file)
            coefficients.validate()
            finite = all(math.isfinite(abs(coefficient)) for coefficient in coefficients.dict.values())
            real = _real(self._wilson.wcxf.Basis[coefficients.eft, coefficients.basis])
            parts = {name: value for name, value in coefficients.dict.items() if name in real}
            wrong = [name for name, value in parts.items() if abs(value.imag) > _NOISE * abs(value)]
        except Exception as error:
            raise CodeFailed(f"{self._wcxf} is not a WCxf file that can be used ({error})") from error
        if not finite:
            raise CodeFailed(f"{self._wcxf} holds a coefficient that is not finite")
        if wrong:
            raise CodeFailed(f"{self._wcxf} gives {wrong[0]}, which is real, an imaginary part")
        return self._wilson.Wilson.from_wc(coefficients)

    def sources(self) -> Mapping[str, str]:
        found = module_sources("flavio", self.folder)
        found["coefficients"] = self._wcxf or json.dumps(
            [self._eft, self._basis, self._scale]
            + [
                [name, *(canonical_expression(part.text) for part in parts)]
                for name, parts in sorted(self._coefficients.items())
            ]
        )
        return found | {f"prediction {spec.name}": str(spec.flavio) for spec in self._specs}


def _read_coefficients(section: Section, known: Collection[str], variables: int) -> dict[str, tuple[Expression, ...]]:
    found = {}
    for name in section:
        texts = section.texts(name)
        if len(texts) not in (1, 2):
            raise section.wrong(name, "one expression, or [real part, imaginary part]")
        where = f"{section.file}, line {section.line(name)}"
        found[name] = tuple(Expression(text, known, where, variables) for text in texts)
    if not found:
        raise section.error(f"{section.path} names no Wilson coefficient")
    return found


def _real(basis: Any) -> set[str]:
    """The real Wilson coefficients of a basis."""
    return {
        name
        for sector in basis.sectors.values()
        for name, properties in sector.items()
        if properties is not None and properties.get("real")
    }


def _rates(name: str) -> list[str]:
    """The possible names of the differential rate for an observable's process: (B+->Kll) can also be B+->Kmumu."""
    process = re.search(r"\(([^()]*->[^()]*)\)$", name)
    if process is None:
        return []
    lepton = "tau" if "tau" in name else "mu"
    given = process.group(1)
    ours = re.sub(r"ll$", 2 * lepton, re.sub(r"lnu$", f"{lepton}nu", given))
    charges = [re.sub(r"^(B|D)->", rf"\g<1>{charge}->", ours) for charge in ("", "0", "+")]
    return [f"dBR/dq2({final})" for final in dict.fromkeys([given, *charges])]


def _read_elsewhere(wanted: measurements.Wanted) -> measurements.Found:
    """Reads the measurements in a separate process, so that the evaluator does not keep flavio in memory."""
    done = subprocess.run(
        [sys.executable, "-m", "evaluator.codes.measurements"],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConfigurationError(f"flavio's measurements cannot be read: {lines[-1]}")
    found: measurements.Found = json.loads(done.stdout.splitlines()[-1])
    return found
