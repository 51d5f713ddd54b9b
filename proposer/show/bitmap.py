"""Draws the many dots of a figure once, as a bitmap that all formats share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.transforms import IdentityTransform


class _Bitmap(AxesImage):
    """An image that is drawn pixel by pixel at its own `dpi`."""

    dpi, corner = 0.0, (0.0, 0.0)

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        """The image, the position of its lower left corner, and what transforms it."""
        if unsampled or renderer.dpi != self.dpi or magnification != 1.0:
            return super().make_image(renderer, magnification, unsampled)
        return np.asarray(self.get_array())[::-1], *self.corner, IdentityTransform()  # from the bottom up


def dots_as_bitmaps(figure: Figure, dpi: float) -> None:
    """Replaces everything in the figure that is marked as rasterized: in each of its axes by one image of it, at `dpi`
    and on a transparent ground.
    """
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    for ax in figure.axes:
        dots = sorted((one for one in ax.get_children() if one.get_rasterized()), key=lambda one: one.get_zorder())
        if not dots:
            continue
        ax.set_xlim(ax.get_xlim())  # the limits stay, even if the dots themselves have chosen them
        ax.set_ylim(ax.get_ylim())
        renderer = canvas.get_renderer()
        renderer.clear()
        for one in dots:
            one.draw(renderer)
        every, box = np.asarray(renderer.buffer_rgba()), ax.bbox
        left, low, right, high = math.floor(box.x0), math.floor(box.y0), math.ceil(box.x1), math.ceil(box.y1)
        image = _Bitmap(
            ax,
            interpolation="none",
            origin="upper",
            extent=(
                (left - box.x0) / box.width,
                (right - box.x0) / box.width,
                (low - box.y0) / box.height,
                (high - box.y0) / box.height,
            ),
        )
        image.set_data(every[len(every) - high : len(every) - low, left:right].copy())
        image.dpi, image.corner = dpi, (left, low)
        image.set_transform(ax.transAxes)
        image.set_clip_path(ax.patch)
        image.set_zorder(dots[-1].get_zorder())
        for one in dots:
            one.remove()
        ax.add_artist(image)
