"""A digest of a user's function: of its source, and of the values that it uses."""

from __future__ import annotations

import contextlib
import dis
import functools
import hashlib
import inspect
import re
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

_ATOMS = (type(None), type(...), bool, int, float, complex, str)
_CODE = FunctionType | BuiltinFunctionType | type | ModuleType
_INSTALLED = ("site-packages", "dist-packages")


def digest_of(code: Callable[..., Any]) -> str:
    """A hex digest that is the same in every process for functions that give the same answers, as far as this is
    visible without a call.

    For a function it covers the source (or the bytecode, for a lambda and without a source), the defaults, the closure,
    and the globals that the function names: values, and the user's own functions, classes and modules. For any other
    object it covers the class and the contents, such as the arguments of a functools.partial. Objects of installed
    packages count by their names only, because their contents may differ from one process to the next. A function that
    uses no other values has the digest of its source.
    """
    found = _Digest()
    try:
        found.add(code)
    except RecursionError:  # objects nested a thousand levels deep
        return hashlib.sha256(_source(code).encode(errors="surrogatepass")).hexdigest()
    return found.hash.hexdigest()


class _Digest:
    """Walks over the parts of an object. A pickle would not do: its bytes depend on the order of sets, on line numbers,
    and on which equal values are the same object, and so differ between processes.
    """

    def __init__(self, done: Collection[int] = (), seen: Mapping[int, int] | None = None) -> None:
        self.hash = hashlib.sha256()
        self._done = set(done)  # ids of code that was added
        self._seen = dict(seen or {})  # ids of values that were added, and their numbers

    def add(self, value: object) -> None:
        if isinstance(value, _ATOMS):
            self._text(f"\n{type(value).__name__} {value!r}")
        elif isinstance(value, bytes | bytearray):  # data of an array, perhaps a gigabyte
            self._text(f"\n{len(value)} bytes")
            self.hash.update(value)
        elif isinstance(value, _CODE | CodeType):
            self._code(value)
        elif id(value) in self._seen:
            self._text(f"the value {self._seen[id(value)]} again")
        else:
            self._seen[id(value)] = len(self._seen)
            self._value(value)

    def _of(self, value: object) -> str:
        """The digest of a part whose position among others has no meaning."""
        part = _Digest(self._done, self._seen)
        part.add(value)
        return part.hash.hexdigest()

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
        if source and function.__name__ != "<lambda>":  # the source of a lambda is the whole statement around it
            self._text(source)
        else:
            self.add(function.__code__)
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
            for key, part in sorted(((self._of(key), part) for key, part in value.items()), key=itemgetter(0)):
                self._text(key)
                self.add(part)
        elif isinstance(value, list | tuple | deque):
            self._each(value)
        elif isinstance(value, set | frozenset):
            self._each(sorted(map(self._of, value)))
        elif isinstance(value, functools.partial):
            self._each((value.func, value.args, value.keywords))
        elif isinstance(value, MethodType):
            self._each((value.__func__, value.__self__))
        elif hasattr(type(value), "__array__"):
            self._array(value)
        elif isinstance(value, re.Pattern):
            self._each((value.pattern, value.flags))
        else:
            self._object(value)

    def _array(self, value: Any) -> None:
        """An array, a table, a tensor."""
        try:
            values = np.asarray(value)
        except Exception:  # noqa: BLE001  # for example a tensor with gradients; only its class counts
            return
        self._text(f"{values.dtype} {values.shape}")
        self.add(values.tolist() if values.dtype.hasobject else values.tobytes())

    def _object(self, value: Any) -> None:
        self.add(type(value))
        wrapped = inspect.getattr_static(value, "__wrapped__", None)
        if wrapped is not None:
            self.add(wrapped)
        if not _is_own(type(value)):
            name = getattr(value, "__name__", "")  # a function of numpy has a name, for example
            self._text(name if isinstance(name, str) else "")
            return
        for name, part in sorted(_state(value).items()):
            self._text(name)
            self.add(part)

    def _each(self, values: Any) -> None:
        for number, value in enumerate(values):
            self._text(f"\n{number}:")
            self.add(value)


def _state(value: object) -> dict[str, object]:
    """The attributes in an object's slots and `__dict__`, read without a call of its methods."""
    slots = [name for part in type(value).__mro__ for name in _words(vars(part).get("__slots__", ()))]
    found = {}
    for name in slots:
        with contextlib.suppress(AttributeError):
            found[name] = object.__getattribute__(value, name)
    with contextlib.suppress(AttributeError):
        found |= object.__getattribute__(value, "__dict__")
    found.pop("__dict__", None)
    return found


def _words(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except Exception:  # noqa: BLE001  # OSError, TypeError, and errors of the tokenizer
        return ""


def _globals_named(code: CodeType) -> set[str]:
    """The names of the globals that a function reads, also those of functions within it."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    return found.union(*(_globals_named(part) for part in inner))


def _is_own(value: Any) -> bool:
    """Whether a function, class or module is the user's own, and not from an installed package or from
    Python itself.
    """
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or "builtins"
    if name == "__main__" or (name == "builtins" and isinstance(value, FunctionType)):
        return True  # from a script, from a notebook (its file may be Jupyter's), or made by exec
    if isinstance(value, BuiltinFunctionType) or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return not any(part in Path(file).parts for part in _INSTALLED)
