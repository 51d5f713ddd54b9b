"""Translates BSMArt's section `Plotting`: words in any case, and BSMArt's names of the NLL."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec.bsmart.spellings import PLOT, PLOTTING
from scanspec.bsmart.translator import Translator
from scanspec.document import every_key

_OF_NLL = ("Result", "RESULT", "RESULT[0]")
"""The names of the NLL in BSMArt's tables."""


def translate_plotting(translator: Translator, content: Any, path: str, document: CommentedMap) -> Any:
    """Translates the section `plotting`. `document` is the whole file: a name of the NLL that it uses otherwise is
    kept.
    """
    nll = [name for name in _OF_NLL if name not in every_key(document)]

    def lower(value: Any, _where: str) -> Any:
        if isinstance(value, list):
            return CommentedSeq([lower(part, _where) for part in value])
        return value.lower() if isinstance(value, str) else value

    def values(value: Any, where: str) -> Any:
        if not isinstance(value, list):
            return value
        found = CommentedSeq("NLL" if name in nll else name for name in value)
        if found != value:
            translator.say(f"{where}: the NLL is now NLL")
        return found

    def one(value: Any, where: str) -> Any:
        return translator.mapping(value, PLOT, where, {"values": values, "scaling": lower})

    def strategy(value: Any, where: str) -> Any:
        word = lower(value, where)
        return "valid" if word == "slha" else word

    return translator.mapping(content, PLOTTING, path, {"strategy": strategy, "plots": translator.entries(one)})
