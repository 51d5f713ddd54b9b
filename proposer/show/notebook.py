"""The live display in a notebook: one output of the cell, which is rewritten."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

from rich.console import Console, RenderableType

EVERY = 0.5
"""Seconds between two updates."""

COLUMNS = 100

_PAGE = '<pre style="white-space:pre;overflow-x:auto;line-height:normal;font-family:monospace">{code}</pre>'


class NotebookDisplay:
    """Shows the value of `render` from `start` to `stop`; the last state stays visible.

    It only needs IPython, which every notebook has; rich's own display needs widgets.
    """

    def __init__(self, render: Callable[[], RenderableType]) -> None:
        self._render, self._over = render, threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="display", daemon=True)
        self._handle: Any = None

    def start(self) -> None:
        """Shows the first state."""
        from IPython import display

        self._handle = display.display(self._page(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._thread.start()

    def stop(self) -> None:
        """Shows the last state."""
        self._over.set()
        self._thread.join()
        self._handle.update(self._page(), raw=True)

    def _refresh(self) -> None:
        while not self._over.wait(EVERY):
            self._handle.update(self._page(), raw=True)

    def _page(self) -> dict[str, str]:
        console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_jupyter=False, color_system="truecolor")
        console.print(self._render())
        page = console.export_html(inline_styles=True, code_format=_PAGE, clear=False)
        return {"text/html": page, "text/plain": console.export_text()}
