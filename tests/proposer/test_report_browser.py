"""report.html in a real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from proposer.report import page as page_module
from proposer.report.write import write_report
from tests.proposer.browsing import BROKEN_WORDS, CONTRAST, FAINTEST_DOTS, NAMELESS, READY, SMALLEST, browser
from tests.proposer.runs import make_run

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

LOCAL = ("file:", "data:", "blob:")
"""The only request of a page that loads nothing."""

SOURCES = """[...Bokeh.documents[0].all_models].filter(m => m.type == "ColumnDataSource" && m.data.status)
  .map(m => m.selected.indices.length)"""
AXES = "[...Bokeh.documents[0].all_models].map(m => m.axis_label)"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = make_run(tmp_path_factory.mktemp("browser") / "run")
    return write_report([folder])[0].resolve().as_uri()


@pytest.fixture
def opened(browser: Browser, report: str) -> Iterator[Callable[..., tuple[Page, list[str]]]]:
    """Opens the report in a context with these options; gives the page and the errors on the console."""
    contexts = []

    def open_page(width: int = 1600, **options: Any) -> tuple[Page, list[str]]:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith(LOCAL) else errors.append(sent.url))
        page.goto(report)
        if options.get("java_script_enabled", True):
            page.wait_for_function(READY, timeout=60_000)
        return page, errors

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_the_report_is_readable_and_has_no_errors(
    opened: Callable[..., tuple[Page, list[str]]], width: int, scheme: str
) -> None:
    page, errors = opened(width, color_scheme=scheme)
    assert errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert page.evaluate(CONTRAST) >= 4.5
    assert 3 <= page.evaluate(FAINTEST_DOTS) < 21
    captions = page.evaluate("[...document.querySelectorAll('caption')].map(e => e.getBoundingClientRect().right)")
    assert len(captions) > 5 and max(captions) <= width, "a caption is read without scrolling"
    sizes = page.evaluate("[...document.querySelectorAll('.panel')].map(e => [e.clientWidth, e.clientHeight])")
    assert len(sizes) > 12 and all(wide >= 250 and tall >= 100 for wide, tall in sizes)
    assert page.evaluate(SMALLEST) >= 14
    assert [word for word in page.evaluate(BROKEN_WORDS) if word.isalpha()] == [], "only paths may be divided"


def test_the_report_works_with_keyboard_mouse_and_screen_reader(
    opened: Callable[..., tuple[Page, list[str]]],
) -> None:
    page, errors = opened(permissions=["clipboard-read", "clipboard-write"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    button = page.locator("#best button").first
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('said').textContent == 'Copied.'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("lodescan-evaluator point ")
    assert page.evaluate("[...document.querySelectorAll('.scroll, .wide, pre')].every(e => e.tabIndex == 0)")

    page.get_by_label("x axis").select_option(label="radius (fm)")
    page.wait_for_function(f"({AXES}).includes('radius (fm)')")
    scales = """[...Bokeh.documents[0].all_models]
        .filter(m => m.type == "Figure" && m.below[0].axis_label == "radius (fm)")
        .map(m => [m.x_scale.type, m.y_scale.type, m.left[0].ticker.type])"""
    assert page.evaluate(scales) == [["LinearScale", "LogScale", "CustomJSTicker"]], "mass has a log-uniform prior"
    page.get_by_label("y axis").select_option(label="NLL")
    page.wait_for_function(f"({scales})[0][1] == 'LinearScale'")
    page.get_by_label("y axis").select_option(label="mass (GeV)")
    page.wait_for_function(f"({scales})[0][1] == 'LogScale'")

    panel = page.locator("#points-0-points .panel").first
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7, steps=5)
    page.mouse.up()
    page.wait_for_function(f"({SOURCES})[0] > 0")
    assert len(page.evaluate(SOURCES)) == 1, "all pictures of a run share one source"

    groups = page.locator(".play")
    assert page.evaluate(NAMELESS) == []
    tools = page.locator("#points-0-points .panel").first.get_by_role("button")
    assert {"Pan", "Box Zoom", "Reset", "More tools"} <= {tool.get_attribute("aria-label") for tool in tools.all()}
    pan = tools.and_(page.get_by_label("Pan"))
    assert pan.get_attribute("aria-pressed") == "false"
    pan.click()
    page.wait_for_function("(at) => at.getAttribute('aria-pressed') == 'true'", arg=pan.element_handle())

    names = [groups.nth(k).get_attribute("aria-label") or "" for k in range(groups.count())]
    assert len(names) >= 8 and all(len(name) > 30 for name in names)
    assert any(name.startswith("Profile NLL of each variable. Within 95 %") for name in names)
    assert page.locator("img:not([alt]), button:not([aria-label]):not(#still)").count() == 0
    assert errors == []


def test_live_pictures_give_way_to_images_after_an_error_but_not_after_a_notice(
    opened: Callable[..., tuple[Page, list[str]]],
) -> None:
    """Browsers report many changes of size at once as an event `error` without an error."""
    page, _ = opened()
    notice = "new ErrorEvent('error', {message: 'ResizeObserver loop completed with undelivered notifications.'})"
    page.evaluate(f"window.dispatchEvent({notice})")
    assert page.locator(".play:visible").count() > 0
    page.evaluate("setTimeout(() => { throw new Error('a fault of a library') })")
    page.wait_for_function("!document.documentElement.classList.contains('live')")
    assert page.locator(".play:visible").count() == 0 and page.locator("img:visible").count() >= 15


def test_without_scripts_images_show_the_same(opened: Callable[..., tuple[Page, list[str]]]) -> None:
    page, errors = opened(java_script_enabled=False)
    images = page.locator("img")
    assert images.count() >= 15 and all(images.nth(k).is_visible() for k in range(images.count()))
    assert page.locator(".play:visible").count() == 0 and errors == []


def test_the_printed_report_shows_images_on_white(opened: Callable[..., tuple[Page, list[str]]]) -> None:
    page, _ = opened(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ground').trim()") == "#fff"
    assert page.locator(".play:visible").count() == 0 and page.locator("img:visible").count() >= 15
    assert page.locator("nav:visible").count() == 0
    assert len(page.pdf()) > 50_000


PAPER_WIDTH = 718
"""Pixels of A4 paper between its margins."""


def test_no_word_and_no_number_is_divided_on_paper(opened: Callable[..., tuple[Page, list[str]]]) -> None:
    page, _ = opened(PAPER_WIDTH)
    page.emulate_media(media="print")
    cells = page.locator("th:visible, td:visible").all_inner_texts()
    assert {"INVALID", "FAILED"} <= set(cells) and len(cells) > 100
    assert page.evaluate(BROKEN_WORDS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_WIDTH


@pytest.mark.parametrize("how", ["paper", "no scripts"])
def test_commands_stand_below_tables_where_there_is_no_button(
    opened: Callable[..., tuple[Page, list[str]]], how: str
) -> None:
    page, _ = opened(PAPER_WIDTH, java_script_enabled=how == "paper")
    assert page.locator("#best .commands").is_visible() == (how == "no scripts")
    page.emulate_media(media="print" if how == "paper" else "screen")
    assert page.locator("#best button:visible").count() == 0
    words = page.locator("#best").inner_text()
    assert "button" not in words and "run again" not in words
    assert words.count("lodescan-evaluator point ") == 10


def test_ticks_are_labelled_with_their_values(opened: Callable[..., tuple[Page, list[str]]]) -> None:
    """On a logarithmic axis of less than a decade too, where the exponents of all ticks are alike."""
    page, errors = opened()
    labels = page.evaluate(
        """[...Bokeh.documents[0].all_models].filter(m => m.type == "LogAxis" || m.type == "LinearAxis")
        .map(m => m.formatter.doFormat([290, 345, 0.3, 2e-9, 1.5e7, 0, -0.5], {loc: 0}).map(Number))"""
    )
    assert errors == [] and len(labels) > 12
    assert all(found == [290, 345, 0.3, 2e-9, 1.5e7, 0, -0.5] for found in labels)
    assert page.evaluate("[...Bokeh.documents[0].all_models].some(m => m.type == 'LogAxis')")


@pytest.mark.parametrize(("width", "shown"), [(1600, 1212), (400, 960)])
def test_the_picture_of_all_pairs_fits_a_wide_page_and_stays_legible_on_a_narrow_one(
    browser: Browser, width: int, shown: int
) -> None:
    """Its letters are as large as those of the other pictures. On a narrow page it scrolls sideways."""
    image = io.BytesIO()
    Image.new("RGB", (1939, 1779)).save(image, format="PNG")
    data = base64.b64encode(image.getvalue()).decode()
    style = (Path(page_module.__file__).parent / "page.css").read_text()
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(
        f'<style>{style}</style><div class="still wide"><img width="1212" height="1112" '
        f'src="data:image/png;base64,{data}"></div>'
    )
    page.wait_for_function("document.querySelector('img').complete")
    assert page.evaluate("document.querySelector('img').clientWidth") == shown
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert page.evaluate("document.querySelector('img').clientWidth") <= width
    page.close()
