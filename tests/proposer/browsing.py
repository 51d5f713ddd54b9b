"""Debian's chromium, driven by playwright, and scripts that tests run in a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

READY = "Bokeh.documents.length > 0 && Bokeh.documents.every(each => each.is_idle)"
"""Whether all live pictures are drawn."""

SMALLEST = "Math.min(...[...document.querySelectorAll('p, td, th')].map(e => parseFloat(getComputedStyle(e).fontSize)))"

BROKEN_WORDS = """() => {
  const found = [];
  for (const cell of document.querySelectorAll("th, td, p")) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode()); )
      for (const word of text.data.matchAll(/\\S{1,35}(?!\\S)/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(rect => Math.round(rect.top))).size > 1) found.push(word[0]);
      }
  }
  return found;
}"""
"""The words and numbers in tables and paragraphs, of up to 35 letters, that a line break divides."""

NAMELESS = """() => {
  const found = [];
  const walk = (node) => {
    for (const at of node.querySelectorAll("*")) {
      if (at.tabIndex >= 0 && !/^(A|BUTTON|SELECT|INPUT)$/.test(at.tagName) &&
          !(at.getAttribute("role") && at.getAttribute("aria-label"))) found.push(at.className || at.tagName);
      if (at.tagName == "CANVAS" && at.getAttribute("aria-hidden") != "true") found.push("canvas");
      if (at.shadowRoot) walk(at.shadowRoot);
    }
  };
  for (const play of document.querySelectorAll(".play")) walk(play);
  return found;
}"""
"""What can have the focus in live pictures without a role and a name for screen readers."""

CONTRAST = """() => {
  const shade = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map((x) => x / 255)
      .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return shade(colour);
    }
    return 1;
  };
  const found = [];
  for (const node of document.querySelectorAll("h1, h2, p, a, td, th, caption, figcaption, button, pre")) {
    const a = shade(getComputedStyle(node).color), b = ground(node);
    found.push((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return Math.min(...found);
}"""

FAINTEST_DOTS = """() => {
  const shade = (r, g, b) => [r, g, b].map((x) => x / 255)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, k) => sum + x * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = shade(...getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number));
  const dots = [...Bokeh.documents[0].all_models]
    .filter(m => m.type == "GlyphRenderer" && ["status", "NLL"].includes(m.view.filter.column_name))
    .filter(m => m.glyph.line_color.value);   // those without a value have the colours of their NLL
  if (new Set(dots.map(m => m.view.filter.column_name)).size != 2) throw new Error("a kind of picture is missing");
  return Math.min(...dots.map(m => {
    const share = m.glyph.line_alpha.value || m.glyph.fill_alpha.value;
    const under = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number);
    const over = [16, 8, 0].map((bits) => parseInt(m.glyph.line_color.value.slice(1), 16) >> bits & 255);
    const dot = shade(...over.map((x, k) => share * x + (1 - share) * under[k]));
    return (Math.max(dot, ground) + 0.05) / (Math.min(dot, ground) + 0.05);
  }));
}"""
"""The lowest contrast between the page and dots with one colour, by status or not good."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "these tests need chromium: tools/browser.sh installs it, or says what to do"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
