"""JSON Schemas of the places of a value in a spectrum: `[BLOCK, [indices]]`."""

from __future__ import annotations

from scanspec.observables import OF_ANALYSES
from scanspec.schema.values import (
    ABOVE_0,
    TEXT,
    WHOLE,
    Schema,
    both,
    either,
    ignore_case,
    list_of,
    when,
)

INDICES = list_of(WHOLE)
TABLES = ("WIDTH", "WIDTH1L", "BR", "BR1L", "XSECTION", *OF_ANALYSES)
"""Blocks whose entries have other words than indices."""


def address() -> Schema:
    """An entry of a block, a width, a branching ratio, a cross section, or a value of HackAnalysis."""
    plain = either(_words(WHOLE, least=1), _words(INDICES, least=2, most=2))
    rules = [
        when(_block("WIDTH", "WIDTH1L"), either(_words(WHOLE, least=2, most=2), _within(WHOLE, least=1, most=1))),
        when(_block("BR", "BR1L"), _branching_ratio()),
        when(_block("XSECTION"), either(*_row([ABOVE_0], WHOLE, least=4))),
        *(when(_block(block), either(*_row([], TEXT, least=n, most=n))) for block, n in OF_ANALYSES.items()),
    ]
    others = {"not": _block(*TABLES)}
    no_table = {"not": _block("DECAY", "DECAY1L")}
    found: Schema = {"type": "array", "minItems": 1, "prefixItems": [TEXT]}
    found["allOf"] = [no_table, when(others, plain), *rules]
    return found | {"description": "[BLOCK, [indices]], for example [MASS, [25]], [WIDTH, 25] or [BR, [25, [5, -5]]]"}


def of_block(*names: str) -> Schema:
    """An address in one of these blocks."""
    return both({"type": "array", "minItems": 1}, _block(*names))


def _block(*names: str) -> Schema:
    name = {"type": "string", "pattern": f"^({'|'.join(map(ignore_case, names))})$"}
    return {"prefixItems": [name]}


def _words(item: Schema, *, least: int, most: int | None = None) -> Schema:
    """The list [BLOCK, item, ...] with that many words, BLOCK included."""
    return {"minItems": least, "prefixItems": [TEXT], "items": item} | ({} if most is None else {"maxItems": most})


def _within(item: Schema, *, least: int, most: int | None = None) -> Schema:
    """The list [BLOCK, [item, ...]] with that many items."""
    return _words(list_of(item, least, most), least=2, most=2)


def _row(first: list[Schema], item: Schema, *, least: int, most: int | None = None) -> tuple[Schema, Schema]:
    """The words after BLOCK, beside it or in a list of their own: the `first`, then any number of items."""
    length = {"minItems": least} | ({} if most is None else {"maxItems": most})
    prefix = {"prefixItems": first} if first else {}
    inner = {"type": "array", **prefix, "items": item, **length}
    beside = {"minItems": least + 1, "prefixItems": [TEXT, *first], "items": item}
    beside |= {} if most is None else {"maxItems": most + 1}
    return _words(inner, least=2, most=2), beside


def _branching_ratio() -> Schema:
    """[BR, decaying particle, products]; the two or more products may stand in a list."""
    several = list_of(WHOLE, 2)
    products = {"type": "array", "prefixItems": [WHOLE, several], "minItems": 2, "maxItems": 2}
    beside = {"prefixItems": [TEXT, WHOLE, several], "minItems": 3, "maxItems": 3}
    return either(_words(WHOLE, least=4), _within(WHOLE, least=3), _words(products, least=2, most=2), beside)
