"""Stand-ins for the `eval` and `parse_expr` that scorers call on answer text: nothing ever runs.

`evaluate` computes literals and whole-number arithmetic by walking the syntax tree itself.
`check_formula` lets only plain mathematical formulas pass on to sympy, whose parser evaluates
Python. Both are pure and raise NotPlain, a ValueError, for everything else, so a scorer sees an
answer that it cannot read.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

MAX_CHARS = 8192
MAX_NODES = 4096
MAX_BITS = 4096
"""Of a whole number, at every step of a computation."""
MAX_EXPONENT = 100

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
_FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "exp",
        "log",
        "ln",
        "sqrt",
        "Abs",
    ]
)
NAMES_OF_PARSED_FORMULAS = _FUNCTIONS | {
    "Integer",
    "Float",
    "Rational",
    "Symbol",
    "Function",
    "pi",
    "E",
    "I",
}
"""All names in the code that sympy's parser makes of a formula that passed, variables aside."""


class NotPlain(ValueError):
    """The text is not of the plain kind that is computed here."""


def evaluate(text: object, *_scopes: object) -> Any:
    """The value of a literal or of arithmetic with numbers. NotPlain for everything else."""
    try:
        return _value(_tree(text))
    except (ArithmeticError, TypeError, RecursionError) as error:
        raise NotPlain("cannot be computed") from error


def _tree(text: object) -> ast.expr:
    """The syntax tree of an expression, bounded in length and nodes."""
    if not isinstance(text, str) or len(text) > MAX_CHARS:
        raise NotPlain("not a short text")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotPlain("not an expression") from error
    for count, _ in enumerate(ast.walk(tree)):
        if count > MAX_NODES:
            raise NotPlain("too long an expression")
    return tree


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        items = [_value(item) for item in node.elts]
        return {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)](items)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise NotPlain("a ** entry")
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values, strict=True) if k}
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_number(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _number(node.left), _number(node.right)
        if isinstance(node.op, ast.LShift) and not 0 <= right <= MAX_BITS:
            raise NotPlain("too large a shift")
        return _small(_BINARY[type(node.op)](left, right))
    raise NotPlain(f"{type(node).__name__} is not a plain value")


def _number(node: ast.expr) -> Any:
    value = _value(node)
    if not isinstance(value, (int, float, complex)):
        raise NotPlain("arithmetic is for numbers only")
    return _small(value)


def _small(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise NotPlain("too large a number")
    return value


def check_formula(text: object, symbols: Mapping[str, Any] | None = None) -> str:
    """The text, when it is a formula: numbers, + - * / **, names, known functions of one argument.

    Names are `symbols`, single letters (with digits) or pi. Exponents stay small, so that nothing
    grows out of proportion. NotPlain for everything else.
    """
    tree = _tree(text)
    try:
        _check(tree, frozenset(symbols or ()), powers=0)
    except RecursionError as error:
        raise NotPlain("too deeply nested") from error
    return str(text)


def _check(node: ast.expr, symbols: frozenset[str], powers: int) -> None:
    if isinstance(node, ast.Constant):
        if not _is_real(node.value, 1e30):
            raise NotPlain("not a number of a formula")
    elif isinstance(node, ast.Name):
        if not (node.id in symbols or node.id == "pi" or _is_letter(node.id)):
            raise NotPlain("not a variable of a formula")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        _check(node.operand, symbols, powers)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        if powers >= 2:
            raise NotPlain("powers of powers of powers")
        _check(node.left, symbols, powers + 1)
        _check_exponent(node.right)
        _check(node.right, symbols, powers + 1)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
        _check(node.left, symbols, powers)
        _check(node.right, symbols, powers)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and len(node.args) == 1
        and not node.keywords
    ):
        _check(node.args[0], symbols, powers)
    else:
        raise NotPlain(f"{type(node).__name__} is not part of a formula")


def _check_exponent(node: ast.expr) -> None:
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    if len(constants) > 2 or not all(_is_real(value, MAX_EXPONENT) for value in constants):
        raise NotPlain("too large an exponent")
    if any(isinstance(n, ast.Pow) for n in ast.walk(node)):
        raise NotPlain("a power as exponent")


def _is_real(value: object, limit: float) -> bool:
    """A number within the limit; True and False are no numbers of a formula."""
    return isinstance(value, (int, float)) and type(value) is not bool and abs(value) <= limit


def _is_letter(name: str) -> bool:
    return name.isascii() and name[0].isalpha() and (name[1:].isdigit() or len(name) == 1)
