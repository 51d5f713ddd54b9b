"""`lodescan plot` for a paper: profiles, zoom, scales and colours, without a title."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from proposer.__main__ import main
from proposer.show.drawing import KINDS
from proposer.show.marks import LIGHT, PAPER
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("plot") / "run", 500)


def texts(picture: Path) -> str:
    """The texts of an SVG picture, which matplotlib writes as comments beside their outlines."""
    ET.parse(picture)
    return "|".join(comment.strip() for comment in re.findall(r"<!--(.*?)-->", picture.read_text(), flags=re.DOTALL))


def test_a_profile_has_the_requested_levels(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    command = ["plot", str(folder), "x", "mass", "--profile", "--levels", "50,90", "--zoom", "good", "--file"]
    assert main([*command, str(path)]) == 0
    found = texts(path)
    assert "50 %" in found and "90 %" in found and "x_1" in found and "ring" not in found
    assert main(["plot", str(folder), "x", "mass", "--profile"]) == 0
    assert (folder / "plots" / "x-mass-profile.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "plots" / "x-mass-profile.png").read_bytes().startswith(b"\x89PNG")


def test_it_is_said_why_a_profile_is_not_estimated_between_points(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for column, why in (("mass", ""), ("radius", "because radius is not a variable")):
        assert main(["plot", str(folder), "x", column, "--profile", "--file", str(tmp_path / "a.png")]) == 0
        said = capsys.readouterr().out
        assert why in said and ("drawn too small" in said) == bool(why)


@pytest.mark.parametrize("levels", ["0", "68,x", "95,95", "101", ""])
def test_invalid_levels_are_refused(levels: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plot", str(folder), "x", "mass", "--profile", "--levels", levels])
    assert "is not a list of levels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "words"), [([], "two columns"), (["x", "mas"], "mass"), (["x", "fixed"], "one value")]
)
def test_impossible_profiles_are_refused(
    names: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(folder), *names, "--profile"]) == 2
    assert words in capsys.readouterr().err


def test_zoom_shows_only_the_good_points(folder: Path, tmp_path: Path) -> None:
    for name, options in (("all", []), ("good", ["--zoom", "good"])):
        assert main(["plot", str(folder), "x", "mass", *options, "--file", str(tmp_path / f"{name}.svg")]) == 0
    assert "-4" in texts(tmp_path / "all.svg").replace("\N{MINUS SIGN}", "-")
    assert "-4" not in texts(tmp_path / "good.svg").replace("\N{MINUS SIGN}", "-")


def test_a_picture_may_have_a_colour_and_a_logarithmic_axis(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    assert main(["plot", str(folder), "mass", "radius", "--colour", "limit", "--ylog", "--file", str(path)]) == 0
    assert "limit (GeV)" in texts(path)
    assert main(["plot", str(folder), "mass", "radius", "--colour", "limt"]) == 2


@pytest.mark.parametrize("options", [[], ["--profile"]])
@pytest.mark.parametrize(("suffix", "begins"), [("jpg", b"\xff\xd8"), ("JPEG", b"\xff\xd8"), ("PNG", b"\x89PNG")])
def test_the_kind_of_picture_is_that_of_the_file(
    options: list[str], suffix: str, begins: bytes, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    assert main(["plot", str(folder), "x", "mass", *options, "--file", str(path)]) == 0
    assert path.read_bytes().startswith(begins)


def test_a_profile_takes_no_colour(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(folder), "x", "mass", "--profile", "--colour", "NLL"]) == 2
    assert "leave out --colour or --profile" in capsys.readouterr().err


def test_levels_belong_to_a_profile(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(folder), "x", "mass", "--levels", "68"]) == 2
    assert "add --profile" in capsys.readouterr().err


def test_the_legend_of_a_profile_names_the_star(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "profile.svg"
    with mpl.rc_context({"svg.fonttype": "none"}):
        assert main(["plot", str(folder), "x", "mass", "--profile", "--file", str(path)]) == 0
    text = path.read_text()
    assert all(f">{words}<" in text for words in ("68 %", "95 %", "best point"))


def test_each_level_of_a_profile_has_a_colour_that_the_legend_names(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "profile.svg"
    levels = ["50", "68", "90", "95"]
    with mpl.rc_context({"svg.fonttype": "none"}):
        command = ["plot", str(folder), "x", "mass", "--profile", "--levels", ",".join(levels), "--file", str(path)]
        assert main(command) == 0
    picture, legend = path.read_text().split('id="legend_1"')
    assert all(f">{level} %<" in legend for level in levels)
    colours = list(dict.fromkeys(re.findall(r"fill: (#[0-9a-f]{6})", legend)))[: len(levels)]
    assert len(set(colours) - {"#ffffff", PAPER.star, PAPER.text}) == len(levels)
    assert all(f"fill: {colour}" in picture for colour in colours), "the regions have the colours of the legend"


@pytest.mark.parametrize("options", [(), ("--colour", "NLL"), ("--colour", "phase")])
def test_two_columns_have_a_star_and_a_legend_without_colours_of_the_scale(
    folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = tmp_path / "a.svg"
    assert main(["plot", str(folder), "x", "mass", *options, "--file", str(path)]) == 0
    text = path.read_text()
    assert text.count('id="best"') == 1
    assert {"unphysical", "bad", "good", "best point"} <= set(texts(path).split("|"))
    legend = text[text.index('id="legend_1"') :]
    colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", legend))
    allowed = {PAPER.text, PAPER.star, "#ffffff", *(colour for colour, _, _ in KINDS.values())}
    assert colours <= allowed, "the worst NLL is yellow, and so was the dot of the good points"


def test_the_legend_names_no_kind_out_of_view(folder: Path, tmp_path: Path) -> None:
    """Points are unphysical at x < -3, and good points lie at x > -2.5."""
    path = tmp_path / "a.svg"
    assert main(["plot", str(folder), "x", "mass", "--zoom", "good", "--file", str(path)]) == 0
    legend = path.read_text().split('id="legend_1"')[1]
    assert "good" in legend and "best point" in legend and "unphysical" not in legend


@pytest.mark.parametrize("colour", [LIGHT.bad, LIGHT.unphysical, PAPER.bad, PAPER.unphysical, KINDS["unphysical"][0]])
def test_dots_that_are_not_good_are_seen_on_white(colour: str) -> None:
    """WCAG 2.1, 1.4.11: graphics need a contrast of 3."""
    light = [((int(colour[k : k + 2], 16) / 255 + 0.055) / 1.055) ** 2.4 for k in (1, 3, 5)]
    assert 1.05 / (sum(share * x for share, x in zip((0.2126, 0.7152, 0.0722), light, strict=True)) + 0.05) >= 3
