"""A digest of a user's function: of its source, and of the values that it takes along."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_ATOMS = (type(None), type(...), bool, int, float, complex, str)
_CODE = FunctionType | BuiltinFunctionType | type | ModuleType
_INSTALLED = ("site-packages", "dist-packages")


def digest_of(code: Callable[..., Any]) -> str:
    """Equal in every process for what gives the same answers, as far as that can be seen without a call.

    Of a function: its source (its bytecode where there is none), its defaults, what it closes over, and the globals
    that it names, where these are values, or the user's own functions, classes and modules. Of any other object: its
    class, and its state as pickle has it, such as the arguments of a functools.partial. Code that is installed counts
    by its name. The digest of a function that takes nothing along is that of its source.
    """
    found = _Digest()
    found.add(code)
    return found.hash.hexdigest()


class _Digest:
    """Walks over what an object is made of. The bytes of a pickle would not do: they differ between processes by the
    order of sets, by line numbers, and by which equal values are the same object.
    """

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._done: set[int] = set()  # code: once is enough
        self._within: set[int] = set()  # values on the way down to this one

    def add(self, value: object) -> None:
        if isinstance(value, _ATOMS):
            self._text(f"\n{type(value).__name__} {value!r}")
        elif isinstance(value, bytes | bytearray):  # of an array, perhaps a gigabyte
            self._text(f"\n{len(value)} bytes")
            self.hash.update(value)
        elif isinstance(value, _CODE | CodeType):
            self._code(value)
        elif id(value) in self._within:
            self._text("a value that contains itself")
        else:
            self._within.add(id(value))
            self._value(value)
            self._within.remove(id(value))

    def _text(self, text: str) -> None:
        self.hash.update(text.encode(errors="surrogatepass"))

    def _code(self, value: Any) -> None:
        if id(value) in self._done:
            return
        self._done.add(id(value))
        if isinstance(value, CodeType):
            self._each((value.co_code, value.co_names, value.co_consts))
        elif not _is_own(value):
            self._text(f"{value.__module__}.{value.__qualname__}" if hasattr(value, "__qualname__") else value.__name__)
        elif isinstance(value, FunctionType):
            self._function(value)
        else:
            self._text(_source(value) or value.__name__)
            if isinstance(value, type):
                self._each(value.__bases__)
                self._each(
                    getattr(part, "__func__", part)
                    for name, part in vars(value).items()
                    if callable(part) or not name.startswith("__")
                )

    def _function(self, function: FunctionType) -> None:
        source = _source(function)
        self._text(source) if source else self.add(function.__code__)
        for more in (function.__defaults__, function.__kwdefaults__):
            if more:
                self.add(more)
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self._text("an empty cell")
        for name in sorted(_globals_named(function.__code__)):
            if name in function.__globals__:
                self._global(name, function.__globals__[name])

    def _global(self, name: str, value: object) -> None:
        if not isinstance(value, _CODE) or _is_own(value):
            self._text(name)
            self.add(value)

    def _value(self, value: Any) -> None:
        self._text(type(value).__qualname__)
        if isinstance(value, dict):
            self._each(part for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple):
            self._each(value)
        elif isinstance(value, set | frozenset):
            self._each(sorted(digest_of(part) for part in value))
        elif isinstance(value, functools.partial):
            self._each((value.func, value.args, value.keywords))
        elif isinstance(value, MethodType):
            self._each((value.__func__, value.__self__))
        else:
            self._object(value)

    def _object(self, value: Any) -> None:
        self.add(type(value))
        if hasattr(value, "__wrapped__"):
            self.add(value.__wrapped__)
        try:
            made_from = value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001  # of what cannot be pickled, such as a lock, the class has to do
            return
        if isinstance(made_from, str):
            self._text(made_from)
        else:
            self._each(list(part) if isinstance(part, Iterator) else part for part in made_from)

    def _each(self, values: Any) -> None:
        for number, value in enumerate(values):
            self._text(f"\n{number}:")
            self.add(value)


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except Exception:  # noqa: BLE001  # beside OSError and TypeError, what the tokenizer raises in the middle of a line
        return ""


def _globals_named(code: CodeType) -> set[str]:
    """The names of globals that a function reads, also within the functions that it defines."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    return found.union(*(_globals_named(part) for part in inner))


def _is_own(value: Any) -> bool:
    """Whether a function, class or module is the user's: of no package that is installed, and not of Python itself."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or "builtins"
    if name == "__main__" or (name == "builtins" and isinstance(value, FunctionType)):
        return True  # of a script or a notebook, whose file may be that of Jupyter; or made by exec
    if isinstance(value, BuiltinFunctionType) or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return not any(part in Path(file).parts for part in _INSTALLED)
