"""Profiles of common programs, and chains of them; each is imitated by a small program that really runs."""

import re
import shutil
from pathlib import Path

import pytest

from evaluator.chain import Chain, Status
from evaluator.codes.outputs import results_table
from evaluator.codes.profiles import PROFILES
from evaluator.errors import CodeFailed, ConfigurationError
from scanspec import read_scan_file, tools
from tests.evaluator.harness import DATA, PROGRAMS

TEMPLATE = "Block MODSEL\n 1 mode\n"
MH = "mh: {slha: [MASS, 25], mean: 125, sigma: 2}"


@pytest.fixture
def run(tmp_path):
    """Runs one point through codes, given as the lines of a section `codes`."""
    for path in (*PROGRAMS.iterdir(), *(DATA / "profiles").iterdir()):
        shutil.copy(path, tmp_path)
    (tmp_path / "in.slha").write_text(TEMPLATE)
    chains = {}

    def evaluate(codes, mode=1, more=""):
        if codes not in chains:
            (tmp_path / "scan.yaml").write_text(f"variables: {{mode: [0, 10]}}\n{more}\ncodes:\n{codes}")
            chains[codes] = Chain(read_scan_file(tmp_path / "scan.yaml"))
        point = tmp_path / f"point{mode}{len(list(tmp_path.iterdir()))}"
        return chains[codes].evaluate([float(mode)], point), point

    return evaluate


def code(name, command, observables, settings=""):
    lines = "".join(f"    {line}\n" for line in settings.splitlines())
    return f"  {name}:\n    command: {command}\n{lines}    observables: {{{observables}}}\n"


@pytest.mark.parametrize(
    ("name", "program", "mode", "status", "message"),
    [
        ("SPheno", "spheno.sh", 1, Status.OK, ""),
        ("SPheno", "spheno.sh", 2, Status.INVALID, "SPINFO 4: tachyon"),
        ("SPheno", "spheno.sh", 3, Status.FAILED, "no output"),
        ("SPheno", "spheno.sh", 5, Status.FAILED, "signal 11"),
        ("SOFTSUSY", "softsusy.sh", 1, Status.OK, ""),
        ("SOFTSUSY", "softsusy.sh", 2, Status.INVALID, "[ stau tachyon ]"),
        ("SOFTSUSY", "softsusy.sh", 3, Status.OK, ""),
        ("SOFTSUSY", "softsusy.sh", 4, Status.FAILED, "exit code 255"),
        ("FlexibleSUSY", "flexiblesusy.sh", 1, Status.OK, ""),
        ("FlexibleSUSY", "flexiblesusy.sh", 2, Status.INVALID, "SPINFO 4: tachyon(hh)"),
        ("FlexibleSUSY", "flexiblesusy.sh", 3, Status.FAILED, "exit code 1: cannot read the input"),
        ("FlexibleSUSY", "flexiblesusy.sh", 4, Status.FAILED, "no block MASS"),
        ("2HDMC", "thdmc.sh", 1, Status.OK, ""),
        ("2HDMC", "thdmc.sh", 2, Status.OK, ""),
    ],
)
def test_a_spectrum_generator_gives_its_masses(run, name, program, mode, status, message):
    outcome, _ = run(code("gen", f"./{program}", MH, f"profile: {name}\ninput_file: in.slha"), mode)
    assert outcome.status is status and message in outcome.message
    assert outcome.observables[0] > 100 if status is Status.OK else outcome.missing == [0]


def test_a_profile_by_the_name_of_the_code(run):
    """In BSMArt's files a code has the name of its program."""
    outcome, _ = run(code("FlexibleSUSY", "./flexiblesusy.sh", MH, "input_file: in.slha"))
    assert (outcome.status, outcome.warnings) == (Status.OK, ["SPINFO 3: warning: large scale"])
    plain = "input_file: in.slha\nprofile: none\ninvalid_when: {spinfo: no}"
    outcome, _ = run(code("SPheno", "./spheno.sh", MH, plain), 2)
    assert "no block MASS" in outcome.message and outcome.status is Status.FAILED


def test_flags_without_a_window_are_warnings(run):
    settings = "profile: 2HDMC\ninput_file: in.slha"
    outcome, _ = run(code("a", "./thdmc.sh", MH, settings), 2)
    assert (outcome.status, outcome.warnings) == (Status.OK, ["unitarity: THDM 2 is 0"])
    assert run(code("a", "./thdmc.sh", MH, settings), 1)[0].warnings == []
    window = f"{MH}, unitary: {{slha: [THDM, 2], valid: 1}}"
    outcome, _ = run(code("a", "./thdmc.sh", window, settings), 2)
    assert (outcome.status, outcome.warnings) == (Status.INVALID, [])
    named = f"{settings}\nflags: {{stable: [THDM, 4], 'unitary': [THDM, [2]]}}"
    assert run(code("a", "./thdmc.sh", MH, named), 2)[0].warnings == ["unitary: THDM 2 is 0"]


SPECTRUM = code("gen", "./gen.sh", MH, "input_file: in.slha")


@pytest.fixture
def generator(tmp_path):
    def write(*blocks):
        text = "\\n".join(["Block SPINFO", " 3 doubtful", *blocks])
        (tmp_path / "gen.sh").write_text(f"#!/bin/sh\nprintf '{text}\\n' > $2\n")
        (tmp_path / "gen.sh").chmod(0o755)

    write("Block MODSEL", " 1 1", "Block MASS", " 25 1.25E+02", " 1000022 1.0E+02")
    return write


def test_a_chain_of_all_programs_gives_one_spectrum(run, generator):
    """Some programs write their own output, some append, and one changes the spectrum in place; at the end the spectrum
    has all of it.
    """
    codes = SPECTRUM
    codes += code("hit", "./hit.sh", "br: {slha: [BR, [25, [-5, 5]]]}", "profile: SUSY-HIT")
    codes += code("SuperIso", "./superiso.sh", "bsg: {slha: [FOBS, [5, 1]], column: 3}")
    codes += code("HiggsBounds", "./higgsbounds.sh", "hb: {slha: [HiggsBoundsResults, [1, 2]], valid: 1}")
    codes += code("dark", "./dark.sh", "omega: {slha: [DARKMATTER, 1]}", "profile: micrOMEGAs")
    codes += code("HiggsTools", "./higgstools.sh", "chi2: {slha: [HIGGSTOOLS, 11]}")
    late = "observables: {late: {slha: [MASS, 1000022]}, ratio: {slha: [HIGGSBOUNDSRESULTS, [1, 3]]}}"
    outcome, point = run(codes, more=late)
    assert (outcome.status, outcome.message) == (Status.OK, "")
    assert outcome.observables == pytest.approx([125, 0.6, 3.4e-4, 1, 0.12, 95, 100, 0.7269277933450029])
    assert outcome.warnings == ["SPINFO 3: doubtful"]  # once, although five programs give it
    assert (point / "susyhit.in").exists() and (point / "omg.out").exists()


def test_susyhit_finds_its_settings(run, generator, tmp_path):
    (tmp_path / "susyhit.in").unlink()
    outcome, _ = run(SPECTRUM + code("hit", "./hit.sh", "br: {slha: [BR, [25, [5, -5]]]}", "profile: SUSY-HIT"))
    assert outcome.status is Status.FAILED and "susyhit.in is missing" in outcome.message


@pytest.mark.parametrize("name", ["HiggsBounds", "HiggsSignals"])
def test_a_program_in_place_that_writes_nothing_fails_the_point(run, generator, name):
    generator("Block MASS", " 35 1.0E+02", " 6 125")
    spectrum = SPECTRUM.replace("[MASS, 25]", "[MASS, 6]")
    outcome, _ = run(spectrum + code(name, "./higgsbounds.sh", f"hb: {{slha: [{name}Results, [1, 2]]}}"))
    assert (outcome.status, outcome.failed_code) == (Status.FAILED, name)
    assert f"no block {name.upper()}RESULTS" in outcome.message


def test_entries_of_micromegas_before_the_first_block_are_block_darkmatter(run, generator):
    """This is as in BSMArt. What follows stays as it is, and so does the spectrum."""
    wide = "lsp: {slha: [DARKMATTER, 2]}, zp: {slha: [ZPEEDIN, 2]}, xs: {slha: [XSECTION, [13000, 2212, 2212, 31]]}"
    wanted = f"omega: {{slha: [DARKMATTER, 1]}}, {wide}"
    codes = SPECTRUM + code("MicrOmegas", "./dark.sh", wanted, "cross_sections: yes")
    outcome, _ = run(codes, more="observables: {m1: {slha: [MASS, 1000022]}}")
    assert (outcome.status, outcome.message) == (Status.OK, "")
    assert outcome.observables == [125.0, 0.12, 1000022.0, 2500.0, 1.5e-3, 100.0]
    assert outcome.warnings == ["SPINFO 3: doubtful"]


@pytest.mark.parametrize(
    ("allowed", "status", "message"),
    [
        ("[1000022, 1000012]", Status.OK, ""),
        ("[1000012]", Status.INVALID, "the dark matter candidate has the PDG number 1000022"),
    ],
)
def test_the_candidate_for_dark_matter_is_checked(run, generator, allowed, status, message):
    codes = SPECTRUM + code("MicrOmegas", "./dark.sh", "omega: {slha: [DARKMATTER, 1]}", f"lsp: {allowed}")
    outcome, _ = run(codes)
    assert outcome.status is status and message in outcome.message


def test_an_appended_output_cannot_add_to_the_block_before_it(run, generator, tmp_path):
    """Entries without a block do not become entries of the spectrum's last block."""
    (tmp_path / "more.sh").write_text("#!/bin/sh\nprintf '# more\\n 25 1.0\\nBlock EXTRA\\n 1 7\\n' > $2\n")
    (tmp_path / "more.sh").chmod(0o755)
    more = code("more", "./more.sh", "extra: {slha: [EXTRA, 1]}, still: {slha: [MASS, 25]}", "append: yes")
    outcome, _ = run(SPECTRUM + more)
    assert outcome.observables == [125.0, 7.0, 125.0]
    assert outcome.warnings[-1] == "the first entries of more.out.slha are in no block and were left out"


@pytest.mark.parametrize("name", ["HiggsBounds", "HiggsSignals"])
@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("command: ./higgsbounds.sh {usual} 3 1", ""),
        ("Command: ./higgsbounds.sh", "Options: '{usual} 3 1'"),
        ("Command: ./higgsbounds.sh", "Neutral Higgs: 3\nCharged Higgs: '1'"),
        ("command: ./higgsbounds.sh {usual} 3 1 {{folder}}/", ""),
    ],
)
def test_higgsbounds_reads_the_files_of_a_folder(run, generator, tmp_path, name, command, settings):
    """It is called as in BSMArt: it reads files that SPheno left in the folder, and its table becomes a block."""
    script = tmp_path / "gen.sh"
    script.write_text(script.read_text() + "touch effC.dat MHall_uncertainties.dat\n")
    usual = {"HiggsBounds": "LandH effC", "HiggsSignals": "latestresults 2 effC"}[name]
    block = name.upper()
    wanted = {"HiggsBounds": {3: 1.0, 4: 328.0, 101: 0.7269277933450029}, "HiggsSignals": {5: 107.0, 101: 0.948}}[name]
    observables = ", ".join(f"o{entry}: {{slha: [{block}, [{entry}]]}}" for entry in wanted)
    lines = "".join(f"    {line}\n" for line in settings.format(usual=usual).splitlines())
    codes = f"{SPECTRUM}  {name}:\n    {command.format(usual=usual)}\n{lines}    observables: {{{observables}}}\n"
    outcome, point = run(codes)
    assert (outcome.status, outcome.message) == (Status.OK, "")
    assert outcome.observables == [125.0, *wanted.values()]
    uncertainties = (point / "MHall_uncertainties.dat").read_text()
    written = name == "HiggsSignals" and "Neutral" in settings
    assert uncertainties.split() == (["1", "5.0", "5.0", "5.0", "3.0"] if written else [])


def test_options_are_kept_even_if_the_command_contains_the_same_word(run, generator, tmp_path):
    (tmp_path / "twice.sh").write_text('#!/bin/sh\nshift 2\necho "$@" > words\nexec "$@"\n')
    (tmp_path / "twice.sh").chmod(0o755)
    script = tmp_path / "gen.sh"
    script.write_text(script.read_text() + "touch effC.dat\n")
    command = f"./twice.sh -n 1 {tmp_path}/higgsbounds.sh"
    codes = code("HiggsBounds", command, "hb: {slha: [HIGGSBOUNDS, 101]}", "options: LandH effC 1 1")
    outcome, point = run(SPECTRUM + codes)
    assert outcome.status is Status.OK
    assert (point / "words").read_text().split()[1:] == ["LandH", "effC", "1", "1", f"{point}/"]


def test_higgsbounds_without_its_input_files_is_a_failure(run, generator):
    ratio = "hb: {slha: [HIGGSBOUNDS, 101]}"
    outcome, _ = run(SPECTRUM + code("HiggsBounds", "./higgsbounds.sh LandH effC 3 1", ratio))
    assert outcome.status is Status.FAILED
    assert "no output HiggsBounds_results.dat" in outcome.message and "problem opening" in outcome.message


@pytest.mark.parametrize("results", [" #cols: n a\n", " 1 2.0 ** 3\n", ""])
@pytest.mark.parametrize(
    ("settings", "status", "message"),
    [
        ("invalid_when: {exit_codes: [3]}", Status.INVALID, "exit code 3: out of range"),
        ("invalid_when: {stderr: range}", Status.INVALID, "out of range"),
        ("", Status.FAILED, "exit code 3: out of range"),
        ("success: {exit_codes: any}", Status.FAILED, "results"),
    ],
)
def test_the_verdict_comes_before_the_table_is_read(run, generator, tmp_path, results, settings, status, message):
    table = f"printf '{results}' > HiggsBounds_results.dat\n" if results else ""
    (tmp_path / "breaks.sh").write_text(f"#!/bin/sh\n{table}echo out of range >&2\nexit 3\n")
    (tmp_path / "breaks.sh").chmod(0o755)
    codes = code("HiggsBounds", "./breaks.sh LandH effC 3 1", "hb: {slha: [HIGGSBOUNDS, 101]}", settings)
    outcome, _ = run(SPECTRUM + codes)
    assert outcome.status is status and message in outcome.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" #cols: n a\n", "no line of numbers"),
        (" 1 2.0 ** 3\n", "hold '**' where a number belongs"),
        (" #cols: n a b obsratio\n 1 2.0\n 3 0.5\n", "the last line of its results has 1 numbers for 3 columns"),
    ],
)
def test_results_that_are_not_a_table_fail_the_point(text, words):
    with pytest.raises(CodeFailed, match=re.escape(words)):
        results_table(text, "HIGGSBOUNDS", "obsratio")


@pytest.mark.parametrize(
    ("settings", "results", "ratio"),
    [
        (
            "Neutral Higgs: 1\nCharged Higgs: 0",
            " #cols: n Mh(1) HBresult chan obsratio\n 1 125 -1 0 -1.0\n",
            "HIGGSBOUNDS, 101",
        ),
        ("Options: LandH SLHA 1 0", "Block HiggsBoundsResults\n 1 2 -1\n 1 3 0.0\n", "HiggsBoundsResults, [1, 3]"),
    ],
)
def test_a_point_that_higgsbounds_cannot_judge_is_invalid(run, generator, tmp_path, settings, results, ratio):
    """The ratio that it gives, 0 or -1, would otherwise be the best one."""
    (tmp_path / "results.txt").write_text(results)
    script = f'#!/bin/sh\nfor last; do :; done\ncat {tmp_path}/results.txt >> "${{last%/}}"'
    script += "/HiggsBounds_results.dat\n" if "Neutral" in settings else "\n"
    (tmp_path / "judge.sh").write_text(script)
    (tmp_path / "judge.sh").chmod(0o755)
    outcome, _ = run(SPECTRUM + code("HiggsBounds", "./judge.sh", f"hb: {{slha: [{ratio}]}}", settings))
    assert (outcome.status, outcome.message) == (Status.INVALID, "HiggsBounds: HBresult is -1, the point is unphysical")


def test_a_relic_density_that_was_not_computed_is_invalid(run, generator, tmp_path):
    (tmp_path / "omega.sh").write_text("#!/bin/sh\necho '1 -1.0 # Omega' > omg.out\n")
    (tmp_path / "omega.sh").chmod(0o755)
    limit = "omega: {slha: [DARKMATTER, 1], mean: 0.12, sigma: 0.01, scaling: UPPER}"
    outcome, _ = run(SPECTRUM + code("micrOMEGAs", "./omega.sh", limit))
    assert (outcome.status, outcome.message) == (Status.INVALID, "omega = -1 is outside [0, inf]")


@pytest.mark.slow
def test_only_the_first_point_of_a_code_that_compiles_may_take_long(run, generator, tmp_path):
    codes = SPECTRUM + code("micrOMEGAs", "./dark.sh", "omega: {slha: [DARKMATTER, 1]}", "timeout: 0.5")
    assert run(codes)[0].status is Status.OK  # the profile's first deadline is long
    (tmp_path / "compiled").unlink()
    assert run(codes)[0].status is Status.TIMED_OUT


def test_a_later_code_may_replace_the_spectrum(run, generator, tmp_path):
    (tmp_path / "second.sh").write_text("#!/bin/sh\ngrep -q 1000022 $1 && printf 'Block MASS\\n 25 126\\n' > $2\n")
    (tmp_path / "second.sh").chmod(0o755)
    second = code("second", "./second.sh", "mh2: {slha: [MASS, 25]}", "input_file: spectrum.in")
    outcome, point = run(SPECTRUM + second)
    assert (outcome.status, outcome.observables) == (Status.OK, [125.0, 126.0]) and (point / "spectrum.in").exists()
    third = code("third", "./second.sh", "lsp: {slha: [MASS, 1000022]}", "append: no")
    outcome, _ = run(SPECTRUM + third)
    assert outcome.status is Status.FAILED and "no entry MASS 1000022" in outcome.message
    outcome, _ = run(SPECTRUM + third.replace("append: no", "append: yes"))
    assert "no entry MASS 1000022" in outcome.message  # the later code has its own block MASS, which replaces the first
    (tmp_path / "second.sh").write_text("#!/bin/sh\ngrep -q 1000022 $1 && printf 'Block EXTRA\\n 1 7\\n' > $2\n")
    outcome, _ = run(SPECTRUM + third.replace("append: no", "append: yes\n    output_file: output.slha"))
    assert outcome.observables == [125.0, 100.0]


def test_a_spectrum_that_lies_in_the_folder_is_not_taken_for_a_template(run, generator, tmp_path):
    (tmp_path / "second.sh").write_text("#!/bin/sh\ncp $1 $2\n")
    (tmp_path / "second.sh").chmod(0o755)
    (tmp_path / "spectrum.in").write_text("Block MASS\n 25 777.\n")
    second = code("second", "./second.sh", "mh2: {slha: [MASS, 25]}", "input_file: spectrum.in")
    with pytest.raises(ConfigurationError, match=r"works on the spectrum .* as 'spectrum.in'.*Remove or rename"):
        run(SPECTRUM + second)
    (tmp_path / "spectrum.in").write_text("Block MASS\n 25 100.+mode\n")  # an independent file
    outcome, _ = run(SPECTRUM + second)
    assert outcome.observables == [125.0, 101.0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("profile: SPhemo", "there is no profile 'SPhemo'; did you mean 'SPheno'?"),
        ("flags: {a: 7}", "flags: a is 7, but must be [BLOCK, [indices]]"),
        ("append: maybe", "must be true or false"),
    ],
)
def test_wrong_settings_of_a_profile_are_refused(run, settings, words):
    with pytest.raises((ConfigurationError, ValueError)) as caught:
        run(code("gen", "./spheno.sh", MH, f"input_file: in.slha\n{settings}"))
    assert words in str(caught.value)


def test_every_profile_is_used_in_a_test():
    text = Path(__file__).read_text()
    assert set(PROFILES) == set(tools.PROFILES)
    assert all(name in text for name in PROFILES)
