"""JSON Schemas of single values, and the words in which sections are put together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scanspec.bsmart.translator import FALSE, TRUE
from scanspec.document import LARGEST_WHOLE, LONGEST_NAME, describe_range
from scanspec.keys import MAY_BE_EMPTY, Keys
from scanspec.schema.meanings import meanings

Schema = dict[str, Any]

LARGEST_NUMBER = 1.7976931348623157e308

_DIGITS = r"([0-9]+\.?[0-9]*|\.[0-9]+)([eEdD][+-]?[0-9]+)?"
_INFINITE = r"\.?[iI][nN][fF]([iI][nN][iI][tT][yY]|[tT][yY])?"

NULL: Schema = {"type": "null"}
TEXT: Schema = {"type": ["string", "number", "boolean"], "description": "text"}
EXPRESSION: Schema = {"anyOf": [{"type": ["number", "boolean"]}, {"type": "string", "pattern": r"\S"}]}
EXPRESSION["description"] = "an expression"
FILE: Schema = {
    "type": ["string", "number", "boolean"],
    "pattern": "^[^\\x00-\\x1f]*$",
    "not": {"type": "string", "pattern": "[^/]{256}"},
    "description": "the name of a file",
}


def number(
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    finite: bool = False,
    whole: bool = False,
) -> Schema:
    """A number from `low` (excluded if `above`) to `high` (excluded if `below`). A text may hold it, such as 1e5 for
    many readers of YAML.

    In texts only the sign is checked, because JSON Schema does not compare their numbers.
    """
    if finite or whole:
        largest = LARGEST_WHOLE if whole else LARGEST_NUMBER
        low, high = max(low, -largest), min(high, largest)
    bounds: Schema = {} if math.isinf(low) else {"exclusiveMinimum" if above else "minimum": low}
    bounds |= {} if math.isinf(high) else {"exclusiveMaximum" if below else "maximum": high}
    positive = low > 0 or (low == 0 and above)
    sign = r"\+?(?=[0.]*[1-9])" if positive else r"\+?" if low == 0 else "[+-]?"
    digits = _DIGITS if finite or whole or not math.isinf(high) else f"({_DIGITS}|{_INFINITE})"
    sign = sign.replace("(?=", f"(?={_INFINITE}|") if digits != _DIGITS else sign
    text = {"type": "string", "pattern": rf"^\s*{sign}{digits}\s*$"}
    return {"anyOf": [{"type": "integer" if whole else "number", **bounds}, text]} | {
        "description": _words_for(low, high, above, whole)
    }


def _words_for(low: float, high: float, above: bool, whole: bool) -> str:
    what = "a whole number" if whole else "a number"
    low, high = (-math.inf if low <= -LARGEST_WHOLE else low), (math.inf if high >= LARGEST_WHOLE else high)
    if math.isinf(low):
        return what if math.isinf(high) else f"{what}, at most {high:g}"
    return f"{what}, {describe_range(low, high, above)}"


DEFINED: Schema = {
    "number": number(),
    "finite": number(finite=True),
    "positive": number(0, above=True, finite=True),
    "whole": number(whole=True),
    "count": number(1, LARGEST_WHOLE, whole=True),
}
"""Schemas that occur often. The others refer to them by `ref`."""


def ref(name: str) -> Schema:
    """The schema of this name in the definitions of the file."""
    return {"$ref": f"#/$defs/{name}"}


NUMBER, FINITE, ABOVE_0, WHOLE, COUNT = (ref(name) | {"description": DEFINED[name]["description"]} for name in DEFINED)


def list_of(item: Schema, least: int = 0, most: int | None = None, **more: Any) -> Schema:
    """A list of `least` to `most` items; `more` are other keywords of lists."""
    length = {"minItems": least} | ({} if most is None else {"maxItems": most})
    return {"type": "array", "items": item, **length, **more}


def either(*some: Schema, description: str = "") -> Schema:
    """A value of one of these schemas."""
    return {"anyOf": list(some)} | ({"description": description} if description else {})


TEXTS = either(TEXT, list_of(TEXT), description="a text, or a list of texts")


def words(allowed: Iterable[str], *, any_case: bool = False) -> Schema:
    """One of these words."""
    allowed = list(allowed)
    if not any_case:
        return {"enum": allowed, "description": " or ".join(allowed)}
    return {
        "type": "string",
        "pattern": f"^({'|'.join(map(ignore_case, allowed))})$",
        "examples": allowed,
        "description": " or ".join(allowed),
    }


def truth(*words_: str) -> Schema:
    """A boolean that means one of these words, as one of the forms that lodescan reads."""
    text = {"type": "string", "pattern": rf"^\s*({'|'.join(map(ignore_case, words_))})\s*$"}
    numbers = [int(word) for word in words_ if word.isdigit()]
    booleans = [word == "true" for word in words_ if word in ("true", "false")]
    return {"anyOf": [{"enum": booleans}, {"enum": numbers}, text]}


def ignore_case(word: str) -> str:
    """A regular expression for the word in any case. JSON Schema has no flag for this."""
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c if c == "-" else re.escape(c) for c in word)


YES, NO = truth(*TRUE), truth(*FALSE)
BOOLEAN = truth(*TRUE, *FALSE) | {"description": "true or false"}


def pattern(expression: str, description: str) -> Schema:
    """A text that matches a regular expression as a whole."""
    return {"type": "string", "pattern": f"^({expression})$", "description": description}


def section(known: Keys, values: Mapping[str, Schema], rules: Sequence[Schema] = ()) -> Schema:
    """A section with the keys `known`, each with its schema, and with rules for several keys together."""
    meaning = meanings(known)
    properties = {}
    for key in known.known:
        value = either(values[key], NULL) if key in MAY_BE_EMPTY else values[key]
        allowed = values[key].get("description", "")
        properties[key] = value | {"description": meaning[key] + (f" Value: {allowed}." if allowed else "")}
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"allOf": list(rules)} if rules else {})


def named(entry: Schema, reserved: Sequence[str] = ()) -> Schema:
    """A section whose keys are the user's own names, none of which may be `reserved` in any case."""
    names: Schema = {"maxLength": LONGEST_NAME, "pattern": r"^\S(.*\S)?$"}
    if reserved:
        names["not"] = {"pattern": f"^({'|'.join(map(ignore_case, reserved))})$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": entry}


def has(*keys: str) -> Schema:
    """The section has all these keys."""
    return {"required": list(keys)}


def lacks(*keys: str) -> Schema:
    """The section has none of these keys."""
    return {"not": {"anyOf": [has(key) for key in keys]}}


def both(*some: Schema) -> Schema:
    """All of these conditions hold."""
    return {"allOf": list(some)}


def holds(key: str, value: Schema) -> Schema:
    """The section has the key, and its value is of this schema."""
    return {"properties": {key: value}, "required": [key]}


def when(condition: Schema, then: Schema, otherwise: Schema | None = None) -> Schema:
    """A rule that holds under a condition."""
    return {"if": condition, "then": then} | ({} if otherwise is None else {"else": otherwise})


def only(*keys: str) -> Schema:
    """The section has no other keys than these."""
    return {"propertyNames": {"enum": list(keys)}}


def some_entry(of: Schema) -> Schema:
    """At least one entry of the section is of this schema."""
    return {"type": "object", "not": {"additionalProperties": {"not": of}}}
