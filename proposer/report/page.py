"""Puts the sections of a report into one HTML page, which loads nothing from other places."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from bokeh.document import Document
from bokeh.embed import components
from bokeh.resources import Resources
from jinja2 import Environment, select_autoescape
from markupsafe import Markup
from PIL import Image

from proposer.formats import in_short
from proposer.report.live import Live
from proposer.report.section import Part, Section
from proposer.run.files import NoRoom
from proposer.show.picture import Picture
from scanspec import VERSION, visible

_INCH = 120.0
"""Pixels of the page for one inch on paper. Then labels are as large as text."""

BOKEH = Resources(mode="inline", components=["bokeh", "bokeh-gl", "bokeh-widgets"])
"""The scripts of the live pictures."""

DPI = 192.0
"""Pixels of an image for one inch on paper."""


@dataclass(frozen=True)
class Still:
    """An image in the page: its data in base64, its size, and its description."""

    data: str
    width: int
    height: int
    says: str


@dataclass(frozen=True)
class Drawn:
    """A picture of matplotlib: `stills` are its images for the page, `files` by their format are for a paper."""

    stills: Sequence[Image.Image]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Shown:
    """A picture in the page. `live` are the elements for Bokeh's figures."""

    id: str
    says: str
    caption: str
    images: Sequence[Still]
    wide: bool
    live: Sequence[Markup]


@dataclass(frozen=True)
class Head:
    """The head of the page. `runs` are the folders. `served` is the stamp of a page that a server updates,
    else empty.
    """

    title: str
    subtitle: str
    runs: Sequence[str]
    warnings: Sequence[str] = ()
    served: str = ""


def page(head: Head, sections: Sequence[Section], lives: Sequence[Live], drawn: Callable[[Picture], Drawn]) -> str:
    """The whole page. `lives` has one element per run, in the order of the sections' parts; `drawn` returns the images
    of a picture. If a picture cannot be drawn, its part of the section has a warning instead.
    """
    roots: dict[str, Any] = {}
    made: list[dict[str, Any]] = []
    for section in sections:
        parts = []
        for number, part in enumerate(section.parts):
            live = lives[number] if len(section.parts) == len(lives) else lives[0]
            pictures, faults = _pictures(part, f"{section.name}-{number}", live, drawn, roots)
            parts.append(vars(part) | {"pictures": pictures, "warnings": [*part.warnings, *faults]})
        made.append({"name": section.name, "title": section.title, "parts": parts})
    document = Document()
    with document.models.freeze():  # otherwise every root would search all models of the document
        for root in roots.values():
            document.add_root(root)
    scripts, elements = components(roots) if roots else ("", {})
    for section_made in made:
        for part_made in section_made["parts"]:
            part_made["pictures"] = [
                replace(shown, live=[Markup(elements[str(name)]) for name in shown.live])
                for shown in part_made["pictures"]
            ]
    left = sum(live.left_out for live in lives)
    return from_template(
        "page.html",
        head=head,
        sections=made,
        resources=Markup(BOKEH.render()) if roots else "",
        scripts=Markup(scripts),
        left_out=f"Of the live pictures {left:,} points are left out, to keep the file small; the images have them."
        if left and not head.served
        else "",
    )


def from_template(name: str, **values: Any) -> str:
    """A page from a template in this folder, with the style of the report. All texts are escaped, and have no control
    characters.
    """
    here = files("proposer.report")
    environment = Environment(autoescape=select_autoescape(default=True), trim_blocks=True, finalize=_clean)
    fixed = {file.replace(".", "_"): Markup((here / file).read_text()) for file in ("head.html", "page.css", "page.js")}
    return environment.from_string((here / name).read_text()).render(version=VERSION, **fixed, **values)


def _clean(value: Any) -> Any:
    """A text that is shown in the page, such as a name of a file, without control characters. Others stay as they
    are.
    """
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _pictures(
    part: Part, prefix: str, live: Live, drawn: Callable[[Picture], Drawn], roots: dict[str, Any]
) -> tuple[list[Shown], list[str]]:
    """The pictures of a part, and a warning for each that cannot be drawn. Raises NoRoom."""
    pictures, faults = [], []
    for picture in part.pictures:
        figures: dict[str, Any] = {}
        try:
            pictures.append(_shown(picture, drawn(picture), prefix, live, figures))
        except NoRoom:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the other pictures do not depend on it
            faults.append(f"the picture {picture.name} cannot be drawn: {in_short(error)}")
        else:
            roots |= figures
    return pictures, faults


def _shown(picture: Picture, drawn: Drawn, prefix: str, live: Live, roots: dict[str, Any]) -> Shown:
    """The picture with its images. Its figures of Bokeh are added to `roots`, by name."""
    says = [picture.says, *(f"{panel.y.plain} against {panel.x.plain}" for panel in picture.panels[1:])]
    images = [_still(image, text) for image, text in zip(drawn.stills, says, strict=False)]
    names = []
    if picture.lively:
        for k, figure in enumerate(live.panels(picture)):
            names.append(Markup(f"{prefix}-{picture.name}-{k}"))
            roots[str(names[-1])] = figure
        if picture.name == "points":
            names.append(Markup(f"{prefix}-explorer"))
            roots[str(names[-1])] = live.explorer(*(live.names[1:3] if len(live.names) > 2 else (live.names * 2)[:2]))
    is_grid = picture.panels[0].grid_cell is not None
    return Shown(
        f"{prefix}-{picture.name}", picture.says, caption=picture.caption, images=images, wide=is_grid, live=names
    )


def _still(image: Image.Image, says: str) -> Still:
    file = io.BytesIO()
    image.save(file, format="PNG")
    dense = DPI / _INCH
    return Still(
        base64.b64encode(file.getvalue()).decode(), round(image.width / dense), round(image.height / dense), says
    )
