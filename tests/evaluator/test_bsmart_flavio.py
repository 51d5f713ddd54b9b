"""BSMArt's tool `flavio`: it reads a program's WCxf file and gives the prediction minus that of the Standard Model."""

import json
import warnings

import pytest

from evaluator.chain import Chain, Status
from evaluator.errors import ConfigurationError
from scanspec import ScanFileError, read_scan_file

WITH_FLAVIO = [pytest.mark.physics(environment="flavio"), pytest.mark.slow]

# writes a spectrum, and Wilson coefficients in a file beside it, as SPheno does
PROGRAM = """#!/bin/sh
c9=$(awk '$1 == 1 { print $2 }' "$1")
printf 'Block MASS\\n 25 125\\n' > "$2"
cat > WCXF.MODEL <<END
{"eft": "WET", "basis": "flavio", "scale": 4.8, "values": {"C9_bsmumu": $c9, "C10_bsmumu": 0.5}}
END
"""
OBSERVABLES = {
    "BR(Bs->mumu)": {"SLHA": ["FLAVIO", [1]], "SCALING": "GAUSS", "MEAN": 0, "VARIANCE": 1e-10},
    "twice": {"FUNCTION": "2*c9"},
    "a_mu": {"SLHA": ["FLAVIO", [3]]},
}
LATER = """#!/bin/sh
awk '/FLAVIO/ { here = 1 } here && $1 == 1 { print "Block SEEN\\n 1", $2 }' spc > seen
cat seen >> spc
"""


@pytest.fixture
def old(tmp_path):
    (tmp_path / "in.slha").write_text("Block MINPAR\n 1 c9\n")
    for name, text in (("spheno", PROGRAM), ("later", LATER)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def read(observables, tool=(), codes=(), variables=None):
        content = {
            "Setup": {"RunName": "old", "Type": "Random", "Points": 10, "Spectrum File": "spc"},
            "Variables": variables or {"c9": {"RANGE": [-2, 1e7]}},
            "Codes": {
                "SPheno": {
                    "Run": "True",
                    "InputFile": "in.slha",
                    "Command": "./spheno",
                    "Observables": {"mh": {"SLHA": ["MASS", [25]], "SCALING": "GAUSS", "MEAN": 125, "VARIANCE": 1}},
                },
                "flavio": {"Run": "True", "InputFile": "WCXF.MODEL", "Observables": observables} | dict(tool),
                **dict(codes),
            },
        }
        (tmp_path / "old.json").write_text(json.dumps(content, indent=1))
        return Chain(read_scan_file(tmp_path / "old.json"))

    return read


def named(chain, outcome):
    return dict(zip((spec.name for spec in chain.specs), outcome.observables, strict=True))


class TestPredictions:
    pytestmark = WITH_FLAVIO

    @pytest.fixture(autouse=True)
    def quiet(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of flavio itself
            yield

    def test_values_are_differences_from_the_standard_model_by_position(self, old, tmp_path):
        import flavio
        import wilson

        later = {
            "later": {
                "Command": "./later",
                "InputFile": "spc",
                "OutputFile": "spc",
                "Observables": {"seen": {"SLHA": ["SEEN", [1]]}},
            }
        }
        chain = old(OBSERVABLES | {"DeltaM_s": {}}, codes=later)
        chain.load()
        outcome = chain.evaluate([-1.0], tmp_path / "scratch")
        assert (outcome.status, outcome.message) == (Status.OK, "")
        found = named(chain, outcome)
        point = wilson.Wilson({"C9_bsmumu": -1.0, "C10_bsmumu": 0.5}, 4.8, "WET", "flavio")
        beyond = {
            name: flavio.np_prediction(name, point) - flavio.sm_prediction(name)
            for name in ("BR(Bs->mumu)", "a_mu", "DeltaM_s")
        }
        assert beyond["BR(Bs->mumu)"] < -5e-10
        assert {name: found[name] for name in beyond} == beyond
        assert (found["twice"], found["mh"]) == (-2.0, 125.0)
        assert found["seen"] == beyond["BR(Bs->mumu)"]  # a later program reads the block in its spectrum
        assert chain.steps[1].code.preloads == ("flavio",)

    def test_the_block_is_written_even_without_a_spectrum_file(self, old, tmp_path):
        chain = old({"a_mu": {"SLHA": ["FLAVIO", [1]]}})
        chain.load()
        chain.steps = chain.steps[1:]
        (tmp_path / "scratch").mkdir()
        (tmp_path / "scratch" / "WCXF.MODEL").write_text(
            '{"eft": "WET", "basis": "flavio", "scale": 4.8, "values": {"C9_bsmumu": 1}}'
        )
        assert chain.evaluate([0.0], tmp_path / "scratch").status is Status.OK

    def test_a_branching_ratio_above_one_is_invalid_and_a_missing_file_is_a_failure(self, old, tmp_path):
        chain = old({"BR(B->Xsgamma)": {}, "BR(Bs->mumu)": {}})
        chain.load()
        assert chain.evaluate([0.0], tmp_path / "a").status is Status.OK
        (tmp_path / "spheno").write_text(PROGRAM.replace('"C10_bsmumu": 0.5', '"C10_bsmumu": $c9'))
        outcome = chain.evaluate([1e6], tmp_path / "b")
        assert outcome.status is Status.INVALID and "BR(Bs->mumu) = " in outcome.message
        (tmp_path / "spheno").write_text(PROGRAM.replace("> WCXF.MODEL", "> WCXF.OTHER"))
        outcome = chain.evaluate([0.0], tmp_path / "c")
        assert outcome.status is Status.FAILED and "has written WCXF.MODEL" in outcome.message

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("BR(Bs->mumi)", ["no observable 'BR(Bs->mumi)'", "did you mean 'BR(Bs->mumu)'?"]),
            ("<P5p>(B0->K*mumu)", ["given 0 numbers", "docs/codes.md shows the code `flavio: {wcxf: NAME}`"]),
        ],
    )
    def test_observables_unknown_to_flavio_are_refused_at_the_start(self, old, name, words):
        with pytest.raises(ScanFileError) as caught:
            old({name: {"SLHA": ["FLAVIO", [1]]}}).load()
        assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("observables", "tool", "words"),
    [
        ({"mu_EDM": {}}, {}, ["mu_EDM is BSMArt's own", "Python function"]),
        ({"a_mu": {}}, {"InputFile": ""}, ["needs an InputFile", "WCxf file"]),
        ({"a_mu": {}}, {"InputFile": "/tmp/WC.json"}, ["bare name"]),
        ({"a": {"flavio": "a_mu"}}, {}, ["takes each observable by its own name", "docs/codes.md"]),
    ],
)
def test_meaningless_settings_are_refused_at_the_start(old, observables, tool, words):
    with pytest.raises((ConfigurationError, ScanFileError)) as caught:
        old(observables, tool)
    assert "old.json, line" in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []


def test_without_flavio_the_message_names_the_environment_that_has_it(old):
    chain = old({"a_mu": {}})
    with pytest.raises(ScanFileError, match=r"flavio cannot be imported here .*environment: flavio"):
        chain.load()
