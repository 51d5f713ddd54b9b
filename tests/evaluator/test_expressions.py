"""Expressions of scan files: what they can contain, and what is refused."""

import math
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.errors import ConfigurationError
from evaluator.expressions import Expression
from scanspec.expressions import ExpressionError, parse

NAMES = {"m0": 3.0, "tanb": 10.0, "gamma": 2.0, "zero": 0.0, "big": 1e200, "minus": -8.0}
VARIABLES = [3.0, 10.0]


def value(text):
    return Expression(text, NAMES, "scan.yaml, line 7", len(VARIABLES))(NAMES, VARIABLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m0**2 + 2*VARIABLE[1]", 29.0),
        ("22", 22),
        ("-m0", -3.0),
        ("+m0", 3.0),
        ("  m0 ", 3.0),
        ("math.sqrt(tanb**2 - 19)", 9.0),
        ("sqrt(81) + math.pi", 9.0 + math.pi),
        ("abs(minus) + min(m0, tanb) + max(m0, tanb, 11)", 22.0),
        ("gamma + gamma(5)", 26.0),  # a variable and a function with the same name
        ("m0 if tanb > 5 else 0", 3.0),
        ("tanb // 3 + tanb % 3", 4.0),
        ("atan2(1, 1)*4", math.pi),
        ("int(m0 + 0.7)", 3),
        ("round(m0/7, 3)", 0.429),
        ("10**2", 100),
        ("2**64", 2.0**64),
        ("factorial(5)", 120.0),
        ("sum([m0, tanb]) + max([m0, tanb]) + min((m0, tanb)) + sum(m0, 1)", 30.0),
        ("e", math.e),
        ("inf", math.inf),
    ],
)
def test_expressions_are_evaluated(text, expected):
    found = value(text)
    assert math.isclose(found, expected, rel_tol=1e-15)
    assert isinstance(found, int) == isinstance(expected, int)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("m0 > 2 and tanb < 11", True),
        ("m0 > 4 or tanb == 10", True),
        ("not m0 > 4", True),
        ("1 < m0 <= 3", True),
        ("(m0 > 2) & (tanb > 20)", False),
        ("(m0 > 2) | (tanb > 20)", True),
        ("m0 != 3", False),
        ("True and not False", True),
        ("nan > 1", False),
    ],
)
def test_conditions_are_evaluated(text, holds):
    assert bool(value(text)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "1/zero",
        "sqrt(minus)",
        "log(zero)",
        "big**2",
        "minus**0.5",
        "zero**-1",
        "exp(big)",
        "asin(m0)",
        "tanb % zero",
        "max(minus**0.5, 1) * nan",
        "9**9**9**9",
        "factorial(tanb*100)",
        "int(1/zero)",
        "abs(minus**0.5)",
    ],
)
def test_what_has_no_value_is_nan(text):
    assert math.isnan(value(text))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "m0.__class__",
        "m0.real",
        "math.__dict__",
        "math.sqrt.__self__",
        "(lambda: 1)()",
        "[m0 for m0 in (1, 2)]",
        "{m0: 1}",
        "{m0}",
        "[m0]",
        "(m0, m0)",
        "sum(x for x in VARIABLE)",
        "'a' * 10",
        "b'a'",
        "f'{m0}'",
        "'%s' % m0",
        "eval('1')",
        "exec('1')",
        "open('/etc/passwd')",
        "getattr(m0, 'real')",
        "VARIABLE",
        "VARIABLE[m0]",
        "VARIABLE[0:1]",
        "VARIABLE[2]",
        "VARIABLE[-1]",
        "VARIABLE[True or 1]",
        "tanb[0]",
        "sqrt(x=m0)",
        "sqrt(*VARIABLE)",
        "m0 := 3",
        "(m0 := 3)",
        "m0 = 3",
        "import os",
        "m0; m0",
        "m0 in m0",
        "m0 is m0",
        "1 << 100000000",
        "~m0 @ m0",
        "1j",
        "None",
        "...",
        "yield m0",
        "await m0",
        "",
        "#",
        "m0 +",
        "(" * 5000 + ")" * 5000,
        "-" * 100_000 + "1",
        "sqrt()",
        "sqrt(1, 2, 3)",
        "m0(3)",
        "m0\x00",
        "1 if m0",
    ],
)
def test_everything_else_is_refused_before_it_runs(text):
    with pytest.raises(ConfigurationError) as caught:
        Expression(text, NAMES, "scan.yaml, line 7", len(VARIABLES))
    assert str(caught.value).startswith("scan.yaml, line 7: ") and len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("m1**2", "'m1', which is not a variable, derived variable or earlier observable; did you mean 'm0'?"),
        ("sqr(m0)", "unknown function; did you mean 'sqrt'?"),
        ("math.foo", "'foo'"),
        ("VARIABLE[2]", "there are 2 variables, counted from 0"),
        ("abs([m0])", "may hold numbers"),
        ("1.5D-3*m0", "write 1.5e-3 for 1.5D-3"),
        ("1e400*m0", "has a number that is too large"),
    ],
)
def test_the_message_for_a_refused_expression_gives_a_hint(text, hint):
    with pytest.raises(ConfigurationError) as caught:
        Expression(text, NAMES, "here", len(VARIABLES))
    assert hint in str(caught.value)


@pytest.mark.parametrize("text", ["9**9**9", "((9**64)**64)**64", "99999**99999", "10**400 * 10**400", "2**10**10"])
def test_powers_are_bounded(text):
    start = time.process_time()
    found = value(text)
    assert math.isnan(found) or isinstance(found, float)
    assert time.process_time() - start < 1


@settings(max_examples=200)
@given(a=st.floats(-1e3, 1e3), b=st.floats(-1e3, 1e3))
def test_it_computes_what_python_does(a, b):
    names = {"a": a, "b": b}
    for text in ("a + b*2 - a/3", "(a - b)**2", "abs(a)**1.5", "a < b", "min(a, b) if a > 0 else max(a, b)"):
        expected = eval(text, {"abs": abs, "min": min, "max": max}, names)
        assert Expression(text, names, "here", 0)(names, []) == expected


@pytest.mark.parametrize(
    ("text", "known", "name"),
    [
        ("x-y", ("x", "y", "x-y"), "x-y"),
        ("2*(mu/T)", ("mu", "T", "mu/T"), "mu/T"),
        ("e+ + 1", ("e+",), "e+"),
        ("True + 1", ("True",), "True"),
        ("x - y", ("x", "y", "x-y"), None),
        ("xx-y", ("xx", "y", "x-y"), None),
        ("x + 10", ("x", "1"), None),
        ("True*x", ("x",), None),
    ],
)
def test_a_name_that_could_be_an_expression_is_refused_where_it_stands_in_one(text, known, name):
    """Else x-y would be a difference, and a variable `True` would be 1."""
    if name is None:
        parse(text, known, 2)
    else:
        with pytest.raises(ExpressionError, match=f"two ways; the name '{re.escape(name)}' cannot stand in an expr"):
            parse(text, known, 2)


@pytest.mark.parametrize("text", ["{{x}}", "${x}", "$x", "$x$", "@x@", "%x%", "<x>", "[x]", "[[x]]"])
def test_a_placeholder_of_another_program_is_explained(text):
    with pytest.raises(ExpressionError, match="write what is between the signs alone"):
        parse(text, ["x"], 1)
