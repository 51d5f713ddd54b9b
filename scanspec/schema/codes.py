"""JSON Schema of a code."""

from __future__ import annotations

import keyword

from scanspec import keys
from scanspec.codes import LONGEST_TIMEOUT, UNITS
from scanspec.schema.values import (
    BOOLEAN,
    COUNT,
    EXPRESSION,
    FILE,
    FINITE,
    NO,
    NULL,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    both,
    either,
    has,
    holds,
    ignore_case,
    lacks,
    list_of,
    named,
    number,
    pattern,
    ref,
    section,
    when,
    words,
)
from scanspec.tools import BUILT_IN, PROFILES, WAYS

EXIT_CODES = list_of(number(1 - 2**31, 2**31 - 1, whole=True), 1) | {"description": "a list of whole numbers"}
OWN_KIND: Schema = {"propertyNames": {"enum": [*keys.CODE.known]}}
"""A code without a key of a kind that another package defines."""
SECONDS = number(0, LONGEST_TIMEOUT, above=True)
NOT_NEGATIVE = number(0, whole=True)
OFF = holds("run", NO)

_WORD = rf"(?!({'|'.join(keyword.kwlist)})(\.|:|$))[^\W\d]\w*"
FUNCTION = pattern(rf"{_WORD}(\.{_WORD})*:{_WORD}", "module:name, for example my_physics:observables")
_UNITS = "|".join(map(ignore_case, UNITS))
MEMORY = pattern(
    rf"\s*(?=[0.]*[1-9])([0-9]+\.?[0-9]*|\.[0-9]+)\s*({_UNITS})\s*", "a number with its unit, for example 8 GB"
)
PROFILE = words((*PROFILES, "2HDM", "THDMC", "none"), any_case=True)


def codes(one: Schema) -> Schema:
    """The section `codes`: a code, of the schema `one`, has exactly one key that says how it runs, unless its name says
    so.
    """
    kind = ref("own_kind")
    ways = [both(has(way), lacks(*(other for other in WAYS if other != way)), kind) for way in WAYS]
    foreign = both(lacks(*WAYS), {"not": kind})
    tool = both(lacks(*WAYS), kind)
    plain = when(OFF, {"type": "object"}, both(one, either(*ways, foreign)))
    of_a_tool = either(NULL, when(OFF, {"type": "object"}, both(one, either(*ways, tool))))
    found = named(plain) | {"properties": dict.fromkeys(BUILT_IN, of_a_tool), "minProperties": 1}
    return found | {"not": {"additionalProperties": OFF, "properties": dict.fromkeys(BUILT_IN, OFF)}}


def code(observable: Schema, address: Schema) -> Schema:
    """A code of any kind."""
    found = section(
        keys.CODE,
        {
            "run": BOOLEAN,
            "observables": named(either(observable, NULL), keys.RESERVED_COLUMNS),
            "conditions": either(EXPRESSION, list_of(EXPRESSION), description="expressions that must hold"),
            "timeout": SECONDS,
            "first_timeout": SECONDS,
            "description": TEXT,
            "data": TEXTS,
            "cores": COUNT,
            "memory": MEMORY,
            "function": FUNCTION,
            "command": {"type": ["string", "number", "boolean"], "pattern": r"\S", "description": "a command"},
            "flavio": section(
                keys.FLAVIO,
                {
                    "eft": TEXT,
                    "basis": TEXT,
                    "scale": number(0, above=True),
                    "coefficients": {"type": "object"},
                    "wcxf": TEXT,
                },
            ),
            "umbridge": section(
                keys.UMBRIDGE,
                {
                    "address": TEXT,
                    "model": TEXT,
                    "inputs": TEXTS,
                    "outputs": TEXTS,
                    "config": {"type": "object"},
                },
                [has("address", "model", "outputs")],
            ),
            "profile": PROFILE,
            "input_file": FILE,
            "input_name": FILE,
            "output_file": FILE,
            "append": BOOLEAN,
            "success": section(
                keys.SUCCESS,
                {"exit_codes": either(EXIT_CODES, words(["any"], any_case=True)), "blocks": TEXTS},
            ),
            "invalid_when": section(keys.INVALID_WHEN, {"exit_codes": EXIT_CODES, "stderr": TEXT, "spinfo": BOOLEAN}),
            "flags": named(address),
            "options": TEXT,
            "neutral_higgs": NOT_NEGATIVE,
            "charged_higgs": NOT_NEGATIVE,
            "lsp": either(WHOLE, list_of(WHOLE), description="PDG numbers"),
            "cross_sections": BOOLEAN,
            **dict.fromkeys(keys.OF_TOYS, FINITE),
            "easom_center": list_of(NUMBER, 2, 2) | {"description": "[x, y]"},
        },
    )
    return found | {"additionalProperties": {"type": "object"}, "properties": found["properties"]}
