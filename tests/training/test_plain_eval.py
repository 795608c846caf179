"""Nothing in an answer is ever run; literals, arithmetic and formulas are still understood."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training import plain_eval

ATTACKS = (
    "__import__('os').system('true')",
    "().__class__.__mro__[1].__subclasses__()",
    "(lambda: 1)()",
    "[x for x in (1, 2)]",
    "open('/etc/passwd').read()",
    "exec('x = 1')",
    "f'{1}'",
    "x := 1",
    "print",
    "int('1')",
    "'a' * 10",
    "[0] * 10**9",
    "9**9**9",
    "1 << 10**9",
    "(1 if True else 2)",
    "1 and 2",
    "a.b",
    "a[0]",
    "(" * 5000,
    "-" * 8000 + "1",
    "[" * 8000,
    "1+" * 4000 + "1",
    "\x00",
    "1\x00",
    "9" * 9000,
    "1" + "0" * 5000,
    "{**{}}",
    "{[]: 1}",
    "1/0",
    "",
)


@pytest.mark.parametrize("text", ATTACKS)
def test_evaluate_refuses(text: str) -> None:
    with pytest.raises(plain_eval.NotPlain):
        plain_eval.evaluate(text)


@pytest.mark.parametrize(
    "text", [*ATTACKS[:-2], "", "'x'", "[1]", "x = 1", "1 // 2", "Symbol('x')", "xyz"]
)
def test_check_formula_refuses(text: str) -> None:
    with pytest.raises(plain_eval.NotPlain):
        plain_eval.check_formula(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[[0, 1], [1, 0]]", [[0, 1], [1, 0]]),
        ("['a', 'b']", ["a", "b"]),
        ("{'a': (1, 2.5)}", {"a": (1, 2.5)}),
        ("{1, 2}", {1, 2}),
        (" -3 // 2 ", -2),
        ("((0xa + 0x5) >> 0x1)", 7),
        ("1/2", 0.5),
        ("~5 & 0xff", 250),
        ("True", True),
        ("None", None),
        ("1+2j", 1 + 2j),
    ],
)
def test_evaluate_plain_values(text: str, value: object) -> None:
    assert plain_eval.evaluate(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "33*(55 - 23) - 77 - 30",
        "9*X**6/8 + 5*x**4 - C",
        "-exp(x)*sin(x)/2",
        "2**(1/2)",
        "x**-2",
        "pi*r**2",
    ],
)
def test_check_formula_lets_mathematics_pass(text: str) -> None:
    assert plain_eval.check_formula(text) == text


def test_powers_stay_small() -> None:
    for bomb in ("9**9**9", "9**999", "((9**9)**9)**9", "9**(99*99*99)", "9**(x**99)", "9**-101"):
        with pytest.raises(plain_eval.NotPlain):
            plain_eval.check_formula(bomb)


@given(st.recursive(
    st.integers() | st.text(max_size=5) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
))  # fmt: skip
def test_equals_literal_eval_on_literals(value: object) -> None:
    assert plain_eval.evaluate(repr(value)) == ast.literal_eval(repr(value))


@given(st.text(max_size=300) | st.text("0123456789+-*/()[]{}'\" .,_xeE\\\n", max_size=300))
def test_any_text_is_a_value_or_not_plain(text: str) -> None:
    for function in (plain_eval.evaluate, plain_eval.check_formula):
        try:
            function(text)
        except plain_eval.NotPlain:
            pass


@given(
    st.integers(-100, 100),
    st.integers(1, 100),
    st.sampled_from(["+", "-", "*", "//", "%", "&", "|", "^"]),
)
def test_arithmetic_is_pythons(a: int, b: int, operation: str) -> None:
    text = f"({a}) {operation} {b}"
    assert plain_eval.evaluate(text) == eval(text)  # noqa: S307 - the reference, on own text
