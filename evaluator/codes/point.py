"""The point that the codes work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from evaluator.errors import CodeFailed, UnknownName
from scanspec.document import plain_name
from scanspec.spectrum import Spectrum


class Point(Mapping[str, float]):
    """A point during its evaluation: a mapping of its variables, derived variables, and observables so far."""

    def __init__(self, names: dict[str, float], variables: Sequence[float], scratch: str | Path | None) -> None:
        self.names = names
        self.variables = variables
        self.warnings: list[str] = []
        self.spectra: list[Path] = []
        self.used_scratch = False
        self._spectrum: Spectrum | None = None
        self._scratch = scratch

    def __getitem__(self, name: str) -> float:
        try:
            return self.names[name if name in self.names else plain_name(str(name))]
        except (KeyError, TypeError):  # TypeError: a list, or another value that cannot be a key
            raise UnknownName(name, self.names) from None

    def __getattr__(self, name: str) -> NoReturn:
        hint = f"; write point[{name!r}]" if name in self.__dict__.get("names", ()) else ""
        raise AttributeError(f"the point has no attribute {name!r}{hint}", name=name, obj=self)

    def __repr__(self) -> str:
        return f"the point ({', '.join(self.names)})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def spectrum(self) -> Spectrum:
        """The last SLHA file that a code wrote. Raises CodeFailed if there is none."""
        if self._spectrum is None:
            raise CodeFailed("no code before this one has written a spectrum")
        return self._spectrum

    @spectrum.setter
    def spectrum(self, spectrum: Spectrum) -> None:
        self._spectrum = spectrum
        spectrum.warnings = self.warnings  # those of entries that are read become warnings of the point

    def wrote(self, spectrum: Spectrum, path: Path) -> None:
        """Stores the spectrum of a code, and its file, which may also be that of an earlier code."""
        self.spectrum = spectrum
        self.spectra = [stored for stored in self.spectra if stored != path] + [path]

    @property
    def spectrum_path(self) -> Path | None:
        """The file of the last spectrum; None before the first spectrum."""
        return self.spectra[-1] if self.spectra else None

    @property
    def folder(self) -> Path:
        """The point's scratch folder, which is made at its first use and removed after the point. Raises CodeFailed if
        it has none.
        """
        if self._scratch is None:
            raise CodeFailed("this point has no scratch folder")
        folder = Path(self._scratch)
        if not self.used_scratch:
            folder.mkdir(parents=True, exist_ok=True)
            self.used_scratch = True
        return folder
