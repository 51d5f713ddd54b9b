"""Finds the kind of a code: in `evaluator.codes.kinds`, or in an installed package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from typing import TYPE_CHECKING

from evaluator.codes import kinds
from evaluator.codes.protocol import Code
from evaluator.codes.sources import module_sources
from evaluator.errors import ConfigurationError
from scanspec import CodeSpec, ScanFile
from scanspec.document import closest
from scanspec.tools import kind_key

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "lodescan.codes"
"""The group of entry points of packages that provide a kind. The name of the entry is the key of the kind."""


def _built_in() -> list[type[Code]]:
    files = pkgutil.iter_modules(kinds.__path__, f"{kinds.__name__}.")
    modules = [importlib.import_module(file.name) for file in files]
    return [
        member
        for module in modules
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Code) and member.__module__ == module.__name__
    ]


_BUILT_IN = _built_in()  # at import, so that the fork server imports them for all workers


def make_code(spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> Code:
    """The code that an entry of `codes` describes. Raises ConfigurationError or ScanFileError.

    `known` are the names that its expressions may use.
    """
    return _kind_of(spec)(spec, scan, known)


def sources_of(code: Code) -> dict[str, str]:
    """Everything that determines a code's results: its own sources, its data, and the version of the package that
    provides its kind.
    """
    if type(code) in _BUILT_IN:
        return {**code.data, **code.sources()}
    from importlib.metadata import entry_points  # imported here, because workers do not need it

    packages = [entry.dist for entry in entry_points(group=GROUP, name=code.key) if entry.dist is not None]
    versions = {f"package {package.name}": package.version for package in packages}
    return {**module_sources(type(code).__module__, code.folder), **versions, **code.data, **code.sources()}


def _kind_of(spec: CodeSpec) -> type[Code]:
    key = kind_key(spec.section)
    if not key:
        return next(kind for kind in _BUILT_IN if kind.tool == spec.name)
    found = next((kind for kind in _BUILT_IN if kind.key == key), None)
    return found or _of_a_package(key, spec)


def _of_a_package(key: str, spec: CodeSpec) -> type[Code]:
    from importlib.metadata import entry_points

    installed = entry_points(group=GROUP)
    entries = [entry for entry in installed if entry.name == key]
    if not entries:
        known = [*(kind.key for kind in _BUILT_IN if kind.key), *(entry.name for entry in installed)]
        raise spec.section.error(
            f"code {spec.name!r} has the kind {key!r}, which no package in the evaluator's environment provides"
            f"{closest(key, known)}",
            key,
        )
    if len(entries) > 1:
        packages = ", ".join(sorted(_package(entry) for entry in entries))
        raise spec.section.error(f"several packages provide the kind {key!r}: {packages}; uninstall all but one", key)
    return _load(entries[0])


def _load(entry: EntryPoint) -> type[Code]:
    subject = f"the package {_package(entry)}, which provides the kind {entry.name!r} of code ({entry.value})"
    try:
        kind = entry.load()
    except Exception as error:
        raise ConfigurationError(f"{subject}, cannot be used here: {type(error).__name__}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Code)):
        raise ConfigurationError(f"{subject}, must name a subclass of evaluator.codes.protocol.Code there")
    if kind.key != entry.name:
        raise ConfigurationError(f"{subject}, must give this class the key {entry.name!r}, not {kind.key!r}")
    return kind


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
