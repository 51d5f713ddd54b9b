"""Parses the text of a scan file (YAML or JSON), and explains errors of syntax."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from scanspec.faults import NoScanFile, ScanFileError
from scanspec.files import read_start, read_text
from scanspec.foreign import what_bytes_are, what_it_is
from scanspec.lookalike import odd_sign
from scanspec.numbers import to_number
from scanspec.yaml_events import check_events

LARGEST = 1 << 20
"""The most bytes of a scan file; a megabyte of YAML may take seconds to read."""


def read_document(path: Path) -> tuple[CommentedMap, str]:
    """The content of a YAML or JSON file, and its text.

    Raises ScanFileError if the file cannot be read, is not valid, or is not a mapping of sections.
    """
    try:
        start = read_start(path, 16)
        if foreign := what_bytes_are(start):
            raise ScanFileError(f"{path}: {foreign}")
        text = read_text(path, LARGEST)
    except ScanFileError:
        raise
    except UnicodeDecodeError as error:
        why = f"{error.reason} at byte {error.start}"
        raise ScanFileError(f"{path}: is not UTF-8 text ({why}); save it as UTF-8") from error
    except (OSError, ValueError) as error:
        kind = NoScanFile if isinstance(error, OSError) else ScanFileError
        raise kind(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return parse_document(path, text), text


def parse_document(path: Path, text: str) -> CommentedMap:
    """The content of a text in YAML or JSON; `path` tells which, and is named in errors. Raises ScanFileError."""
    try:
        content = _load(path, text)
    except ScanFileError:
        if foreign := what_it_is(path, text):
            raise ScanFileError(f"{path}: {foreign}") from None
        raise
    if foreign := what_it_is(path, text, content):
        raise ScanFileError(f"{path}: {foreign}")
    if not isinstance(content, CommentedMap):
        raise ScanFileError(f"{path}: must be a mapping of sections (setup, variables, codes ...)")
    return content


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


_PAIR = re.compile(r"\\\\|\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def _join(pair: re.Match[str]) -> str:
    if pair[1] is None:  # a backslash
        return pair[0]
    return f"\\U{0x10000 + ((int(pair[1], 16) & 0x3FF) << 10) + (int(pair[2], 16) & 0x3FF):08x}"


_VERSION = re.compile(r"(?:(?:[ \t]*#.*|%(?!YAML).*|[ \t]*)\n)*%YAML[ \t]+(\S+)")


def _load(path: Path, text: str) -> Any:
    if text.count("\0") > len(text) // 4:
        raise ScanFileError(f"{path}: is text in UTF-16; save it as UTF-8")
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ScanFileError(f"{path}, line {line}: the control character {found[0]!r} stands here; remove it", line)
    if (version := _VERSION.match(text)) and version[1] != "1.2":
        line = version[0].count("\n") + 1
        why = "a scan file is YAML 1.2, which reads yes and 010 otherwise; remove the line with %"
        raise ScanFileError(f"{path}, line {line}: {why}", line)
    source = text
    if path.suffix.lower() == ".json":
        _check_json(path, text)
        source = text.replace("\t", " ")  # JSON may indent by tabs, YAML may not; strings cannot hold a raw tab
        source = _PAIR.sub(_join, source)  # JSON escapes a rare character as two halves, YAML as one
    try:
        check_events(path, _yaml().parse(source))
        return _yaml().load(source)
    except ScanFileError:
        raise
    except MarkedYAMLError as error:
        begun = error.context_mark is not None and "could not find expected ':'" in (error.problem or "")
        mark = error.context_mark if begun else error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        where = f", line {line}" if line else ""
        raise ScanFileError(f"{path}{where}: {_explain(error, source)}", line) from None
    except YAMLError as error:
        words = " ".join(str(error).split())
        raise ScanFileError(f"{path}: is not valid YAML ({words:.200})") from None
    except RecursionError:
        raise ScanFileError(f"{path}: nested too deeply") from None
    except (ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:  # ruamel's, without a line
        raise ScanFileError(f"{path}: is not valid YAML ({error!r:.200})") from None


class _Constructor(RoundTripConstructor):
    """Reads numbers as everywhere else in lodescan. Other words, such as 1_0, 0x1F or dates, stay texts, and so do
    keys: the name 1e3 is not 1000.0. A number keeps its digits in `written`, in case a text is needed, such as the run
    name 1.10.
    """

    # as in RoundTripConstructor, against BaseConstructor
    def construct_mapping(self, node: Any, maptyp: Any, deep: bool = False) -> Any:  # type: ignore[override]
        for key, _ in node.value:
            if isinstance(key, ScalarNode) and key.tag in _READ_AS_TEXT:
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, maptyp, deep=deep)

    def construct_yaml_int(self, node: Any) -> Any:
        return _as_written(super().construct_yaml_int(node), node) if _is_plain(node.value) else node.value

    def construct_yaml_float(self, node: Any) -> Any:
        special = node.value.lower().lstrip("+-") in (".inf", ".nan")
        if not special and not _is_plain(node.value):
            return node.value
        return _as_written(super().construct_yaml_float(node), node)

    def construct_yaml_timestamp(self, node: Any, values: Any = None) -> Any:
        return node.value


_READ_AS_TEXT = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "timestamp"))


def _as_written(number: Any, node: Any) -> Any:
    if isinstance(number, (ScalarFloat, ScalarInt)):
        number.written = node.value  # type: ignore[union-attr]
    return number


def _is_plain(text: str) -> bool:
    return len(text) < 400 and to_number(text) is not None


for _tag, _construct in (
    ("int", _Constructor.construct_yaml_int),
    ("float", _Constructor.construct_yaml_float),
    ("timestamp", _Constructor.construct_yaml_timestamp),
):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_tag}", _construct)


def _yaml() -> Any:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    return yaml


def _explain(error: MarkedYAMLError, source: str) -> str:
    """Explains an error to a user who does not know YAML."""
    problem = f"{(error.problem or error.context or 'not valid YAML').splitlines()[0]:.300}"
    mark = error.problem_mark or error.context_mark
    begun = error.context_mark.line + 1 if error.context_mark is not None else 0
    lines = source.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if twice := re.match(r'found duplicate key "(.*?)" with value', problem):
        return f"{twice[1]!r} is there twice, a duplicate key; keep one"
    if "unknown escape character" in problem:
        letter = mark.buffer[mark.pointer] if mark is not None and getattr(mark, "buffer", None) else ""
        return (
            f"in double quotes a backslash begins an escape, and \\{letter} is not one; write the text in single "
            r"quotes, for example '$\lambda$'"
        )
    suspect = lines[begun - 1] if begun and "could not find expected ':'" in problem else line
    if sign := odd_sign(re.sub(r"(?:^|\s)#.*", "", suspect), "\"',:"):
        return sign
    if "'\\t'" in problem or re.match(r"[ ]*\t", line):
        return "a tab indents this line or stands before a value; YAML takes blanks only"
    if "<block mapping start>" in problem or "<block sequence start>" in problem or "'<block end>'" in problem:
        return "the indentation is wrong: this line begins in another column than the lines of its section" + (
            f", which begins in line {begun}" if begun else ""
        )
    if "mapping values are not allowed" in problem:
        return (
            "a colon stands where no key can be: the line is indented too far, the line before it is not complete, "
            "or a text with a colon needs quotes"
        )
    if re.search(r"""[\w"'\]]:[\[{"'\d-]""", line):
        return "a blank is missing behind a colon: write `name: value`"
    if "expected ',' or" in problem:
        return f"a comma is missing, or the bracket that opens in line {begun} is not closed"
    if "expected the node content" in problem or "expected ' '" in problem:
        return "a value is missing here, or it begins with #, !, - or another sign of YAML and needs quotes"
    if "could not find expected ':'" in problem:
        return "a line without a colon: a key needs one (name: value)"
    if "expected <block end>" in problem or "did not find expected" in problem:
        return "the line does not go on with what stands before it: check colons, indentation, quotes and brackets"
    if "<document start>" in problem:
        return "the text goes on behind the end of the sections; every line is `name: value`, indented in its section"
    if "found unexpected end of stream" in problem:
        return f"a quote that opens in line {begun} is not closed"
    if "cannot start any token" in problem:
        return f"{problem}; a text that begins with it needs quotes"
    if "single document" in (error.context or "") or "another document" in problem:
        return "--- begins a second document; a scan file is one"
    if "found undefined alias" in problem or "alias" in (error.context or ""):
        return f"{problem}; a text that begins with * or & needs quotes"
    return problem


def _check_json(path: Path, text: str) -> None:
    def refuse(constant: str) -> float:
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)  # strings hold no raw line breaks, so lines stay
        line = outside[: outside.index(constant)].count("\n") + 1
        raise ScanFileError(
            f"{path}, line {line}: {constant} is not JSON; infinities are written as strings, NaN has no meaning", line
        )

    try:
        json.loads(text, parse_constant=refuse, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        where = f"{path}, line {error.lineno}"
        raise ScanFileError(f"{where}: not valid JSON ({_explain_json(text, error)})", error.lineno) from None
    except RecursionError:
        raise ScanFileError(f"{path}: nested too deeply") from None


_OF_JSON = {
    "Extra data": "the text goes on behind the bracket that closes the whole",
    "Invalid \\escape": "a backslash in a text is written twice",
    "Invalid \\uXXXX escape": "a backslash in a text is written twice",
    "Invalid control character": "a text is one line, and a tab in it is \\t; is its last quote missing?",
    "Unterminated string": "the quote that opens here is not closed",
}
"""The beginnings of the messages of Python's parser, and what they mean."""


def _explain_json(text: str, error: json.JSONDecodeError) -> str:
    """Explains an error to a user who does not know JSON."""
    here, before = text[error.pos : error.pos + 1], text[: error.pos].rstrip()[-1:]
    for words, why in _OF_JSON.items():
        if error.msg.startswith(words):
            return why
    if here == "'":
        return "texts and keys stand in double quotes"
    if here and here in "/#":
        return "a comment, which JSON does not have; a file *.yaml may have some, after #"
    if (here and here in "]}" and before == ",") or "trailing comma" in error.msg:
        return "a comma stands behind the last entry; remove it"
    if here.isalpha():
        word = (re.match(r"\w+", text[error.pos :]) or [""])[0][:40]
        return f"{word} stands without quotes; texts and keys stand in double quotes, and booleans are true and false"
    if "delimiter" in error.msg and here:
        return f"{error.msg}: is a comma or a quote missing before {here!r}?"
    return error.msg if here else f"the file ends too early: {error.msg}"
