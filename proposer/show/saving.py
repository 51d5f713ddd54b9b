"""Writes a picture as a PDF, PNG or SVG file."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from proposer.run.files import writing
from scanspec import ScanFileError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS, MOST_DOTS = 300.0, 4000.0
"""The dots of a PNG per inch, and the most that it is wide."""


def save(figure: Figure, path: Path, beside: Path | None = None) -> None:
    """Writes a picture to one file or two, of the kinds that their names end with. Raises UsageError for another kind,
    and ScanFileError if the picture cannot be drawn.
    """
    for file in (path, beside):
        if file is not None:
            _save_one(figure, file)


def _save_one(figure: Figure, path: Path) -> None:
    kind = path.suffix.lower()
    supported = figure.canvas.get_supported_filetypes()
    if kind.removeprefix(".") not in supported:
        raise UsageError(
            f"--file {path}: no kind of picture is called {kind!r}", next_step="write .pdf, .png or .svg at its end"
        )
    # without dates, so that the same run gives the same file
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".eps": {"CreationDate": None}}
    try:
        picture = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about matplotlib's layout, and about glyphs that a font lacks
            dots = min(DOTS, MOST_DOTS / float(figure.get_figwidth()))
            figure.savefig(picture, format=kind.removeprefix("."), metadata=dates.get(kind), dpi=dots)
    except (ValueError, RuntimeError, OverflowError, ArithmeticError) as error:  # perhaps a label is not a formula
        words = " ".join(str(error).split())
        why = f"perhaps for a label or a range: {words:.200}"
        raise ScanFileError(f"the picture {path.name} cannot be drawn, {why}") from None
    with writing(path.parent, path.name) as file:
        file.write(picture.getvalue())
