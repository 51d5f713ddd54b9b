"""`Run.plot` has the options of `lodescan plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import proposer
from proposer.__main__ import main
from scanspec import UsageError
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("plotted") / "run", points=200)


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, []),
        ({"colour": "NLL", "ylog": True}, ["--colour", "NLL", "--ylog"]),
        ({"zoom": "good"}, ["--zoom", "good"]),
        pytest.param({"profile": True, "levels": (90, 50)}, ["--profile", "--levels", "50,90"], marks=pytest.mark.slow),
    ],
)
def test_a_picture_is_the_same_as_that_of_the_command(
    folder: Path, tmp_path: Path, options: dict[str, Any], flags: list[str]
) -> None:
    here, there = tmp_path / "here.png", tmp_path / "there.png"
    assert main(["plot", str(folder), "x", "phase", "--file", str(there), *flags]) == 0
    assert proposer.open_run(folder).plot("x", "phase", here, **options) == here
    assert here.read_bytes() == there.read_bytes()


def test_a_profile_is_drawn_as_pdf_and_png(folder: Path) -> None:
    path = proposer.open_run(folder).plot("x", "phase", profile=True)
    assert path == folder / "plots" / "x-phase-profile.pdf" and path.is_file() and path.with_suffix(".png").is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": (68,)}, "add profile=True"),
        ({"profile": True, "levels": (0.68, 168)}, "percentages between 0 and 100"),
        ({"profile": True, "levels": ()}, "percentages between 0 and 100"),
        ({"profile": True, "colour": "NLL"}, "a profile has the colours of its levels"),
        ({"zoom": "bad"}, "there is only one zoom"),
        ({"colour": "nowhere"}, "has no variable or observable 'nowhere'"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        proposer.open_run(folder).plot("x", "phase", **options)
