"""report.html answers the questions of a referee on one page that loads nothing, for every kind of run."""

from __future__ import annotations

import base64
import io
import re
import string
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from proposer.__main__ import main
from proposer.formats import show_percent
from proposer.report.axes import table_of
from proposer.report.overview import asked, found
from proposer.report.pairs import pairs
from proposer.report.physics import correlations, pulls
from proposer.report.search import fall, history
from proposer.report.seen import MOST_GOOD, MOST_OTHERS, see
from proposer.report.together import together
from proposer.report.trouble import seconds, trouble
from proposer.report.write import write_report
from proposer.run.dataset import Dataset, DatasetError
from proposer.show.picture import Marks, Outline
from proposer.target import Target
from proposer.types import Status
from scanspec import read_scan_file
from tests.proposer.runs import make_run


class Page(HTMLParser):
    """The elements of a page in the order of reading."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.copied: list[str] = []
        self.loads: list[str] = []
        self._tag = ""
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values, self._tag = dict(attrs), tag
        if tag == "img":
            self.images.append(values)
        if "data-copy" in values:
            self.copied.append(values["data-copy"] or "")
        for name in ("src", "href"):
            if (value := values.get(name)) and not value.startswith(("#", "data:")):
                self.loads.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "h2":
            self.headings.append(data)
        if self._tag not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def written(run: Path) -> list[Path]:
    return write_report([run])


@pytest.fixture(scope="module")
def page(written: list[Path]) -> Page:
    return Page(written[0].read_text())


@pytest.mark.slow
def test_sections_are_in_the_order_of_a_referees_questions(page: Page) -> None:
    assert page.headings == [
        "What was asked",
        "What was found",
        "Where the good points are",
        "Profile NLL",
        "Observables against their constraints",
        "Which constraint excludes how much",
        "Correlations over the good points",
        "How the search went",
        "Whether the predictions were right",
        "Where points are unphysical or failed",
        "Seconds by code",
        "How much may have been missed",
        "Best points",
        "Versions, seeds, citations",
    ]


@pytest.mark.slow
def test_counts_are_those_of_the_dataset(run: Path, page: Page) -> None:
    with Dataset(run, read_only=True) as dataset:
        parts = list(dataset.results())
    status = np.concatenate([part.status for part in parts])
    nll = np.concatenate([part.nll for part in parts])
    good = int((nll < 3).sum())
    assert f"{good:,} of 100 asked for" in page.text and f"{np.nanmin(nll):.6g} (point" in page.text
    for ending in Status:
        assert f"{int((status == ending).sum()):,} ({show_percent((status == ending).mean())})" in page.text
    assert "ValueError: math domain error" in page.text and "600 evaluations" in page.text


@pytest.mark.slow
def test_the_page_loads_nothing_and_each_picture_has_a_text(page: Page, written: list[Path]) -> None:
    assert page.loads == []
    assert len(page.images) >= 15
    for image in page.images:
        data = str(image["src"]).removeprefix("data:image/png;base64,")
        assert Image.open(io.BytesIO(base64.b64decode(data))).size > (200, 100)
        assert len(str(image["alt"])) > 10
    assert written[0].stat().st_size < 5e6


@pytest.mark.slow
def test_each_of_the_best_points_has_its_command(page: Page, run: Path) -> None:
    commands = [line for line in page.copied if line.startswith("lodescan-evaluator point")]
    with Dataset(run, read_only=True) as dataset:
        parts = list(dataset.results())
    nll, params = (np.concatenate([getattr(part, name) for part in parts]) for name in ("nll", "params"))
    assert f"x={params[np.nanargmin(nll), 0].item()!r} " in commands[-10]
    assert any("@misc{Goodsell:2023iac" in line for line in page.copied)


@pytest.mark.slow
def test_pictures_for_a_paper_are_named(written: list[Path]) -> None:
    names = {path.name for path in written[1:]}
    expected = {"points.pdf", "points.png", "profiles.pdf", "regions.pdf", "constraints.png", "history.pdf"}
    assert expected | {"calibration.pdf", "calibration.png"} <= names
    for path in written[1:]:
        content = path.read_bytes()
        assert content.startswith(b"%PDF" if path.suffix == ".pdf" else b"\x89PNG"), path
        assert b"CreationDate" not in content


@pytest.mark.slow
def test_a_region_where_points_fail_is_named(page: Page) -> None:
    assert re.search(r"INVALID: [\d,]+ points \([\d.]+ %\), 80 % of them with x from -4 to -3\.4", page.text)
    assert re.search(r"FAILED: [\d,]+ points .* with x from 2\.", page.text)


@pytest.mark.slow
def test_several_runs_are_compared(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", 200, "other", seed=6)
    assert main(["report", str(run), str(other), "--file", str(tmp_path / "both.html")]) == 0
    page = Page((tmp_path / "both.html").read_text())
    assert page.text.count(str(other)) > 5 and "ring, other" in page.text
    assert (other / "plots" / "profiles.pdf").exists()
    assert "A is " + str(run) in page.text and page.text.count("95 % regions of the profile NLL of all runs") == 1
    assert (run / "plots" / "together.pdf").exists() and not (other / "plots" / "together.pdf").exists()
    (picture,) = together([see(run), see(other)]).pictures
    assert len(picture.panels) == 3, "each pair of the variables that both vary"
    for panel in picture.panels:
        first, second = panel.marks
        assert isinstance(first, Outline) and isinstance(second, Outline)
        assert (first.label, second.label, first.number, second.number) == ("A ring", "B other", 0, 1)
        both = (first.z < first.level) & (second.z < second.level)
        assert both.sum() > 0.7 * (second.z < second.level).sum(), "both have found the same ring"


@pytest.mark.slow
@pytest.mark.parametrize("points", [1, 30])
def test_a_run_that_has_hardly_begun_has_a_report(points: int, tmp_path: Path) -> None:
    write_report([make_run(tmp_path / "run", points)])
    assert "this cannot be shown" not in (tmp_path / "run" / "report.html").read_text()


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "no run here" in capsys.readouterr().err
    with pytest.raises(DatasetError):
        write_report([tmp_path])


@pytest.mark.slow
def test_names_that_look_like_html_or_tex_are_shown_as_text(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", 60, "<b>bold<!--$frac{")
    text = write_report([folder])[0].read_text()
    assert "<b>bold" not in text and "&lt;b&gt;bold&lt;!--$frac{" in text


def test_good_points_at_the_end_of_a_range_give_a_warning(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", 900)
    seen = see(folder)
    assert "x" not in [name for name, _, _ in seen.crowded_ends]
    seen.u[seen.good, 0] = np.where(np.arange(seen.good.sum()) % 10 == 0, 0.995, seen.u[seen.good, 0])
    del seen.__dict__["crowded_ends"]
    assert ("x", "upper") in [(name, end) for name, end, _ in seen.crowded_ends]


def test_of_a_large_run_a_part_is_drawn(tmp_path: Path) -> None:
    seen = see(make_run(tmp_path / "run", 40))
    n = MOST_GOOD + MOST_OTHERS + 50_000
    nll = np.where(np.arange(n) < MOST_GOOD + 10_000, 1.0, 9.0)
    many = replace(seen, ids=np.arange(n), nll=nll, status=np.full(n, Status.OK, dtype=np.int8))
    assert len(many.shown) == MOST_GOOD + MOST_OTHERS and many.good[many.shown].sum() == MOST_GOOD
    assert not many.good[many.shown[:MOST_OTHERS]].any()


@pytest.mark.slow
def test_ten_to_the_five_points_stay_below_ten_megabytes(tmp_path: Path) -> None:
    written = write_report([make_run(tmp_path / "run", 100_000)])
    assert written[0].stat().st_size < 10e6


def test_the_target_is_described_in_words(run: Path) -> None:
    assert "A point is good with an NLL below 3. The NLL is" in asked(see(run)).words[0]
    scanned = see(run)
    scanned.__dict__["target"] = Target(3.0, everything=True)
    assert asked(scanned).words == ["Every valid point is good, because no observable has a likelihood."]


@pytest.mark.slow
def test_the_report_loads_no_library_that_it_does_not_need() -> None:
    """Loading torch or scipy.stats takes as long as drawing all pictures."""
    slow = "[name for name in ('torch', 'scipy.stats', 'sklearn', 'pandas') if name in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, proposer.report.write; print({slow})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_the_model_the_search_and_the_forms_of_likelihoods_are_named(run: Path) -> None:
    scan, variables, observables, forms = asked(see(run)).tables
    rows = {str(name): str(value) for name, value in scan.rows}
    assert set(rows) == {"codes", "search", "ends at", "seed"} and all(rows.values())
    assert "good points" in rows["ends at"]
    kinds = {str(row[observables.header.index("likelihood")]).split()[0] for row in observables.rows if row[1]}
    assert {row[0] for row in forms.rows} == kinds and all(row[1] for row in forms.rows)
    for table in (variables, observables):
        assert all(any(row[k] for row in table.rows) for k in range(len(table.header))), "a column is empty"


def test_points_that_came_with_their_nll_took_no_time(run: Path) -> None:
    seen = see(run)
    origins, seconds = seen.origins.copy(), seen.seconds.copy()
    origins[:500], seconds[:500] = "init", np.nan
    origins[500:550], seconds[500:] = "init", 0.1  # such points of an init_csv were evaluated
    rescored = replace(seen, origins=origins, seconds=seconds, record=replace(seen.record, seconds=10.0))
    assert "10 s of wall time for 100 points: 10 points/s." in str(history(rescored).words[0])
    seconds[:], origins[:] = np.nan, "init"
    assert not history(rescored).words


def test_the_wall_time_of_the_scan_is_told(run: Path) -> None:
    seen = see(run)
    told = history(replace(seen, record=replace(seen.record, seconds=60.0))).words
    assert [str(words) for words in told] == ["The scan took 60 s of wall time for 600 points: 10 points/s."]


def test_it_is_told_why_the_hit_rate_fell(run: Path) -> None:
    seen = see(run)
    count, half = len(seen.ids), len(seen.ids) // 2
    rng, late = np.random.default_rng(2), np.arange(count) >= half
    seen = replace(seen, status=np.full(count, Status.OK, dtype=np.int8))
    exploit = rng.random(count) < np.where(late, 0.2, 0.9)
    origins = np.where(exploit, "exploit", "explore").astype(object)
    spent = replace(seen, nll=np.where(exploit, 0.0, 9.0), origins=origins)
    (words,) = fall(spent)
    assert re.search(r"fell from (8|9)\d % in points 1 to 150 to (1|2)\d % in points \d+ to \d+\. ", words)
    step = r"The step exploit gave \d+ % of the points, and \d+ % before; 100 % of its points are good\."
    assert re.search(step, words)
    assert "were good, and" not in words
    worse = np.where(rng.random(count) < np.where(late, 0.1, 0.9), 0.0, 9.0)
    (words,) = fall(replace(seen, nll=worse, origins=np.full(count, "fill", dtype=object)))
    assert re.search(r"Of the points of the step fill, [0-9.]+ % were good, and \d+ % before\.$", words)
    same = np.where(rng.random(count) < 0.5, 0.0, 9.0)
    assert fall(replace(seen, nll=same, origins=origins)) == []
    assert fall(replace(seen, nll=worse[::-1].copy(), origins=origins)) == [], "it rose"


def test_a_variable_that_the_failing_points_span_is_not_named(run: Path) -> None:
    """The other points lie close together in it, which says nothing of those that fail."""
    seen = see(run)
    failed = np.arange(len(seen.ids)) % 5 == 0
    u = np.random.default_rng(1).random(seen.u.shape)
    u[~failed, 1] = 0.5
    u[failed, 0] *= 0.1
    seen = replace(seen, u=u, params=u, status=np.where(failed, Status.FAILED, Status.OK))
    names = [variable.name for variable in seen.scan.variables]
    (words,) = [text for text in trouble(seen, table_of(seen)).words if text.startswith("FAILED")]
    assert f"with {names[0]} from" in words and f"with {names[1]} from" not in words


def test_the_interval_of_failures_is_the_shortest_with_most_of_them(run: Path) -> None:
    """Some failures with another reason, far away, do not widen it."""
    seen = see(run)
    u = np.random.default_rng(3).random(seen.u.shape)
    u[:50, 0], u[50:58, 0], u[58:, 0] = np.linspace(0.70, 0.72, 50), 0.1, 0.3 + 0.3 * u[58:, 0]
    failed = np.arange(len(u)) < 58
    seen = replace(seen, u=u, params=u, status=np.where(failed, Status.FAILED, Status.OK))
    (words,) = [text for text in trouble(seen, table_of(seen)).words if text.startswith("FAILED")]
    assert re.search(r"80 % of them with x from 0\.7\d* to 0\.7\d*", words)


def test_only_the_variable_that_decides_about_failures_is_named(run: Path) -> None:
    """The search has its other points close together in x and mass, so that failures differ from these there too."""
    seen = see(run)
    rng, n = np.random.default_rng(2), len(seen.ids)
    u = np.clip(rng.normal(0.5, 0.05, seen.u.shape), 0, 1)
    u[: n // 4] = rng.random((n // 4, u.shape[1]))
    u[: n // 4, 0] *= 0.55
    failed = u[:, 2] > 0.9
    seen = replace(seen, u=u, params=u, status=np.where(failed, Status.FAILED, Status.OK))
    assert failed.sum() > 8
    (words,) = [text for text in trouble(seen, table_of(seen)).words if text.startswith("FAILED")]
    assert "with phase from 0.9" in words and words.count("80 %") == 1


def test_a_single_point_is_told_as_one(run: Path) -> None:
    seen = see(run)
    status = np.where(np.arange(len(seen.ids)) == 3, Status.FAILED, Status.OK)
    one = replace(seen, status=status, nll=np.where(status == Status.OK, 1.0, np.nan))
    (words,) = trouble(one, table_of(one)).words
    assert re.fullmatch(r"FAILED: 1 point \(0\.[0-9]+ %\)\.", words)
    assert pairs(one, table_of(one)).words[0].endswith("good points and the other.")
    rows = {row[0]: row[1] for row in found([one]).rows}
    assert "100 %" not in str(rows["OK"]) and str(rows["OK"]).endswith(" %)")
    every = replace(one, status=np.full(len(status), Status.OK), nll=np.ones(len(status)))
    assert pairs(every, table_of(every)).words[0].endswith("good points. There are no others.")


def test_a_joint_likelihood_shows_the_values_of_its_observables(run: Path, tmp_path: Path) -> None:
    seen, file = see(run), tmp_path / "scan.yaml"
    text = (run / "scan.yaml").read_text().replace("radius: {mean: 2, sigma: 0.1, unit: fm}", "")
    joint = "{observables: [limit, other], mean: [300, 1], sigma: [30, 1], correlation: [[1, 0], [0, 1]]}"
    file.write_text(f"likelihoods:\n  radius: {joint}\n{text}")
    seen = replace(seen, scan=read_scan_file(file))
    rows = {row[0]: row for row in pulls(seen).tables[0].rows}
    best = {name: seen.columns[name][seen.best] for name in ("limit", "other")}
    assert rows["radius"][2] == f"limit {best['limit']:.5g} GeV; other {best['other']:.5g}"
    spans = [f"{name} {seen.columns[name][seen.good].min():.5g} to " for name in best]
    assert all(span in str(rows["radius"][5]) for span in spans)
    assert rows["limit"][2] == f"{best['limit']:.5g} GeV"
    (panel,) = correlations(seen).pictures[0].panels
    assert "loss of radius" in panel.y.categories and "limit" in [*panel.x.categories, *panel.y.categories]


def test_the_section_on_seconds_says_in_a_sentence_what_the_order_of_the_codes_saved(run: Path) -> None:
    seen = see(run)
    second = np.where(seen.status == Status.INVALID, np.nan, 2.0)
    (said,) = seconds(replace(seen, seconds=np.column_stack([np.ones(len(second)), second]))).words
    skipped = int((seen.status == Status.INVALID).sum())
    assert re.fullmatch(rf"The order of the codes saved about .*: code 2 was skipped at {skipped} points .*\.", said)


@pytest.mark.slow
def test_more_runs_together_than_letters_have_names_of_letters_that_differ(run: Path) -> None:
    part = together([see(run)] * 28)
    names = re.findall(r"(\S+) is ", str(part.words[0]).split(". Each")[0])
    assert names == [*string.ascii_uppercase, "AA", "AB"]
    outlines = [mark.label for mark in part.pictures[0].panels[0].marks if isinstance(mark, Outline)]
    assert [label.strip() for label in outlines] == names


def test_where_failures_have_one_value_it_is_named(run: Path) -> None:
    seen = see(run)
    failed = np.arange(len(seen.ids)) % 5 == 0
    u = np.random.default_rng(1).random(seen.u.shape)
    u[:, 0] = np.where(failed, 0.75, 0.5 * u[:, 0])
    seen = replace(seen, u=u, params=u, status=np.where(failed, Status.FAILED, Status.OK))
    (words,) = [text for text in trouble(seen, table_of(seen)).words if text.startswith("FAILED")]
    assert "80 % of them with x = 0.75" in words


def test_a_pull_of_zero_has_no_sign_and_one_observable_is_told_as_one(run: Path) -> None:
    seen = see(run)
    columns = seen.columns | {"radius": np.full(len(seen.ids), 2.0 - 1e-9)}
    seen.__dict__["columns"] = columns
    part = pulls(seen)
    row = next(row for row in part.tables[0].rows if row[0] == "radius")
    assert row[3] == "0.00" and "radius 0.0" in part.pictures[0].says
    seen.__dict__["likelihoods"] = {"radius": 0}
    assert pulls(seen).pictures[0].says.startswith("Pulls of 1 observable. ")


def test_a_picture_of_one_variable_has_a_star_and_a_caption(run: Path) -> None:
    seen = see(run)
    seen.__dict__["variables"] = seen.variables[:1]
    (picture,) = pairs(seen, table_of(seen)).pictures
    (star,) = [mark for mark in picture.panels[0].marks if isinstance(mark, Marks)]
    assert star.y is not None and star.y.tolist() == [seen.nll[seen.best]] and picture.caption.endswith("best point.")
