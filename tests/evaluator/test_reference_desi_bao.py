"""The distances of examples/desi_bao.py: matter alone, and a cosmological constant alone, where they are known in closed form."""

import sys

import pytest

from tests.evaluator.harness import DATA

sys.path.insert(0, str(DATA.parent.parent / "examples"))


@pytest.mark.parametrize("h_rd", [70.0, 140.0])
def test_distances(h_rd):
    from desi_bao import LIGHT, observables

    matter, none = (observables({"omega_m": omega_m, "h_rd": h_rd}) for omega_m in (1.0, 0.0))
    assert len(matter) == 12
    for name in matter:
        z, horizon = int(name[-4:]) / 1000, LIGHT / 100 / h_rd
        across = 2 * (1 - (1 + z) ** -0.5)
        along = (1 + z) ** -1.5
        expected = {"DM": across, "DH": along, "DV": (z * across**2 * along) ** (1 / 3)}[name[:2]]
        assert matter[name] == pytest.approx(expected * horizon, rel=1e-6)
        expected = {"DM": z, "DH": 1.0, "DV": z}[name[:2]]  # a cosmological constant alone
        assert none[name] == pytest.approx(expected * horizon, rel=1e-9)
