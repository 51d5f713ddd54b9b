"""Profiles of common programs: how to call them, and how they report errors.

A profile is a set of defaults. Keys of the scan file have precedence. docs/bsmart.md has a table of the failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from evaluator.codes.deadline import DEFAULT_TIMEOUT, Deadline
from scanspec import CodeSpec, Section, SlhaAddress
from scanspec.codes import read_lsp
from scanspec.tools import needs_the_folder, profile_name

USUAL = Deadline()

COMPILES = Deadline(first=1800.0)
"""The deadline of a program that compiles the model at its first point, as micrOMEGAs does."""

READS = Deadline(first=DEFAULT_TIMEOUT, later=60.0)
"""The deadline of a program that reads data sets at its first point. BSMArt gives later points 60 s."""


@dataclass(frozen=True)
class Profile:
    """Defaults of a program.

    `words`, `stdin`, and `stdout` complete a command that does not name its files. `input_name` and `output_name` are
    file names that the program requires. `companions` are files in the program's folder that it needs in its working
    directory. `remove` are files that must not exist at its start. `blocks` must be in the output. One of the `flags`
    that is 0 gives a warning. An entry `unphysical` that is -1 makes the point INVALID. `heading` is the block name for
    entries before the first block of the output. `table` says that the output is a table of HiggsBounds; it gives the
    block for its results, and the column that becomes entry 101, too. `files` are written before each run. A dark
    matter candidate must be among `candidates`, if there are any.
    """

    words: tuple[str, ...] = ("{input}", "{output}")
    stdin: str | None = None
    stdout: str | None = None
    input_name: str = ""
    output_name: str = ""
    companions: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    flags: Mapping[str, SlhaAddress] = field(default_factory=dict)
    unphysical: SlhaAddress | None = None
    heading: str = ""
    table: tuple[str, str] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    candidates: frozenset[int] = frozenset()
    deadline: Deadline = USUAL


PROFILES: dict[str, Profile] = {
    # exit code always 0; a tachyon gives SPINFO 4 and no spectrum; NaN gives no output; some points hang
    "SPheno": Profile(blocks=("MASS",), remove=("Messages.out", "SPheno.out.db")),
    # exit code 255 with SPINFO 4 for a tachyon; some points take 80 times the median, so the deadline stays long
    "SOFTSUSY": Profile(words=("leshouches",), stdin="{input}", stdout="{output}", blocks=("MASS",)),
    # exit code 1 with SPINFO 4
    "FlexibleSUSY": Profile(words=("--slha-input-file={input}", "--slha-output-file={output}"), blocks=("MASS",)),
    # exit code 0 also without stability or unitarity; its block THDM has flags for them
    "2HDMC": Profile(
        flags={
            "parameters": SlhaAddress("THDM", (1,)),
            "unitarity": SlhaAddress("THDM", (2,)),
            "perturbativity": SlhaAddress("THDM", (3,)),
            "stability": SlhaAddress("THDM", (4,)),
        }
    ),
    # the first point compiles for minutes; omg.out begins with entries of no block, which BSMArt calls DARKMATTER
    "micrOMEGAs": Profile(words=("{input}",), output_name="omg.out", heading="DARKMATTER", deadline=COMPILES),
    "HiggsTools": Profile(deadline=READS),
    # these two write their results into a given SLHA file, or for a given folder into a table (see `_of_a_folder`)
    "HiggsBounds": Profile(
        words=("{input}",),
        output_name="{input}",
        blocks=("HIGGSBOUNDSRESULTS",),
        unphysical=SlhaAddress("HIGGSBOUNDSRESULTS", (1, 2)),
        deadline=READS,
    ),
    "HiggsSignals": Profile(
        words=("{input}",),
        output_name="{input}",
        blocks=("HIGGSSIGNALSRESULTS",),
        deadline=READS,
    ),
    # exit code 1 also on success; an output file with a fixed name
    "SuperIso": Profile(words=("{input}",), output_name="output.flha", blocks=("FOBS",)),
    # fixed names; a failed run leaves the output of the previous point; NUL bytes in the output
    "SUSY-HIT": Profile(
        words=(),
        input_name="slhaspectrum.in",
        output_name="susyhit_slha.out",
        companions=("susyhit.in",),
        remove=("susyhit_slha.out",),
    ),
}


def profile_of(spec: CodeSpec) -> tuple[str, Profile]:
    """The profile that a code names, or the profile with the code's name, as in BSMArt's files; else an empty profile.

    Raises ScanFileError for an unknown name.
    """
    section = spec.section
    name = profile_name(section, spec.name)
    profile = PROFILES[name] if name else Profile()
    if name in _TABLES and needs_the_folder(section):
        profile = _of_a_folder(section, name, profile)
    elif name in _TABLES and section.text("options", ""):
        profile = replace(profile, words=(*section.text("options").split(), *profile.words))
    if name == "micrOMEGAs":
        first = ("--xsections",) if section.boolean("cross_sections", False) else ()
        candidates = frozenset(read_lsp(section))
        profile = replace(profile, words=(*first, *profile.words), candidates=candidates)
    return name, profile


_TABLES = {
    "HiggsBounds": ("HIGGSBOUNDS", "obsratio", "LandH effC"),
    "HiggsSignals": ("HIGGSSIGNALS", "Pvalue", "latestresults 2 effC"),
}
"""BSMArt's block of the results, the column that becomes its entry 101, and the default options."""


def _of_a_folder(section: Section, name: str, profile: Profile) -> Profile:
    """The profile for a call as in BSMArt, `PROGRAM OPTIONS FOLDER/`. The program reads the files that SPheno wrote
    there.
    """
    block, summary, usual = _TABLES[name]
    options, files = section.text("options", ""), {}
    if "neutral_higgs" in section and "charged_higgs" in section:
        neutral, charged = section.integer("neutral_higgs"), section.integer("charged_higgs")
        options = options or f"{usual} {neutral} {charged}"
        if name == "HiggsSignals":  # uncertainties of the masses (GeV), as BSMArt has them
            files["MHall_uncertainties.dat"] = f"1  {' '.join(['5.0'] * neutral + ['3.0'] * charged)}\n"
    return replace(
        profile,
        words=(*options.split(), "{folder}/"),
        output_name=f"{name}_results.dat",
        blocks=(block,),
        unphysical=None,
        table=(block, summary),
        files=files,
    )
