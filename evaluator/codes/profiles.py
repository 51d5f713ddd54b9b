"""What is known of the usual programs: how they are called, and how they say that something is wrong.

A profile is a set of defaults; every key that the scan file gives wins. The quirks are
those of the table of failures in docs/bsmart.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluator.deadline import DEFAULT_TIMEOUT
from scanspec import CodeSpec, SlhaAddress
from scanspec.tools import profile_name

COMPILES = 1800.0
"""Seconds for a first point that compiles a model, as micrOMEGAs does."""


@dataclass(frozen=True)
class Profile:
    """Defaults of a program.

    `words`, `stdin` and `stdout` complete a command that says nothing of its files;
    `input_name` and `output_name` are names that the program insists on; `companions` are
    files beside the program that it wants in its working directory; `remove` are files
    that must not be there when it starts. `exit_codes` of a good run are None when they
    say nothing; `blocks` must be in the output. `append` says that the output holds further
    blocks for the spectrum file, and is no spectrum. A `flag` that is 0 gives a warning.
    """

    words: tuple[str, ...] = ("{input}", "{output}")
    stdin: str | None = None
    stdout: str | None = None
    input_name: str = ""
    output_name: str = ""
    companions: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    exit_codes: frozenset[int] | None = frozenset({0})
    blocks: tuple[str, ...] = ()
    append: bool = False
    flags: Mapping[str, SlhaAddress] = field(default_factory=dict)
    timeout: float = DEFAULT_TIMEOUT
    first_timeout: float | None = None


PROFILES: dict[str, Profile] = {
    # exit code 0 whatever happens; a tachyon leaves SPINFO 4 and no spectrum; NaN: no output; some points hang
    "SPheno": Profile(blocks=("MASS",), remove=("Messages.out", "SPheno.out.db")),
    # exit code 255 with SPINFO 4 for a tachyon; some points take 80 times the median, so the deadline stays long
    "SOFTSUSY": Profile(words=("leshouches",), stdin="{input}", stdout="{output}", blocks=("MASS",)),
    # exit code 1 with SPINFO 4
    "FlexibleSUSY": Profile(
        words=("--slha-input-file={input}", "--slha-output-file={output}"), blocks=("MASS",)
    ),
    # exit code 0 while stability or unitarity fail; the driver writes a flag for each
    "2HDMC": Profile(
        flags={
            "stability": SlhaAddress("FLAGS", (1,)),
            "unitarity": SlhaAddress("FLAGS", (2,)),
            "perturbativity": SlhaAddress("FLAGS", (3,)),
        }
    ),
    # the first point compiles for minutes
    "micrOMEGAs": Profile(words=("{input}",), output_name="omg.out", append=True, first_timeout=COMPILES),
    # the first point reads the data sets; BSMArt gives later ones 60 s
    "HiggsTools": Profile(append=True, timeout=60.0, first_timeout=DEFAULT_TIMEOUT),
    # both write their results into the file that they read
    "HiggsBounds": Profile(
        words=("{input}",), output_name="{input}", blocks=("HIGGSBOUNDSRESULTS",),
        timeout=60.0, first_timeout=DEFAULT_TIMEOUT,
    ),
    "HiggsSignals": Profile(
        words=("{input}",), output_name="{input}", blocks=("HIGGSSIGNALSRESULTS",),
        timeout=60.0, first_timeout=DEFAULT_TIMEOUT,
    ),
    # exit code 1 on success too; an output file of a fixed name
    "SuperIso": Profile(
        words=("{input}",), output_name="output.flha", exit_codes=None, blocks=("FOBS",), append=True
    ),
    # fixed names; a failed run leaves the output of the point before; NUL bytes in it
    "SUSY-HIT": Profile(
        words=(), input_name="slhaspectrum.in", output_name="susyhit_slha.out", companions=("susyhit.in",),
        remove=("susyhit_slha.out",),
    ),
}  # fmt: skip

def profile_of(spec: CodeSpec) -> tuple[str, Profile]:
    """The profile that a code names, or that has the code's own name, as in BSMArt's files; else an empty one.

    Raises ScanFileError for a name that is not known.
    """
    name = profile_name(spec.section, spec.name)
    return name, PROFILES[name] if name else Profile()
