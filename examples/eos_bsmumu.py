"""Rare B decays as functions of Wilson coefficients, with EOS (arXiv:2111.15428)."""

from functools import cache

import eos

WIDTH = 6.0 - 1.1  # GeV^2, of the bin in which rates are given


@cache
def model():
    """EOS's parameters, the Standard Model's values of those that are shifted, and the observables."""
    parameters = eos.Parameters.Defaults()
    names = [f"b->s{lepton}::Re{{c{number}}}" for lepton in ("mumu", "ee") for number in ("9", "10", "9'", "10'")]
    standard = {name: parameters[name].evaluate() for name in names}

    def observable(name, options, **kinematics):
        return eos.Observable.make(name, parameters, eos.Kinematics(**kinematics), eos.Options(model="WET", **options))

    amplitudes = {"tag": "GvDV2020", "form-factors": "BSZ2015"}
    q2 = {"q2_min": 1.1, "q2_max": 6.0}
    ratio = {f"q2_{lepton}_{end}": value for lepton in ("mu", "e") for end, value in (("min", 1.1), ("max", 6.0))}
    observables = {
        "BR_Bs_mumu": (observable("B_q->ll::BR@Untagged", {"l": "mu", "q": "s"}), 1),
        "RK": (observable("B->Kll::R_K", amplitudes | {"q": "u"}, **ratio), 1),
        "RKst": (observable("B->K^*ll::R_K^*", amplitudes | {"q": "d"}, **ratio), 1),
        "P5p_4_6": (observable("B->K^*ll::P'_5", amplitudes | {"l": "mu", "q": "d"}, q2_min=4.0, q2_max=6.0), 1),
        "dBR_BKmumu": (observable("B->Kll::BR", amplitudes | {"l": "mu", "q": "u"}, **q2), WIDTH),
        "dBR_Bsphimumu": (observable("B_s->phill::BR", amplitudes | {"l": "mu"}, **q2), WIDTH),
    }
    return parameters, standard, observables


def observables(point):
    """EOS's coefficients are the Standard Model's plus the shifts; rates are averages over the bin, in 1/GeV^2."""
    parameters, standard, found = model()
    shifts = {
        "b->smumu::Re{c9}": point["C9mu"],
        "b->smumu::Re{c10}": point["C10mu"],
        "b->smumu::Re{c9'}": point["C9pmu"],
        "b->smumu::Re{c10'}": point["C10pmu"],
        "b->see::Re{c9}": point["C9U"],
    }
    for name, value in standard.items():
        parameters.set(name, value + shifts.get(name, 0.0))
    return {name: observable.evaluate() / width for name, (observable, width) in found.items()}
