"""The effective configuration of a node: layers, checks, and the origin of every value.

Layers, later ones win: defaults (`schema.py`) < profile (`configs/profiles/NAME.yaml` or a path)
< `config.yaml` of the home < environment (`WAGGLE__MODEL__ID=...`) < flag (`--set model.id=...`).
It knows how a value is found and checked; what a value means is written in `schema.py`.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core import yamlfile
from core.errors import ConfigError
from core.home import REPO_ROOT, Home, atomic_write
from core.schema import Config

PROFILES = REPO_ROOT / "configs" / "profiles"
DEFAULT_PROFILE = "solo"
ENV_PREFIX = "WAGGLE__"


@dataclass(frozen=True)
class Origin:
    """Where a value comes from. layer: default, profile, file, environment or flag."""

    layer: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.layer} {self.where}".strip()


@dataclass(frozen=True)
class Effective:
    """A checked configuration; `origins` has every key, such as `model.id`."""

    config: Config
    origins: Mapping[str, Origin]
    profile: str = DEFAULT_PROFILE

    def items(self) -> Iterator[tuple[str, Any, Origin, str]]:
        """(key, value, origin, meaning) of every setting, in the order of the schema."""
        for key, spec in settings().items():
            yield key, value_of(self.config, key), self.origins[key], str(spec.metadata["doc"])


@cache
def settings() -> dict[str, dataclasses.Field[Any]]:
    """Every setting by its key, in the order of the schema."""
    sections = typing.get_type_hints(Config)
    return {
        f"{section}.{spec.name}": spec
        for section, cls in sections.items()
        for spec in dataclasses.fields(cls)
    }


@cache
def _types() -> dict[str, Any]:
    sections = typing.get_type_hints(Config)
    return {
        f"{section}.{name}": kind
        for section, cls in sections.items()
        for name, kind in typing.get_type_hints(cls).items()
    }


def kind_of(key: str) -> Any:
    """The type of a setting: str, bool, int, float or list[str]."""
    return _types()[key]


def value_of(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def profiles() -> list[str]:
    """Names of the profiles that come with Waggle."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def load(
    profile: str | None = None,
    home: Home | None = None,
    env: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
) -> Effective:
    """Read, layer and check. ConfigError names the place of the first value that cannot be used.

    profile: a name or a path; None takes `profile:` of the home's config.yaml, else `solo`.
    sets: texts `section.key=value`, as given to --set.
    """
    env = os.environ if env is None else env
    user, user_profile = _user_layer(home)
    name = profile or user_profile or DEFAULT_PROFILE
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for key, spec in settings().items():
        factory = spec.default_factory
        values[key] = spec.default if factory is dataclasses.MISSING else factory()
        origins[key] = Origin("default")
    layers = (_profile_layer(name), user, _env_layer(env), _flag_layer(sets))
    for layer in layers:
        for key, (value, origin) in layer.items():
            values[key] = value
            origins[key] = origin
    return Effective(_build(values), origins, name)


def require_complete(effective: Effective) -> None:
    """ConfigError when a node could not start: joining needs to know what to join."""
    config = effective.config
    if config.swarm.host:
        return
    missing = []
    if config.chain.enabled:
        missing += [f"chain.{k}" for k in ("rpc_url", "contract") if not getattr(config.chain, k)]
    listed = config.chain.enabled and config.chain.rpc_url and config.chain.contract
    if config.net.enabled and not config.net.bootnodes and not listed:
        missing.append("net.bootnodes")
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"Profile {effective.profile} joins a swarm, but {', '.join(missing)} {verb} empty",
            "it is not known which swarm to join",
            f"Ask whoever runs the swarm, then give them, for example --set {missing[0]}=..., or "
            "start your own swarm with --profile solo",
        )


def save_user_config(home: Home, values: Mapping[str, Any]) -> None:
    """Write the home's config.yaml, whole: `{"profile": "solo", "model": {"id": "..."}}`.

    What was written there by hand (comments) is gone: `settings_edit` keeps it.
    Everything is checked first; ConfigError leaves the old file as it is. StorageError.
    """
    import yaml

    text = "# What was chosen in the console. Edit freely: `waggle config show` checks it.\n"
    text += yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    check_user_text(home, text)
    atomic_write(home.config, text.encode())


def check_user_text(home: Home, text: str) -> None:
    """ConfigError when that could not be the home's config.yaml."""
    _layer("file", str(home.config), yamlfile.parse(str(home.config), text))


def user_config(home: Home) -> dict[str, Any]:
    """What `save_user_config` wrote, checked; empty when there is none."""
    layer, profile = _user_layer(home)
    out: dict[str, Any] = {"profile": profile} if profile else {}
    for key, (value, _) in layer.items():
        section, name = key.split(".")
        out.setdefault(section, {})[name] = value
    return out


# --- layers -----------------------------------------------------------------------------------

Layer = dict[str, tuple[Any, Origin]]


def _profile_layer(name: str) -> Layer:
    path = PROFILES / f"{name}.yaml"
    if "/" in name or name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
    elif not path.is_file():
        raise ConfigError(
            f"There is no profile {name!r}",
            f"known are {', '.join(profiles())}",
            _suggest(name, profiles()) or "Choose one of these, or give the path of a YAML file",
        )
    shown = str(path.relative_to(REPO_ROOT)) if path.is_relative_to(REPO_ROOT) else str(path)
    return _layer("profile", shown, yamlfile.read(path, shown))[0]


def _user_layer(home: Home | None) -> tuple[Layer, str | None]:
    if home is None or not home.config.exists():
        return {}, None
    return _layer("file", str(home.config), yamlfile.read(home.config))


def _layer(
    layer: str, shown: str, sections: Mapping[str, yamlfile.Section]
) -> tuple[Layer, str | None]:
    out: Layer = {}
    profile = None
    known = {key.split(".")[0] for key in settings()}
    for name, section in sections.items():
        place = f"{shown}, line {section.line}"
        if name == "profile" and layer == "file" and section.single is not None:
            profile = section.single.text or None
            continue
        if name not in known:
            raise ConfigError(f"{place}: unknown section {name!r}", "", _suggest(name, known))
        if section.single is not None:
            if section.single.value is None:
                continue  # a section whose keys are all commented out
            raise ConfigError(
                f"{place}: {name} is a section", "its settings stand below it, indented"
            )
        for inner, value in section.keys.items():
            key = f"{name}.{inner}"
            place = f"{shown}, line {value.line}"
            _known(key, place)
            made = _checked(key, value.value, value.text, place)
            out[key] = (made, Origin(layer, f"{shown}:{value.line}"))
    return out, profile


def _env_layer(env: Mapping[str, str]) -> Layer:
    out: Layer = {}
    for variable in sorted(env):
        if not variable.startswith(ENV_PREFIX):
            continue
        key = variable.removeprefix(ENV_PREFIX).lower().replace("__", ".", 1)
        place = f"environment variable {variable}"
        _known(key, place, lambda k: ENV_PREFIX + k.upper().replace(".", "__"))
        out[key] = (from_text(key, env[variable], place), Origin("environment", variable))
    return out


def _flag_layer(sets: Sequence[str]) -> Layer:
    out: Layer = {}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise ConfigError(f"--set {text}: no value", "", "Write it as --set section.key=value")
        place = f"--set {key}"
        _known(key, place)
        out[key] = (from_text(key, value, place), Origin("flag", f"--set {key}"))
    return out


def from_text(key: str, text: str, place: str) -> Any:
    """The value that a person means by that text. ConfigError, naming `place`."""
    value: Any = text if _types()[key] is str else yamlfile.parse_scalar(text)
    return _checked(key, value, text, place)


# --- checks -----------------------------------------------------------------------------------


def _known(key: str, place: str, spell: Any = str) -> None:
    if key not in settings():
        close = difflib.get_close_matches(key, settings(), n=1, cutoff=0.6)
        section = key.split(".")[0]
        inside = [k for k in settings() if k.startswith(f"{section}.")]
        step = f"Did you mean {spell(close[0])}?" if close else ""
        if not step and inside:
            step = f"Known are {', '.join(spell(k) for k in inside)}"
        raise ConfigError(
            f"{place}: unknown setting {key!r}", "", step or "`waggle config show` lists them all"
        )


def _checked(key: str, value: Any, text: str | None, place: str) -> Any:
    """The value in the type of its setting, inside its bounds. `text`: as written, if a scalar."""
    kind = _types()[key]
    made = _converted(kind, value, text)
    if made is None:
        raise ConfigError(
            f"{place}: {key} must be {_named(kind)}, not {_shown(value)}", "", _example(key)
        )
    meta = settings()[key].metadata
    low, high, choices = meta["low"], meta["high"], meta["choices"]
    if choices and made not in choices:
        raise ConfigError(
            f"{place}: {key} cannot be {_shown(made)}",
            f"it is one of {', '.join(choices)}",
            _suggest(str(made), choices),
        )
    if (low is not None and made < low) or (high is not None and made > high):
        bounds = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise ConfigError(f"{place}: {key} is {made:g}, but must be {bounds}", "", _example(key))
    return made


def _converted(kind: Any, value: Any, text: str | None) -> Any:
    """None when the value does not fit. A text keeps its spelling: 0x12 stays an address."""
    if kind is str:
        return text if text is not None and value is not None else None
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and abs(value) < 2**63 else None
    if kind is float:
        if isinstance(value, str):  # YAML 1.1 reads 5e-4 as text
            try:
                value = float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if abs(value) < 1e300 else None  # neither infinite nor NaN
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(value)
    return None


def _named(kind: Any) -> str:
    names = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    return names.get(kind, "a list of texts")


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _example(key: str) -> str:
    spec = settings()[key]
    doc = str(spec.metadata["doc"])
    default = [] if spec.default is dataclasses.MISSING else spec.default
    return f"{doc} The default is {default!r}"


def _suggest(word: str, known: Sequence[str] | set[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else ""


def _build(values: Mapping[str, Any]) -> Config:
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    kinds = typing.get_type_hints(Config)
    return Config(**{name: kinds[name](**fields) for name, fields in sections.items()})
