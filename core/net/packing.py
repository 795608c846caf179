"""Frozen dataclasses as msgpack arrays, strictly: exact types, and a bound for every field.

A field is a bool, an int or a float with a `Range`, a str or bytes with an `AtMost`, another such
dataclass, or a tuple of these: `Annotated[tuple[Text, ...], AtMost(64)]` of any length up to 64,
`tuple[Text, Text]` of exactly two. A field without a bound is refused when its class is first used.
Both directions check, so that a mistake on this side is found on this side. Knows no message and no
framing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
Check = Callable[[Any], Any]


@dataclass(frozen=True)
class AtMost:
    """Bytes of a byte string, characters of a text, items of a tuple."""

    length: int


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a number, which is always finite."""

    low: float
    high: float


def to_fields(value: Any) -> list[Any]:
    """The fields of a dataclass in their order; ValueError when one breaks its bound."""
    kind: Any = type(value)
    return [_checked(name, check, getattr(value, name)) for name, check in checks(kind)]


def from_fields(cls: type[T], fields: Any) -> T:
    """The dataclass of what `to_fields` gave, through msgpack; ValueError for anything else."""
    kind: Any = cls
    expected = checks(kind)
    if type(fields) is not list or len(fields) != len(expected):
        raise ValueError(f"{cls.__name__} has {len(expected)} fields")
    pairs = zip(expected, fields, strict=True)
    return cls(**{name: _checked(name, check, value) for (name, check), value in pairs})


@cache
def checks(cls: Any) -> tuple[tuple[str, Check], ...]:
    """Name and check of every field; TypeError for a field that is not bounded."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple((f.name, _check_of(hints[f.name])) for f in dataclasses.fields(cls))


def _checked(name: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _check_of(hint: Any) -> Check:
    kind, bounds = hint, ()
    if get_origin(hint) is Annotated:
        kind, *rest = get_args(hint)
        bounds = tuple(rest)
    if kind is bool:
        return _bool
    bound = bounds[-1] if bounds else None
    if kind in (int, float) and isinstance(bound, Range):
        return _number(kind, bound)
    if kind in (str, bytes) and isinstance(bound, AtMost):
        return _text(kind, bound)
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), bound)
    if dataclasses.is_dataclass(kind):
        return _nested(kind)
    raise TypeError(f"{hint} is not a bounded field")


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("not true or false")
    return value


def _number(kind: Any, bound: Range) -> Check:
    def check(value: Any) -> Any:
        if type(value) is int and kind is float:
            value = float(value)
        if type(value) is not kind or not math.isfinite(value):
            raise ValueError(f"not a finite {kind.__name__}")
        if not bound.low <= value <= bound.high:
            raise ValueError(f"not within {bound.low:g} to {bound.high:g}")
        return value

    return check


def _text(kind: Any, bound: AtMost) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"not {kind.__name__}")
        if len(value) > bound.length:
            raise ValueError(f"longer than {bound.length}")
        return value

    return check


def _nested(cls: Any) -> Check:
    """Going out it becomes a list of fields, coming in a dataclass."""
    checks(cls)
    return lambda value: to_fields(value) if type(value) is cls else from_fields(cls, value)


def _tuple(items: tuple[Any, ...], bound: Any) -> Check:
    """Arrays come back from msgpack as lists; what goes out is a tuple."""
    if len(items) == 2 and items[1] is Ellipsis:
        if not isinstance(bound, AtMost):
            raise TypeError(f"a tuple of {items[0]} is not bounded")
        longest, single = bound.length, _check_of(items[0])

        def check_all(value: Any) -> Any:
            if type(value) not in (tuple, list) or len(value) > longest:
                raise ValueError(f"not a list of at most {longest}")
            return tuple(single(item) for item in value)

        return check_all
    each = tuple(_check_of(item) for item in items)

    def check_each(value: Any) -> Any:
        if type(value) not in (tuple, list) or len(value) != len(each):
            raise ValueError(f"not a list of {len(each)}")
        return tuple(check(item) for check, item in zip(each, value, strict=True))

    return check_each
