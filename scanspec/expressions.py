"""Parses expressions in a scan file: arithmetic on names, and nothing else. Nothing is computed here."""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Collection, Mapping

from scanspec.document import closest, to_number
from scanspec.lookalike import odd_sign

FUNCTIONS = frozenset(
    {
        *("sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "hypot", "erf", "erfc"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
        *("fabs", "floor", "ceil", "trunc", "fmod", "copysign", "degrees", "radians", "gamma", "lgamma"),
        *("isnan", "isinf", "isfinite", "abs", "min", "max", "sum", "int", "float", "round", "factorial"),
    }
)
CONSTANTS = frozenset({"pi", "tau", "e", "inf", "nan", "True", "False"})
OPERATORS: tuple[type[ast.AST], ...] = (
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Pow,
    ast.USub,
    ast.UAdd,
    ast.Not,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.BitAnd,
    ast.BitOr,
    ast.Invert,
)
_SYNTAX = (
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant, ast.Subscript),
    *(ast.And, ast.Or, ast.Load),
    *OPERATORS,
)
_LONGEST = 2000  # characters
_NONE: Mapping[str, str] = {}


class ExpressionError(ValueError):
    """A text is not an expression, or uses a name that it cannot use."""


def parse(text: str, known: Collection[str], variables: int, others: Mapping[str, str] = _NONE) -> ast.expr:
    """The syntax tree of an expression that contains only what is allowed. Raises ExpressionError.

    `known` are the names that the expression may use, besides `VARIABLE[i]` with i below `variables`. `others` are the
    file's other names, with the reason why the expression cannot use them.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(f"{text[:60]!r} ... is longer than {_LONGEST:,} characters")
    if _PLACEHOLDER.fullmatch(text.strip()):
        raise ExpressionError(f"{text!r:.200} is not an expression; write what is between the signs alone, as in 2*x")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of "3(x)"; the error below explains it
            tree: ast.expr = _Plain().visit(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        why = _why_not(text, known)
        raise ExpressionError(f"{text!r:.200} is not an expression that can be read{why}") from None
    fault = _fault(tree, known, variables, others)
    if fault:
        what = fault.removeprefix(f"uses {text.strip()!r}, which ")  # 'A0' is not a variable
        raise ExpressionError(f"{text!r:.200} {what}{_unusable_names(text, known)}")
    if unusable := _unusable_names(text, known):  # x-y where x, y and x-y are names
        raise ExpressionError(f"{text!r:.200} can be read in two ways{unusable}")
    return tree


def _fault(tree: ast.AST, known: Collection[str], variables: int, others: Mapping[str, str]) -> str:
    """What is wrong with an expression; empty if nothing is."""
    handled: set[int] = set()  # names of functions and VARIABLE, checked with their arguments
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                handled.add(id(node.func))
                if name not in FUNCTIONS:
                    natural = "; write log for the natural logarithm" if name == "ln" else ""
                    return f"uses {name!r}, an unknown function{natural or closest(name, FUNCTIONS)}"
                if node.keywords:
                    return f"calls {name} with a named argument; write the arguments in order"
            case ast.Subscript(value=ast.Name(id="VARIABLE"), slice=ast.Constant(value=int(index))):
                handled.add(id(node.value))
                if not 0 <= index < variables:
                    return f"uses VARIABLE[{index}], but there are {variables} variables, counted from 0"
            case ast.List() | ast.Tuple():
                return "may hold numbers, and a list only as the one argument of min, max or sum"
            case ast.Call(func=ast.Attribute(attr=name)):
                return f"calls {ast.unparse(node.func)}; write {name}(...) alone"
            case ast.Attribute():
                return "has a point behind a name; names have none, and a product is written with *"
            case ast.Call() | ast.Subscript():
                return "may call functions by their names and index VARIABLE by a number, nothing else"
            case ast.Constant() if not isinstance(node.value, (int, float)):
                return "may hold numbers only"
            case ast.Constant(value=float(number)) if math.isinf(number):
                return "has a number that is too large"
            case ast.BinOp(op=ast.BitXor()):
                return "uses ^; write ** for a power"
            case ast.BinOp(op=ast.MatMult() | ast.LShift() | ast.RShift()):
                return "uses an operator that is not for numbers"
            case ast.Name(id=name) if id(node) not in handled and name not in known and name not in CONSTANTS:
                if name in others:
                    return f"uses {name!r}, which {others[name]}"
                what = "is not a variable, derived variable or earlier observable"
                sign = odd_sign(name)
                return f"uses {name!r}, which {what}{f': {sign}' if sign else closest(name, known)}"
            case _ if not isinstance(node, _SYNTAX):
                return "holds more than numbers, names, operators and calls of functions"
    return ""


def _unusable_names(text: str, known: Collection[str]) -> str:
    """A hint about a name in the text that no expression can contain, such as x^2; empty if there is none."""
    unusable = [
        name
        for name in known
        if name in text and _is_unusable(name) and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
    ]
    return (
        f"; the name {unusable[0]!r} cannot stand in an expression: rename it, or use VARIABLE[i]" if unusable else ""
    )


def _is_unusable(name: str) -> bool:
    return keyword.iskeyword(name) or (not name.isidentifier() and to_number(name) is None)


def _why_not(text: str, known: Collection[str]) -> str:
    """Why a text cannot be parsed and what to write instead; empty if no reason is known."""
    if not text.strip():
        return ": it is empty"
    words = re.findall(r"[^\W\d]\w*", text)
    reserved = [word for word in words if keyword.iskeyword(word) and word not in _WORDS_OF_EXPRESSIONS]
    if reserved:
        return f": {reserved[0]} is a word of Python, and no name in an expression; rename it, or use VARIABLE[i]"
    if unusable := _unusable_names(text, known):
        return unusable
    if fortran := re.search(r"(?<![\w.])(\d+\.?\d*|\.\d+)[dD]([+-]?\d+)(?!\w)", text):
        return f": write {fortran[1]}e{fortran[2]} for {fortran[0]}"
    if sign := odd_sign(text):
        return f": {sign}"
    if text.count("(") != text.count(")"):
        return ": ( and ) do not match"
    for pattern, remedy in _HABITS:
        if re.search(pattern, text):
            return f": {remedy}"
    if re.search(r"\d\s*[^\W\d]|\)\s*\(|\)\s*\w", text) and not re.search(r"\d[eE]\d", text):
        return ": is a * missing between two factors?"
    return ""


_PLACEHOLDER = re.compile(r"\{\{.*\}\}|\$?\{[^{}:,]*\}|\$\w+\$?|@\w+@|%\w+%|<\w+>|\[+\w+\]+")
"""How the templates of other programs write a variable."""

_HABITS = (
    (r"\|[^|]*\|", "write abs(x) for |x|"),
    (r"(?<![\w.])0\d", "a number does not begin with 0"),
    (r"\w!(?!=)", "write factorial(n) for n!"),
    (rf"\b(?:{'|'.join(sorted(FUNCTIONS))})\s+[\w.]", "a function needs brackets around its argument: sqrt(x)"),
    (r"(?<![<>=!:])=(?!=)|:=|;", "it is one value, without = and ; (== compares two)"),
    (r"\bif\b(?!.*\belse\b)", "if needs an else: a if x > 0 else b"),
    (r"[^\W\d]\w*\s+[^\W\d]", "is an operator missing between two names?"),
)
"""What people write by habit, and what to write instead."""

_WORDS_OF_EXPRESSIONS = {"and", "or", "not", "if", "else", "True", "False"}


class _Plain(ast.NodeTransformer):
    """Rewrites math.sqrt(x) as sqrt(x), and max([x, y]) as max(x, y)."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "math":
            return ast.copy_location(ast.Name(node.attr, ast.Load()), node)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in ("min", "max", "sum") and len(node.args) == 1:
            only = node.args[0]
            if isinstance(only, (ast.List, ast.Tuple)):
                node.args = only.elts
        return self.generic_visit(node)
