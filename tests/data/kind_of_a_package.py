"""A kind of physics code that another package might bring: it looks up the nearest row of a table."""

import csv

from evaluator.codes.protocol import Code
from scanspec.files import read_text


class NearestRow(Code):
    key = "nearest_row"
    settings = ("file", "column")
    defined_names = ("distance",)

    def __init__(self, spec, scan, known):
        super().__init__(spec, scan, known)
        path = self.folder / self.own.text("file")
        rows = csv.DictReader(read_text(path).splitlines())
        self.rows = [{name: float(value) for name, value in row.items()} for row in rows]
        self.column = self.own.text("column")

    def run(self, point):
        row = min(self.rows, key=lambda row: abs(row[self.column] - point[self.column]))
        point.names["distance"] = abs(row[self.column] - point[self.column])
        return {name: value for name, value in row.items() if name != self.column}
