"""The numbers in docs/search.md and docs/search-steps.md are those of the code."""

import re
from pathlib import Path

import pytest

from proposer.strategies.lode import (
    acquire,
    basins,
    by_nets,
    coding,
    contest,
    descend,
    either,
    fill,
    lower,
    marginal,
    method,
    nets,
    nll,
    observables,
    plane,
    probe,
    process,
    ridges,
    roots,
    sample,
    scales,
    settings,
    solve,
    spread,
    squares,
    strategy,
    trend,
    waves,
    waving,
)

DOCS = Path(__file__).parents[2] / "docs"


def text_of(title: str, page: str = "search-steps.md") -> str:
    """The text of a section, without its line breaks."""
    _, found, rest = (DOCS / page).read_text().partition(f"{title}\n")
    assert found, f"the page has no section {title}"
    return " ".join(re.split(r"(?m)^#", rest)[0].split())


def percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"


STEPS = {
    "1. Start": [f"at least {int(1.5 * strategy.LEAST_FIRST)}"],
    "2.1 Observables": [
        f"below {observables.LEARNED:g} sigma",
        f"first {percent(process.FIRST_PART)} of the steps",
        f"{process.MOST_FIRST:,} divided by the number of observables, but at least {process.LEAST_FIRST}",
        f"more than {either.WIDE:g} `sigma` wide",
        f"span {either.DECADES:g} decades",
        f"factor of e{'⁰¹²³⁴'[int(either.WORTH)]}",
        f"at about {either.RESOLVED:g} `sigma`",
        f"below {scales.BETTER:g} times that of the present scale",
        f"from {scales.ENOUGH} points on, and again whenever there are {scales.GROWN:g} times more",
        f"of degree {roots.DEGREES[0]} to {roots.DEGREES[-1]}",
        f"at most a {['half', 'third'][roots.LEAST_POINTS - 2]} as many terms",
        f"from {roots.STARTS} random starts",
    ],
    "2.2 Resonances and steps": [
        f"above {by_nets.BAD:g} / √k for k observables",
        f"{by_nets.ENOUGH} points are known",
        f"below {by_nets.BETTER:g} times that of the process",
        f"asinh(d / w) / {marginal.SHRINK:g}",
        f"ln(1 + (d / w)²) / {2 * marginal.SHRINK:g}",
        f"{percent(marginal.OF_STEP[0] / 2)} to {percent(marginal.OF_STEP[1] / 2)} of the cube",
        f"{percent(marginal.OF_PEAK[0] / 2)} to {percent(marginal.OF_PEAK[1] / 2)} of the cube",
        f"fewer than {ridges.FEW} points",
        f"begins at {ridges.FIRST} points",
        f"{ridges.OFTEN:g} times more points",
        f"{ridges.AGAIN:g} times more points ({ridges.SOON:g} times if planes are known)",
        f"at most {ridges.FROM} points",
        f"at {marginal.FROM} of them",
        f"at most {ridges.STEPS} for all planes, {ridges.FEW_STEPS} otherwise",
        f"at most {ridges.TRIED} for each pair, and {ridges.PAIRS:,} in all",
        f"The {ridges.COMPARED} planes",
        f"larger by {ridges.OTHER_KIND:g} after a climb",
        f"by less than {ridges.WORTH:g}.",
    ],
    "2.3 The NLL alone": [f"{nets.GROWN:g} times as many points"],
    "2.4 Observables or the NLL": [
        f"last {contest.LAST} points",
        f"at least {contest.LEAST}",
        f"fewer than {contest.POOR:g} of them",
        f"{contest.AGAIN:g} times as many points",
    ],
    "2.8 From how many points": [
        f"at most {observables.MOST_POINTS:,} points",
        f"at most {by_nets.MOST_POINTS:,}.",
        f"at most {observables.MOST_NUMBERS:,} / k points, but always from {observables.LEAST_POINTS}",
        f"an energy below {observables.NEAR:g}, at least {observables.LEAST_NEAR} of them",
        f"below {observables.EXACT:g} sigma",
        f"energies above {sample.ROUGH_ABOVE:g} in step 3",
        f"above 1 + {sample.ROUGH_ABOVE - 1:g} √({observables.FEW_OUTPUTS} / k)",
    ],
    "2.9 Waves": [
        f"(above {process.PREDICTED:g} of the variance)",
        f"At most {waves.FROM} points",
        f"at least {waves.LEAST:g} and at most {waves.CELLS[2] // 4}, {waves.CELLS[3] // 4}, {waves.CELLS[4] // 4} or",
        f"or {waves.CELLS[5] // 4} periods",
        f"At most {waves.MOST} are tried, and {waves.AHEAD} more",
        f"by {waving.WORTH:g}",
    ],
    "3. Sample": [
        f"{method.PARTICLES} particles",
        f"{percent(sample.KEEP)} with the lowest energies",
        f"moves {sample.MOVES} times",
        f"last level {sample.LAST_MOVES} times, and at all others {sample.FEW_MOVES} times",
    ],
    "4.1 random": [
        f"{percent(observables.OfObservables.uniform)} of the points",
        f"with the NLL alone: {percent(nll.OfNll.uniform)}",
    ],
    "4.2 solve": [
        f"last {solve.LAST} points",
        f"{solve.MOST:g} a⁴ / (a⁴ + b⁴)",
        f"last {solve.NEWEST} points of this part and of *exploit* alone",
    ],
    "4.3 probe": [f"less than {probe.WORTH:g} of the lowest", f"at most {percent(probe.MOST)} of the batch"],
    "4.5 fill": [f"last {fill.LAST} points", f"of at least {fill.LEAST}"],
    "4.6 plane": [
        f"({plane.PARTICLES} for each plane)",
        f"product of p + {plane.LEAST:g}",
        f"at most {percent(plane.MOST)}.",
        f"fewer than {percent(plane.PAYS)} of the last {plane.LAST}",
        f"one of {plane.UNTRIED:g} points",
    ],
    "4.7 explore": [
        f"multiplied by {observables.OfObservables.wider:g},",
        f"networks of the NLL by {nll.OfNll.wider:g}.",
        f"at least {percent(acquire.LEAST_EXPLORE)} and at most {percent(acquire.MOST_EXPLORE)}",
    ],
    "4.8 exploit": [
        f"{acquire.PROMISE:g} / E²",
        f"last {acquire.LAST} points",
        f"{acquire.COARSE:g} times the median distance between neighbours among {acquire.SPREAD} candidates",
        f"{acquire.FINE:g} times the median distance of the region",
        f"h < {acquire.ENOUGH:g} of the last {acquire.NEWEST} points",
    ],
    "4.9 If the search is stuck in a local minimum": [
        f"at least {spread.PATIENCE}, and at least {spread.PATIENCE_BY_DIMENSION} for each variable",
        f"{percent(spread.BASINS_SHARE)} of the batch are steps downhill",
        f"Another {percent(spread.SHARE)}",
    ],
    "4.10 Steps downhill, with the NLL alone": [
        f"gets {percent(descend.SHARE / 2)} of the batch if the NLL is smooth, and {percent(descend.SHARE)} in more",
        f"at most {trend.MOST} points",
        f"at least {trend.LEAST} points",
        f"below {trend.BETTER:g} times that of a constant",
        f"at least {trend.APART:g} diagonals apart",
        f"{descend.APART:g} diagonals apart, and are",
        f"at most {strategy.FEW_EVALUATIONS:,}, unless",
        f"until {strategy.COLLECTED} points are good",
    ],
    "Other goals": [
        f"at least {lower.PATIENCE})",
        f"{lower.FALLING:g} / (1 + m / {lower.STEPS} d)",
        f"{lower.RESTING:g} (1 + k) / (1 + n / {basins.TRIED:g} d)",
        f"only the last {basins.LAST})",
        f"{percent(lower.OF_EACH[0])} of its points, on average",
        f"but at most {int(1.5 * strategy.MOST_FIRST)}",
    ],
}


@pytest.mark.parametrize("step", STEPS)
def test_the_numbers_of_a_step_are_those_of_the_code(step: str) -> None:
    text = text_of(f"# {step}")
    assert [words for words in STEPS[step] if words not in text] == []


def test_the_numbers_on_the_page_of_the_method_are_those_of_the_code() -> None:
    parts, batches = (text_of(f"# {title}", "search.md") for title in ("How a batch is filled", "Batches"))
    for part, words in (
        ("random", percent(observables.OfObservables.uniform)),
        ("probe", f"at most {percent(probe.MOST)}"),
        ("plane", f"at most {percent(plane.MOST)}"),
        ("explore", f"at most {percent(acquire.MOST_EXPLORE)}"),
    ):
        assert re.search(rf"\| `{part}` \| [^|]* \| [^|]*{words}", parts), part
    assert f"at most {settings.BATCH} points" in batches
    assert f"at most {settings.SECONDS:,.0f} s divided by `seconds_per_point`" in batches
    assert f"never below {settings.LEAST_BATCH}." in batches
    for seconds, evaluations in ((0.0, 300), (100.0, float("inf"))):
        size = settings.LodeSettings(evaluations=evaluations, seconds=seconds).batch
        key = f"`seconds_per_point: {seconds:g}`" if seconds else f"`max_evaluations: {evaluations}`"
        assert re.search(rf"{key} it is {size}\b", batches), key


def test_counts_in_words_are_those_of_the_code() -> None:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    networks = text_of("# 2.3 The NLL alone")
    assert f"*{words[nets.MEMBERS].capitalize()} small networks.* Each has {words[nets.RESIDUALS]} outputs" in networks
    assert f"one to {words[squares.RESIDUALS]} squared polynomials" in networks
    assert f"If {words[coding.SIGNED]} or more different values are negative" in text_of("# 2.1 Observables")
    planes = text_of("# 2.2 Resonances and steps")
    assert f"at most {words[ridges.MOST]} planes for one observable, and {words[ridges.IN_ALL]} in all" in planes
    assert f"up to {words[spread.BASINS]} basins" in text_of("# 4.9 If the search is stuck in a local minimum")
