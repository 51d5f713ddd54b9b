"""A small scan file, which tests change."""

BASE = """\
variables:
  m0: [0, 10]
codes:
  toy:
    function: toy:f
    observables:
      x: {mean: 1, sigma: 2}
"""


def observable(settings, name="x"):
    return BASE.replace("x: {mean: 1, sigma: 2}", f"{name}: {settings}")
