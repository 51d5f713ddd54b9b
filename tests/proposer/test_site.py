"""tools/site.py: what the pages of the site show, and what their buttons copy."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import proposer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site() -> ModuleType:
    found = importlib.util.spec_from_file_location("pages_of_the_site", ROOT / "tools" / "site.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_a_button_copies_commands_without_prompts_and_output(site: ModuleType) -> None:
    """Blocks with a prompt have the language whose prompts and output the style sheet leaves out of a copy."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = [site.with_links(page, {f"docs/{other.name}": other.name for other in pages}) for page in pages]
    languages = [
        block[1] for text in shown for block in re.finditer(r"^```(\w*)\n(?:(?!```).*\n)*?\$ ", text, re.MULTILINE)
    ]
    assert len(languages) > 20 and set(languages) <= {"console", "sh", "bash"}
    assert site.as_console("```\n a table\n```") == "```\n a table\n```"
    assert "extra_css: [copying.css]" in (ROOT / "mkdocs.yml").read_text() and ".gp" in site.COPYING


def test_the_reference_of_python_has_no_internals(site: ModuleType) -> None:
    titles = re.findall(r"^### (\S+)$", site.python(), re.MULTILINE)
    assert {"Run.plot", "Lode.ask", "Target.contains"} <= set(titles)
    for name in site.INTERNAL:
        thing, _, method = name.partition(".")
        assert hasattr(getattr(proposer, thing), method) and name not in titles
