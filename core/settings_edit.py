"""Sets one value in the home's config.yaml, and leaves the rest of the file as a person wrote it.

The value is put into the text at the place that YAML's own parser names, so comments, order and
spacing stay; where the layout allows that not (a section in braces, say), the file is written anew
without them. Either way the result is read back before it is kept: it says what the old file said,
but for that one value. The file before is kept as config.yaml.bak.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import config, yamlfile
from core.errors import ConfigError, StorageError
from core.home import Home, atomic_write, exclusive, storage_errors

HEAD = "# What was chosen in the console. Edit freely: `waggle config show` checks it.\n"
LOCK = "config.lock"


@dataclass(frozen=True)
class Saved:
    """One change of the file. before, after: its text, None where there is no file. They may hold
    secrets, so they are in no `repr`."""

    key: str
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)


def backup_of(home: Home) -> Path:
    return home.config.with_name(f"{home.config.name}.bak")


def set_value(home: Home, key: str, value: Any, profile: str) -> Saved:
    """Write the value; None takes the key out, so that profile or default counts again.

    profile: what a file that is made now names. ConfigError when the value or the file cannot be
    used, StorageError; then nothing is changed.
    """
    with exclusive(home.path / LOCK):
        before = _read(home)
        text = before if before is not None else f"{HEAD}profile: {config_text(profile)}\n"
        after = edited(text, key, value)
        if before is None and value is None:
            return Saved(key, None, None)
        config.check_user_text(home, after)
        if after != before:
            _write(home, before, after)
        return Saved(key, before, after)


def take_back(home: Home, saved: Saved) -> None:
    """Put the file back as it was before that change. StorageError when it is another one now."""
    with exclusive(home.path / LOCK):
        now = _read(home)
        if now != saved.after:
            raise StorageError(
                f"{home.config} was changed by another hand since",
                "taking this back would undo that, too",
                "Set the value itself to what it should be",
            )
        if saved.before is None:
            if now is not None:
                _keep(home, now)
                with storage_errors(home.config):
                    home.config.unlink(missing_ok=True)
        elif now != saved.before:
            _write(home, now, saved.before)


def _read(home: Home) -> str | None:
    if not home.config.exists():
        return None
    yamlfile.read(home.config)  # bounded, and a sentence for what cannot be read
    with storage_errors(home.config):
        return home.config.read_bytes().decode()


def _write(home: Home, before: str | None, after: str) -> None:
    if before is not None:
        _keep(home, before)
    atomic_write(home.config, after.encode())


def _keep(home: Home, text: str) -> None:
    atomic_write(backup_of(home), text.encode())


# --- the text ---------------------------------------------------------------------------------


def edited(text: str, key: str, value: Any) -> str:
    """The file with that one value set, or taken out for None. ConfigError when it is no config."""
    wanted = _plain(text)
    section, name = key.split(".")
    if value is None:
        if name not in wanted.get(section, {}):
            return text
        del wanted[section][name]
    else:
        if not isinstance(wanted.setdefault(section, {}), dict):
            wanted[section] = {}
        wanted[section][name] = value
    wanted = {k: v for k, v in wanted.items() if v != {}}
    made = _in_place(text, section, name, value)
    if made is not None and _same(made, wanted):
        return made
    return HEAD + _dumped(wanted, flow=False)


def _plain(text: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, section in yamlfile.parse("config.yaml", text).items():
        if section.single is None:
            out[name] = {k: _meant(f"{name}.{k}", v) for k, v in section.keys.items()}
        elif section.single.value is not None:
            out[name] = section.single.value
    return {name: value for name, value in out.items() if value != {}}


def _meant(key: str, value: yamlfile.Value) -> Any:
    """A text keeps its spelling, as when it is read: 0x12 stays an address."""
    texts = key in config.settings() and config.kind_of(key) is str
    spelled = texts and value.text is not None and value.value is not None
    return value.text if spelled else value.value


def _same(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return _plain(text) == wanted
    except ConfigError:
        return False


def _in_place(text: str, section: str, name: str, value: Any) -> str | None:
    """None where the layout is one that this knows no place in."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return text if value is None else _appended(text, section, name, value)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    found = next(((k, v) for k, v in root.value if k.value == section), None)
    if found is None:
        return text if value is None else _appended(text, section, name, value)
    head, body = found
    if isinstance(body, yaml.ScalarNode):  # nothing yet, or comments only
        return text if value is None else _below(text, head.end_mark.index, "  ", name, value)
    if body.flow_style or not body.value:
        return None
    pair = next(((k, v) for k, v in body.value if k.value == name), None)
    if value is None:
        if pair is None:
            return text
        alone = len(body.value) == 1
        return _without(text, head if alone else pair[0], _end(pair[1]))
    if pair is None:
        indent = " " * body.value[0][0].start_mark.column
        return _below(text, _end(body.value[-1][1]), indent, name, value)
    start, end = pair[0].end_mark.index, _end(pair[1])
    tail = "\n" if getattr(pair[1], "style", None) in ("|", ">") else ""
    return f"{text[:start]}: {config_text(value)}{tail}{text[end:]}"


def _end(node: Any) -> int:
    """Where a node's own text ends. A block's mark is where the next token begins, behind all
    comments that follow it."""
    import yaml

    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _appended(text: str, section: str, name: str, value: Any) -> str:
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{section}:\n  {name}: {config_text(value)}\n"


def _below(text: str, index: int, indent: str, name: str, value: Any) -> str:
    """A new line below the one that `index` is in."""
    end = text.find("\n", index)
    if end < 0:
        return f"{text}\n{indent}{name}: {config_text(value)}\n"
    return f"{text[:end]}\n{indent}{name}: {config_text(value)}{text[end:]}"


def _without(text: str, key: Any, end: int) -> str:
    """Without the lines from that key's to the one that `end` is in."""
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    after = text.find("\n", end)
    return text[:start] + ("" if after < 0 else text[after + 1 :])


def config_text(value: Any) -> str:
    """A value on one line, as YAML reads it back."""
    text = _dumped(value, flow=True)
    return text.removesuffix("\n").removesuffix("...").removesuffix("\n")


def _dumped(value: Any, flow: bool) -> str:
    import yaml

    made: str = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=2**30
    )
    return made
