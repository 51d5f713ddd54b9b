"""Gathers the pages of the site in .docs: README.md, docs/, and a reference that is made from the code.

Runs in the proposer's environment; the help of the evaluator's commands comes from its own. Fails at a link to a file
that is not there.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import proposer
from proposer.commands.parser import make_parser
from proposer.run.columns import Columns, Quantity
from scanspec.schema import schema

ROOT = Path(__file__).parents[1]
SITE = ROOT / ".docs"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
PAGES = {"README.md": "index.md", "CHANGELOG.md": "CHANGELOG.md", "CONTRIBUTING.md": "CONTRIBUTING.md"}
INTERNAL = {"Problem.code_name", "Problem.read", "Target.is_band", "Target.to_meta", "Target.to_networks"}
"""Methods that only lodescan's own modules call."""
COPYING = "[data-md-copying] .gp, [data-md-copying] .go { display: none }\n"
"""A button that copies a block of commands takes neither their prompts nor their output."""
PAGES |= {"SECURITY.md": "SECURITY.md", "examples/README.md": "examples.md"}


def main() -> None:
    """Makes .docs again from scratch."""
    shutil.rmtree(SITE, ignore_errors=True)
    (SITE / "reference").mkdir(parents=True)
    pages = PAGES | {f"docs/{path.name}": path.name for path in (ROOT / "docs").glob("*.md")}
    for source, target in pages.items():
        (SITE / target).write_text(with_links(ROOT / source, pages))
    (SITE / "copying.css").write_text(COPYING)
    for name, text in (
        ("keys", keys()),
        ("commands", commands()),
        ("python", python()),
        ("columns", columns()),
        ("contract", contract()),
    ):
        (SITE / "reference" / f"{name}.md").write_text(text)


def with_links(page: Path, pages: dict[str, str]) -> str:
    """The text of a page with its links changed to those of the site; a linked file that is not a page is copied."""

    def replace(found: re.Match[str]) -> str:
        bang, words, target = found.groups()
        if re.match(r"\w+:|#", target):
            return found[0]
        path, _, anchor = target.partition("#")
        file = Path(os.path.normpath(page.parent / path))
        if not file.exists():
            sys.exit(f"{page.relative_to(ROOT)} has a link to {target}, which is not there")
        inside = str(file.relative_to(ROOT))
        if file.is_dir():
            if f"{inside}/README.md" not in pages:
                return words
            inside = f"{inside}/README.md"
        if inside in pages:
            return f"{bang}[{words}]({pages[inside]}{'#' + anchor if anchor else ''})"
        copy = SITE / "files" / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        return f"{bang}[{words}](files/{inside})"

    parts = re.split(r"(^```.*?^```$)", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return "".join(as_console(part) if part.startswith("```") else LINK.sub(replace, part) for part in parts)


def as_console(block: str) -> str:
    """A block of code, with the language `console` if it has a prompt and no language."""
    return f"```console{block[3:]}" if re.match(r"```\n(.*\n)*?\$ ", block) else block


def keys() -> str:
    """Every key of a scan file, from its JSON Schema."""
    lines = ["# Keys of the scan file", "", "Made from the schema that editors use, `docs/scan.schema.json`.", ""]
    whole = schema()

    def forms_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
        """The schema itself and its alternatives, each as it is defined."""
        entry = whole["$defs"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
        parts = [*entry.get("anyOf", []), *entry.get("allOf", []), *([entry["else"]] if "else" in entry else [])]
        return [entry, *(form for one in parts for form in forms_of(one))]

    written: list[dict[str, Any]] = []

    def section(title: str, entry: dict[str, Any], level: int) -> None:
        forms = forms_of(entry)
        for form in forms:
            if isinstance(form.get("additionalProperties"), dict):
                section(f"{title}: NAME", form["additionalProperties"], min(level + 1, 4))
        for properties in [
            form["properties"] for form in forms if form.get("type") == "object" and "properties" in form
        ]:
            if properties in written or not all("description" in kind for kind in properties.values()):
                continue
            written.append(properties)
            lines.extend([f"{'#' * level} {title}", "", "| key | meaning |", "|---|---|"])
            lines.extend(f"| `{key}` | {value_of(kind)} |" for key, kind in properties.items())
            lines.append("")
            for key, kind in properties.items():
                section(f"{title}: {key}", kind, min(level + 1, 4))

    for title, entry in whole["properties"].items():
        section(title, entry, 2)
    return "\n".join(lines) + "\n"


def value_of(kind: dict[str, Any]) -> str:
    """The meaning of a key, for a cell of a table."""
    return str(kind["description"]).replace("|", "\\|")


def commands() -> str:
    """The help of every command, taken from its parser."""
    os.environ["COLUMNS"] = "110"
    parser = make_parser()
    (choices,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    lines = ["# Commands", "", "## lodescan", "", "```", parser.format_help(), "```", ""]
    for name, command in choices.choices.items():
        lines += [f"### lodescan {name}", "", "```", command.format_help(), "```", ""]
    program = ROOT / ".envs" / "evaluator" / "bin" / "lodescan-evaluator"
    overview = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    lines += ["## lodescan-evaluator", "", "```", overview, "```", ""]
    for name in re.findall(r"^    (\w+) ", overview, re.MULTILINE):
        words = subprocess.run([program, name, "--help"], capture_output=True, text=True, check=True).stdout
        lines += [f"### lodescan-evaluator {name}", "", "```", words, "```", ""]
    return "\n".join(lines)


def python() -> str:
    """The names of `import proposer`, with their signatures and docstrings."""
    lines = ["# Python", "", "What `import proposer` gives. [From Python](../python.md) shows how to use it.", ""]
    for name in sorted(proposer.__all__):
        thing = getattr(proposer, name)
        lines += described("##", f"proposer.{name}", thing)
        for method, member in vars(thing).items() if inspect.isclass(thing) else ():
            shown = not method.startswith("_") and f"{name}.{method}" not in INTERNAL
            if shown and (inspect.isfunction(member) or isinstance(member, property)):
                lines += described("###", f"{name}.{method}", member)
        init = inspect.getdoc(thing.__init__) if inspect.isclass(thing) and "__init__" in vars(thing) else None
        lines += [fenced(init), ""] if init and thing.__doc__ != init else []
    return "\n".join(lines)


def described(level: str, name: str, thing: Any) -> list[str]:
    """The heading, signature and docstring of a public name."""
    call = "" if isinstance(thing, property) else str(inspect.signature(thing))
    call = re.sub(r"(: |-> )'([^']+)'", r"\1\2", call).replace("(self, ", "(").replace("(self)", "()")
    signature = ["```python", f"{name}{call}", "```", ""] if call else []
    return [f"{level} {name}", "", *signature, fenced(inspect.getdoc(thing) or ""), ""]


def fenced(text: str) -> str:
    """A docstring with its example as a block of code."""
    return re.sub(
        r"^>>> .*?(?=\n\n|\Z)", lambda found: f"```pycon\n{found[0]}\n```", text, flags=re.MULTILINE | re.DOTALL
    )


def columns() -> str:
    """The columns of a dataset, as the table `columns` of one describes them."""
    shown = Columns(
        [Quantity("VARIABLE", "its unit")],
        [Quantity("OBSERVABLE", "its unit", "its code", "its likelihood")],
        [Quantity("CODE")],
    )
    words = {"variable": "its value", "observable": "its value", "loss": "-ln L", "seconds": "wall time of the code"}
    types = dict(re.findall(r'"([^"]+)" (\w+)', shown.schema))
    lines = [
        "# Columns of the dataset",
        "",
        "Of the table `points`, in order; [The dataset](../dataset.md) has examples.",
    ]
    lines += ["", "| column | type | what it holds |", "|---|---|---|"]
    for _, name, kind, *_, about, _crc in shown.table():
        lines.append(f"| `{name}` | {types[name]} | {about or words[kind]} |")
    return "\n".join(lines) + "\n"


def contract() -> str:
    """The contract between the two sides, with its comments."""
    text = (ROOT / "proto/lodescan/v1/evaluation.proto").read_text()
    return f"# The contract\n\nWhat the proposer and an evaluator say to each other, by gRPC.\n\n```proto\n{text}```\n"


if __name__ == "__main__":
    main()
