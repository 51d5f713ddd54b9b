"""A target that follows the best point: its definition, what counts as good, and its spelling in the scan file."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from proposer.strategies.choice import TYPES, read_settings
from proposer.strategies.lode.energy import EnergyOfNll
from proposer.target import NONE, Found, Target, height
from scanspec import UsageError, read_scan_file

NLL = st.floats(-1e6, 1e6) | st.just(math.nan)
RULES = st.sampled_from([Target.following(3.0), Target.within(0.68, 4), Target(5.0), Target(5.0, 1.0)])


@given(st.floats(1e-6, 1 - 1e-6), st.integers(1, 200))
def test_the_height_is_half_the_quantile_of_chi_square(confidence, freedom):
    assert height(confidence, freedom) == pytest.approx(chi2.ppf(confidence, freedom) / 2, rel=1e-9)
    target = Target.within(confidence, freedom).at(-7.0)
    assert target.threshold == pytest.approx(-7.0 + chi2.ppf(confidence, freedom) / 2, rel=1e-9)


@given(RULES, st.lists(NLL, max_size=60), st.randoms())
def test_good_points_are_decided_by_the_best_of_all_points_in_any_order(rule, nll, random):
    found, come = Found(rule), list(nll)
    random.shuffle(come)
    while come:
        part = random.randint(1, len(come))
        found.add(come[:part])
        come = come[part:]
    known = [value for value in nll if not math.isnan(value)]
    best = min(known, default=math.inf)
    target = rule.at(best)
    assert found.target == target and found.best == best
    assert found.good == sum(target.contains(value) for value in known)
    if rule.follows and known:
        assert target.contains(best) and found.good == sum(
            value <= best or value < best + rule.above_best for value in known
        )


@given(RULES, NLL)
def test_a_run_stores_the_rule_and_the_present_threshold(rule, best):
    target = rule.at(best)
    assert Target.stored(target.to_meta()) == target and Target.stored(target.to_meta()).rule == rule
    assert target.at(best - 1.0) == rule.at(best - 1.0)


def test_the_target_is_described_in_words():
    rule = Target.following(3.0)
    assert rule.threshold == NONE and not rule.contains(np.array([-1e300, 0.0])).any()
    assert rule.describe() == "NLL less than 3 above the lowest"
    assert rule.at(50.25).describe() == "NLL below 53.25, 3 above the lowest"
    assert Target.within(0.95, 2).describe() == "NLL less than 2.99573 above the lowest: 95 % with 2 degrees of freedom"
    assert "68.27 % with 1 degree of freedom" in Target.within(0.6827, 1).at(2.0).describe()
    assert rule.to_meta() == {"threshold": None, "above": None, "above_best": 3.0}
    assert Target(2.0).at(-5.0) == Target(2.0) and "above_best" not in Target(2.0).to_meta()
    for wrong in (lambda: Target.following(0.0), lambda: Target.within(1.0, 2), lambda: Target.within(0.9, 0)):
        with pytest.raises(UsageError):
            wrong()


@pytest.mark.parametrize(
    "rule", [Target.following(3.0), Target.within(0.68, 4), Target(5.0), Target(5.0, 1.0)], ids=Target.describe
)
def test_a_scan_file_and_python_can_describe_the_same_target(tmp_path, rule):
    path = tmp_path / "scan.yaml"
    path.write_text(FILE.format(kind="RANDOM", networks=json.dumps(rule.to_networks())[1:-1]))
    assert read_settings(read_scan_file(path)).target == rule


FILE = """\
setup: {{type: {kind}}}
variables: {{x: {{range: [0, 1], steps: 3}}, y: {{range: [0, 1], steps: 3}}, z: 5}}
codes: {{c: {{function: 'm:f', observables: {{y1: {{mean: 1, sigma: 1}}}}}}}}
networks: {{{networks}}}
"""


@pytest.mark.parametrize("kind", sorted(TYPES.keys() - {"READ_CSV"}))
def test_every_type_reads_such_a_target(tmp_path, kind):
    def target(networks):
        path = tmp_path / "scan.yaml"
        path.write_text(FILE.format(kind=kind, networks=networks))
        return read_settings(read_scan_file(path)).target

    assert target("threshold_value: {above_best: 2.5}") == Target.following(2.5)
    assert target("confidence: 0.95") == Target.within(0.95, 2)  # two free variables, because z is fixed
    assert target("confidence: 0.68, degrees_of_freedom: 1") == Target.within(0.68, 1)


@given(st.floats(-1e5, 1e5), st.floats(0, 1e4), st.floats(0.01, 100))
def test_lodes_energy_falls_with_the_nll_and_is_below_one_in_the_target_alone(best, fall, above):
    rule, energy = Target.following(above), EnergyOfNll(Target.following(above))
    nll = np.array([best + fall + 2 * above, best + fall, best])
    energy.aim(rule.at(best + fall))
    high, at_best, low = energy(nll)
    assert high >= 1.0 - 1e-9 and at_best == pytest.approx(0.5, abs=1e-6) and 0 < low <= at_best + 1e-9
    if fall > 1e-3:
        assert low < at_best  # energies below that of the best point still differ
    before = energy.scale
    energy.aim(rule.at(best))
    moved = energy.since(np.array([high, at_best, low]), before)
    assert moved == pytest.approx(energy(nll), rel=1e-3, abs=1e-6)
