"""The variables and observables of a Python function, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from proposer.commands.drafting.draft import Draft, around, refuse_unknown
from scanspec import UsageError


def from_function(folder: Path, draft: Draft) -> None:
    """Finds the variables and observables of a function in its source file in the scan file's folder. Raises
    UsageError, also if the draft has a variable or an observable that the source does not have.

    The variables are its arguments, or the names that it reads from its point; a function with one argument always gets
    the point. The observables are the keys of the mapping that it returns.
    """
    module, _, name = draft.function.partition(":")
    source = folder / f"{module.replace('.', '/')}.py"
    try:
        tree = ast.parse(source.read_bytes())  # its first lines may name another encoding than UTF-8
    except (OSError, SyntaxError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{source}: cannot be read ({why})", next_step="put the module into the scan file's folder"
        ) from None
    functions = [found for found in tree.body if isinstance(found, ast.FunctionDef) and found.name == name]
    if not functions:
        raise UsageError(f"{source} has no function {name!r}", next_step="name a function as module:function")
    function = functions[0]
    arguments = _arguments(function)
    only = _only_argument(function)
    asked = _asked_of(function, point) if (point := only or _point_of(arguments)) else []
    others = bool(draft.variables) and point not in draft.variables and not _is_computed_with(function, point)
    if only or (point and (asked or point == "point" or others)):
        arguments = dict.fromkeys(asked)
        known = asked if _shows_all(function, point) else None
    else:
        known = None if function.args.kwarg else [argument.arg for argument in _all_arguments(function)]
    for name, default in arguments.items():
        if name not in draft.variables:
            draft.variables[name] = around(default)
            draft.guessed.add(name)
    found, is_all = _returned(function)
    for key in found:
        draft.observables.setdefault(key, None)
    draft.known_variables = known
    draft.known_observables = found if is_all else None
    for variable in draft.variables:
        refuse_unknown(variable, draft.known_variables, "variable")
    for observable in draft.observables:
        refuse_unknown(observable, draft.known_observables, "observable")


def _arguments(function: ast.FunctionDef) -> dict[str, float | None]:
    """The arguments of a function that can be variables, with their defaults (None if there is no default)."""
    named = [*function.args.posonlyargs, *function.args.args]
    missing: list[ast.expr | None] = [None] * (len(named) - len(function.args.defaults))
    defaults = [*missing, *function.args.defaults, *function.args.kw_defaults]
    found: dict[str, float | None] = {}
    for argument, default in zip([*named, *function.args.kwonlyargs], defaults, strict=True):
        value = None if default is None else _literal(default)
        if default is None or value is not None:
            found[argument.arg] = value
    return found


def _all_arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _only_argument(function: ast.FunctionDef) -> str:
    """The name of the only argument, which gets the point (see scanspec.arguments); empty for other functions."""
    named = [*function.args.posonlyargs, *function.args.args]
    return named[0].arg if len(named) == 1 and not function.args.kwonlyargs else ""


def _point_of(arguments: Mapping[str, float | None]) -> str:
    """The only argument without a default, which may get the point; empty if there are none or several."""
    needed = [name for name, default in arguments.items() if default is None]
    return needed[0] if len(needed) == 1 else ""


def _literal(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _asked_of(function: ast.FunctionDef, point: str) -> list[str]:
    """The names that a function reads from its point."""
    keys = [key.value for node in ast.walk(function) if (key := _key_read(node, point)) is not None]
    return list(dict.fromkeys(key for key in keys if isinstance(key, str)))


def _key_read(node: ast.AST, point: str) -> ast.Constant | None:
    """The constant key of `point["key"]`; None for other nodes."""
    if isinstance(node, ast.Subscript) and _is(node.value, point) and isinstance(node.slice, ast.Constant):
        return node.slice
    return None


def _shows_all(function: ast.FunctionDef, point: str) -> bool:
    """Whether a function uses its point only to read constant names, so that the source shows all its variables."""
    shown = uses = 0
    for node in ast.walk(function):
        uses += isinstance(node, ast.Name) and node.id == point
        shown += _key_read(node, point) is not None
        shown += isinstance(node, ast.Attribute) and _is(node.value, point) and not hasattr(dict, node.attr)
    return 0 < shown == uses


def _is_computed_with(function: ast.FunctionDef, argument: str) -> bool:
    """Whether an argument is an operand of arithmetic, so that it is a number and not a point."""
    operations = [node for node in ast.walk(function) if isinstance(node, ast.BinOp)]
    return any(_is(node.left, argument) or _is(node.right, argument) for node in operations)


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _returned(function: ast.FunctionDef) -> tuple[list[str], bool]:
    """The keys of the mappings that a function returns, as far as its source shows them, and whether these are all."""
    found: list[object] = []
    is_all = True
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return) else None
        if isinstance(value, ast.Dict):
            found += [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
        elif isinstance(value, ast.Call) and _is(value.func, "dict"):
            found += [keyword.arg for keyword in value.keywords] + [None] * len(value.args)
        elif value is not None:
            is_all = is_all and isinstance(value, ast.Constant) and value.value is None
    keys = list(dict.fromkeys(key for key in found if isinstance(key, str)))
    return keys, is_all and bool(keys) and None not in found
