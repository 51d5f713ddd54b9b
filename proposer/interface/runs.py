"""A run as an object: its points as pandas tables, its pictures, its report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path, PosixPath
from typing import Literal

import numpy as np
import pandas as pd

from proposer.run.dataset import Dataset
from proposer.run.files import START, DatasetError
from proposer.run.record import RunRecord
from proposer.run.tables import to_frame
from proposer.target import Target
from scanspec import UsageError

_SHOWN = 10  # columns in a notebook


WIDTH = 640
"""The width of a picture in a notebook, in pixels of the page. Its file has as many as a paper needs."""


class PicturePath(PosixPath):
    """The path of a picture, which a notebook shows as the picture; for a PDF it shows the PNG beside it."""

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, object], dict[str, object]] | None:
        """The picture, its width on the page, and a text for screen readers."""
        image, kind = (self, "image/svg+xml") if self.suffix == ".svg" else (self.with_suffix(".png"), "image/png")
        if not image.is_file():
            return None
        content = image.read_text() if image is self else image.read_bytes()
        return {kind: content, "text/plain": repr(self)}, {kind: {"alt": f"picture of {self.stem}", "width": WIDTH}}


class Run:
    """The run in a folder. A scan may still work on it: each call reads the points that are there.

    Raises DatasetError if there is no run.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        with Dataset(self.folder, read_only=True) as dataset:
            record = RunRecord.read(dataset.meta())
        if not record.started:
            raise DatasetError(f"{self.folder}: the run has not started yet", next_step=START)
        self.variables, self.observables = record.variables, record.observables
        self._rule = record.target

    @property
    def target(self) -> Target:
        """Which points are good. A target that follows the best NLL takes the best point so far."""
        with Dataset(self.folder, read_only=True) as dataset:
            return dataset.now(self._rule)

    def points(self) -> pd.DataFrame:
        """All answered points, one row per point, indexed by id.

        Columns: iteration, origin, status, the variables, the observables, NLL, seconds, failed_code, message,
        warnings, missing; numbers in the units of the scan file, NaN where there is none.
        """
        with Dataset(self.folder, read_only=True) as dataset:
            frames = [to_frame(part, self.variables, self.observables) for part in dataset.results()]
        if not frames:
            return pd.DataFrame(columns=[*self.variables, *self.observables, "NLL"]).rename_axis("id")
        return pd.concat(frames, ignore_index=True).set_index("id")

    def good(self) -> pd.DataFrame:
        """The good points, as `points` has them: a map of the region, not a sample of a distribution."""
        return self._good_of(self.points())

    def _good_of(self, points: pd.DataFrame) -> pd.DataFrame:
        nll = points["NLL"].to_numpy(dtype=np.float64)
        return points[self._rule.at(float(np.nanmin(nll, initial=np.inf))).contains(nll)]

    def best(self, n: int = 1) -> pd.DataFrame:
        """The n points with the lowest NLL, the best first."""
        return self.points().sort_values("NLL", kind="stable").dropna(subset=["NLL"]).head(n)

    def plot(
        self,
        x: str,
        y: str,
        file: Path | str | None = None,
        *,
        profile: bool = False,
        levels: Sequence[float] | None = None,
        colour: str | None = None,
        zoom: Literal["good"] | None = None,
        xlog: bool = False,
        ylog: bool = False,
    ) -> PicturePath:
        """Draws two columns into `file`, or as PDF and PNG into `plots/`. The options are those of `lodescan plot`.
        Returns the path, which a notebook shows as the picture.

        `profile`: draw the regions of the profile NLL, at `levels` in percent (by default 68 and 95), and the best
        point. `colour`: a column that colours the points. `zoom="good"`: show only the region of the good points.
        `xlog`, `ylog`: a logarithmic axis. Raises UsageError for a missing column, and for options that do not fit
        together.
        """
        from proposer.report.profile_picture import draw_profile
        from proposer.show.plots import View, draw_columns
        from proposer.show.profiles import LEVELS

        if zoom not in (None, "good"):
            raise UsageError(f"zoom is {zoom!r}, and there is only one zoom", next_step='write zoom="good"')
        if levels is not None and not profile:
            raise UsageError("levels are those of the regions of a profile", next_step="add profile=True")
        if profile and colour is not None:
            raise UsageError("a profile has the colours of its levels", next_step="leave out colour or profile")
        probabilities = LEVELS if levels is None else sorted({level / 100.0 for level in levels})
        if not probabilities or not 0.0 < probabilities[0] <= probabilities[-1] < 1.0:
            raise UsageError(f"levels are {levels!r}", next_step="give percentages between 0 and 100, such as (68, 95)")
        view = View(zoom == "good", xlog, ylog, colour)

        path = None if file is None else Path(file)
        if profile:
            return PicturePath(draw_profile(self.folder, [x, y], probabilities, path, view))
        return PicturePath(draw_columns(self.folder, [x, y], path, view))

    def report(self, file: Path | str | None = None) -> Path:
        """Writes report.html, as `lodescan report` does, and returns its path."""
        from proposer.report.write import write_report

        return write_report([self.folder], None if file is None else Path(file))[0]

    def __repr__(self) -> str:
        found = self.points()
        good = len(self._good_of(found))
        return f"Run({str(self.folder)!r}): {len(found):,} points, {good:,} good ({self.target.describe()})"

    def _repr_html_(self) -> str:
        best = self.best(5)
        shown = best[[name for name in ["NLL", *self.variables, *self.observables] if name in best][:_SHOWN]]
        return f"<p>{escape(repr(self))}</p>{shown.to_html(escape=True)}"


def open_run(folder: Path | str) -> Run:
    """The run in a folder. Raises DatasetError if there is none."""
    return Run(folder)
