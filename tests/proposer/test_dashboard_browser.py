"""`lodescan serve` in a real browser, while a scan writes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from proposer.dashboard import pages
from tests.proposer.browsing import CONTRAST, READY, SMALLEST, browser
from tests.proposer.dashboards import begin, grow, serving
from tests.proposer.runs import make_run

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

SCAN = """
import math, time, proposer

def ring(point):
    time.sleep(0.01)
    return {"radius": math.hypot(point["x"], point["y"])}

problem = proposer.Problem(
    variables={"x": (-3, 3), "y": (-3, 3)}, observables={"radius": (2.0, 0.1)}, code=ring, threshold=2.0,
    points=10**6, setup={"type": "RANDOM"},
)
proposer.scan(problem, folder="runs/ring", seed=1, workers=1, quiet=True)
"""

WIDE = "document.documentElement.scrollWidth"
BROKEN = """[...document.querySelectorAll("td, th")]
  .filter(cell => /\\d/.test(cell.textContent) && cell.textContent.length < 30)
  .filter(cell => {
    const text = document.createRange(); text.selectNodeContents(cell);
    return new Set([...text.getClientRects()].map(box => Math.round(box.top))).size > 1;
  }).length"""
"""Short texts with a number that are broken into several lines."""


@pytest.fixture
def scanning(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "scan.py").write_text(SCAN)
    with subprocess.Popen([sys.executable, "scan.py"], cwd=tmp_path) as process:
        yield process
        process.terminate()


def good(page: Page) -> int:
    found = re.search(r"running \| ([\d,]+) of 1,000,000 good", page.locator("#now").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def test_a_page_follows_a_scan_that_writes(
    browser: Browser, tmp_path: Path, scanning: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LEAST", 0.5)
    monkeypatch.setattr(pages, "SHARE", 0.5)
    (tmp_path / "runs").mkdir()
    with serving(tmp_path / "runs") as server:
        context = browser.new_context(viewport={"width": 400, "height": 900}, color_scheme="dark")
        page, errors = context.new_page(), []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith((server.url, "blob:")) else errors.append(sent.url))
        page.set_default_timeout(120_000)
        page.goto(server.url)
        page.locator("a[href^='/report']", has_text="runs/ring").click()  # the new run appears in the list
        page.wait_for_function("document.getElementById('now').innerText.includes('running')")
        page.wait_for_function(f"window.Bokeh && {READY}")
        first, subtitle = good(page), page.locator(".sub").inner_text()
        page.evaluate("document.getElementById('best').scrollIntoView()")
        place = page.evaluate("scrollY")
        page.wait_for_function("(before) => document.querySelector('.sub').innerText != before", arg=subtitle)
        page.wait_for_function(READY)
        now = "document.getElementById('now').innerText"
        page.wait_for_function(f"(n) => {now}.match(/running . ([0-9]+) of/)[1] > n", arg=first)
        assert page.evaluate(WIDE) <= 400
        assert page.evaluate("scrollY") == pytest.approx(place, abs=300), "the reader stays where they are"
        assert page.evaluate("Bokeh.documents.length") == 1, "old pictures are gone"

        panel = page.locator("#points-0-points .panel").first
        panel.scroll_into_view_if_needed()
        panel.click()
        assert page.locator("#follow").inner_text() == "Follow the scan again"
        subtitle, stamp = page.locator(".sub").inner_text(), page.evaluate("document.body.dataset.stamp")
        before, said = good(page), "document.getElementById('now').innerText"
        page.wait_for_function(f"(n) => {said}.match(/running . (\\d+) of/)[1] > n", arg=before)
        assert page.locator(".sub").inner_text() == subtitle, "pictures that a reader has used do not change"
        page.locator("#follow").click()
        page.wait_for_function("(before) => document.body.dataset.stamp != before", arg=stamp)
        assert errors == []
        context.close()


def check_readable(page: Page) -> None:
    """Checks the page at both widths, dark and light."""
    for width in (400, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(WIDE) <= width and page.evaluate(BROKEN) == 0
        assert page.evaluate(SMALLEST) >= 14
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(CONTRAST) >= 4.5


def test_list_and_comparison_are_readable(browser: Browser, tmp_path: Path) -> None:
    for name, points in (("a", 60), ("b", 90)):
        make_run(tmp_path / name, points)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dataset.sqlite").write_bytes(b"nothing" * 100)
    with begin(tmp_path / "running") as scan, serving(tmp_path) as server:
        grow(scan, 2)
        page, errors = browser.new_page(), []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_default_timeout(120_000)
        page.goto(server.url)
        check_readable(page)
        page.get_by_label(f"Compare {tmp_path / 'a'}", exact=True).focus()
        page.keyboard.press("Space")
        page.get_by_label(f"Compare {tmp_path / 'b'}", exact=True).check()
        grow(scan, 3)
        page.wait_for_function("document.getElementById('list').innerText.includes('5 of 50')")
        assert page.locator("input:checked").count() == 2, "ticks outlive a new list"
        page.get_by_role("button", name="Compare the ticked runs").click()
        page.wait_for_function(f"window.Bokeh && {READY}")
        check_readable(page)
        assert page.locator("h3", has_text=str(tmp_path / "b")).count() > 5
        said = page.locator(".sub").inner_text()
        assert "of 60 points" in said and "of 90 points" in said
        assert errors == []
        page.close()


def test_a_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    with serving(tmp_path) as server:
        port = server.server_address[1]
        page.goto(server.url)
    page.wait_for_function("document.getElementById('now').innerText.startsWith('No answer')")
    begin(tmp_path / "run").close()
    with serving(tmp_path, port=port):
        page.wait_for_function("document.querySelector('main').innerText.includes('not finished')")
        assert page.locator("#now").inner_text() == ""
    page.close()
