"""Distances of examples/desi_bao.py where they have a closed form: with matter alone, or with a cosmological constant
alone.
"""

from importlib import import_module

import pytest

from tests.evaluator.harness import DATA


@pytest.mark.parametrize("h_rd", [70.0, 140.0])
def test_distances_are_those_of_the_closed_form(h_rd, monkeypatch):
    monkeypatch.syspath_prepend(DATA.parent.parent / "examples")
    example = import_module("desi_bao")
    matter, none = (example.observables({"omega_m": omega_m, "h_rd": h_rd}) for omega_m in (1.0, 0.0))
    assert len(matter) == 12
    for name in matter:
        z, horizon = int(name[-4:]) / 1000, example.LIGHT / 100 / h_rd
        across = 2 * (1 - (1 + z) ** -0.5)
        along = (1 + z) ** -1.5
        expected = {"DM": across, "DH": along, "DV": (z * across**2 * along) ** (1 / 3)}[name[:2]]
        assert matter[name] == pytest.approx(expected * horizon, rel=1e-6)
        expected = {"DM": z, "DH": 1.0, "DV": z}[name[:2]]  # a cosmological constant alone
        assert none[name] == pytest.approx(expected * horizon, rel=1e-9)
