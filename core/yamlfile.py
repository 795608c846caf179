"""Reads a small YAML file of sections and keys, and remembers the line of every value.

It knows YAML and lines; what the keys mean is `config.py`'s work. Nothing is constructed but plain
values (PyYAML's safe tags); size, depth and aliases are checked on the event stream before a tree
is built, so a hostile or damaged file costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 8


@dataclass(frozen=True)
class Value:
    """A value with its place. `text` is the scalar as it was written, None for a list or map."""

    value: Any
    text: str | None
    line: int


@dataclass(frozen=True)
class Section:
    """One top-level key: either a map of keys or, with `single`, a lone value."""

    line: int
    keys: dict[str, Value]
    single: Value | None = None


def read(path: Path, name: str | None = None) -> dict[str, Section]:
    """The sections of the file, in order. `name` is how messages call it.

    ConfigError, naming file, line and column, for anything that is not a small YAML map.
    """
    shown = name or str(path)
    try:
        with path.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"Cannot read {shown}", error.strerror or str(error), "Check the path and try again"
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{shown} is larger than {MAX_BYTES // 1024} KiB", "no config is")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}, line {line}: not UTF-8 text") from error
    return parse(shown, text)


def parse_scalar(text: str) -> Any:
    """What YAML makes of a value given on the command line or in a variable. ConfigError."""
    try:
        root = _compose("the value", text)
        return None if root is None else yaml.SafeLoader("").construct_object(root, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{text!r} is not a YAML value", "", "Quote it") from error


def parse(shown: str, text: str) -> dict[str, Section]:
    """As `read`, of a text that messages call `shown`."""
    root = _compose(shown, text)
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            f"{shown}, line {_line(root)}: expected sections such as `model:`, found something else"
        )
    sections: dict[str, Section] = {}
    for key, node in root.value:
        name = _key(shown, key, sections)
        if not isinstance(node, yaml.MappingNode):
            sections[name] = Section(_line(key), {}, _value(shown, node))
            continue
        keys: dict[str, Value] = {}
        for inner, value in node.value:
            keys[_key(shown, inner, keys)] = _value(shown, value)
        sections[name] = Section(_line(key), keys)
    return sections


def _compose(shown: str, text: str) -> yaml.Node | None:
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(f"{shown}, line {_line(event)}: YAML aliases are not used here")
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > MAX_DEPTH:
                    raise ConfigError(f"{shown}, line {_line(event)}: nested too deeply")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"{shown}{place}: {error.problem or error.context or 'not valid YAML'}",
            "",
            "Correct that line; values with special characters need quotes",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{shown}: not valid YAML", " ".join(str(error).split())) from error
    except RecursionError as error:  # thousands of nested indents inside one token
        raise ConfigError(f"{shown}: nested too deeply") from error


def _key(shown: str, node: yaml.Node, seen: dict[str, Any]) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{shown}, line {_line(node)}: a key must be a plain word")
    if node.value in seen:
        raise ConfigError(f"{shown}, line {_line(node)}: `{node.value}` is there twice")
    return str(node.value)


def _value(shown: str, node: yaml.Node) -> Value:
    try:
        made = yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{shown}, line {_line(node)}: not a plain value") from error
    return Value(made, node.value if isinstance(node, yaml.ScalarNode) else None, _line(node))


def _line(item: yaml.Node | yaml.Event) -> int:
    mark = item.start_mark
    return int(mark.line) + 1 if mark else 1
