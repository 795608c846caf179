from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import config, yamlfile
from core.errors import ConfigError
from core.home import Home


def load(home: Home | None = None, **kwargs: object) -> config.Effective:
    kwargs.setdefault("env", {})
    return config.load(home=home, **kwargs)  # type: ignore[arg-type]


def user_file(home: Home, text: str) -> None:
    home.config.write_text(text)


@pytest.mark.parametrize("name", ["solo", "trio", "join"])
def test_every_profile_loads(name: str) -> None:
    effective = load(profile=name)
    assert effective.profile == name
    assert set(effective.origins) == set(config.settings())
    assert effective.config.swarm.host is (name != "join")


def test_later_layers_win_and_tell_their_origin(home: Home) -> None:
    user_file(home, "profile: trio\nmodel:\n  threads: 2\nnet:\n  gather_timeout_s: 7\n")
    effective = load(
        home,
        env={"WAGGLE__NET__GATHER_TIMEOUT_S": "8", "WAGGLE_HOME": "/elsewhere"},
        sets=["game.groups=3"],
    )
    values = {key: (value, str(origin)) for key, value, origin, _ in effective.items()}
    assert effective.profile == "trio"
    assert values["swarm.nodes"] == (3, "profile configs/profiles/trio.yaml:6")
    assert values["model.threads"] == (2, f"file {home.config}:3")
    assert values["net.gather_timeout_s"] == (8.0, "environment WAGGLE__NET__GATHER_TIMEOUT_S")
    assert values["game.groups"] == (3, "flag --set game.groups")
    assert values["training.beta"] == (0.0, "default")


def test_a_profile_named_on_the_command_line_beats_the_file(home: Home) -> None:
    user_file(home, "profile: trio\n")
    assert load(home, profile="solo").config.swarm.nodes == 1


def test_a_profile_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("game: {groups: 5}\n")
    assert load(profile=str(path)).config.game.groups == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chain.contract=0x0012ab", "0x0012ab"),
        ("training.learning_rate=3e-4", 3e-4),
        ("training.learning_rate=1", 1.0),
        ('net.bootnodes=["/ip4/1.2.3.4/tcp/5"]', ["/ip4/1.2.3.4/tcp/5"]),
        ("swarm.host=false", False),
        ("model.id=a=b", "a=b"),
    ],
)
def test_flags_are_read_by_type(text: str, expected: object) -> None:
    effective = load(sets=[text])
    assert config.value_of(effective.config, text.split("=")[0]) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("game:\n  group: 4\n", ["line 2", "'game.group'", "game.groups"]),
        ("gmae:\n  groups: 4\n", ["line 1", "'gmae'", "'game'"]),
        ("game:\n  groups: four\n", ["line 2", "whole number", "'four'"]),
        ("game:\n  groups: true\n", ["line 2", "whole number"]),
        ("game:\n  groups: 0\n", ["line 2", "between 1 and 4096"]),
        ("swarm:\n  host: 1\n", ["line 2", "true or false"]),
        ("model:\n  dtype: float23\n", ["line 2", "float32, bfloat16", "Did you mean 'float32'"]),
        ("net:\n  bootnodes: /ip4/1\n", ["line 2", "list of texts"]),
        ("net:\n  gather_timeout_s: .nan\n", ["line 2", "a number"]),
        ("training:\n  seed: 1" + "0" * 30 + "\n", ["line 2", "whole number"]),
        ("model:\n  id:\n", ["line 2", "text", "nothing"]),
        ("game: 4\n", ["line 1", "section"]),
        ("game:\n  groups: 4\n  groups: 5\n", ["line 3", "twice"]),
        ("game:\n  groups: [4\n", ["line 3", "column"]),
        ("game:\n\tgroups: 4\n", ["line 2", "column 1"]),
        ("a: &x [1]\nb: *x\n", ["line 2", "aliases"]),
        ("[" * 5000, ["line 1", "deeply"]),
        ("a: !!python/object:os.system x\n", ["line 1", "plain value"]),
        ("just words\n", ["line 1", "sections"]),
        ("x: 1\n" * 60_000, ["256 KiB"]),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(
    home: Home, text: str, parts: list[str]
) -> None:
    user_file(home, text)
    with pytest.raises(ConfigError) as caught:
        load(home)
    message = str(caught.value)
    for part in [str(home.config), *parts]:
        assert part in message
    assert "\n" not in message


def test_bad_variables_and_flags_are_named() -> None:
    with pytest.raises(ConfigError, match=r"WAGGLE__MODEL__IDD.*WAGGLE__MODEL__ID\b"):
        load(env={"WAGGLE__MODEL__IDD": "x"})
    with pytest.raises(ConfigError, match=r"--set game\.groups"):
        load(sets=["game.groups=-1"])
    with pytest.raises(ConfigError, match="no value"):
        load(sets=["game.groups"])
    with pytest.raises(ConfigError, match="Did you mean 'solo'"):
        load(profile="sol")


def test_not_utf8_names_the_line(home: Home) -> None:
    home.config.write_bytes(b"game:\n  tasks: \xff\n")
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        load(home)


def test_an_empty_file_and_an_empty_section_are_fine(home: Home) -> None:
    user_file(home, "")
    assert load(home).profile == "solo"
    user_file(home, "game:\n  # groups: 4\n")
    assert load(home).config.game.groups == 16


def test_joining_needs_to_know_what_to_join() -> None:
    with pytest.raises(ConfigError, match=r"chain.rpc_url, chain.contract, net.bootnodes are"):
        config.require_complete(load(profile="join"))
    sets = ["chain.rpc_url=http://x", "chain.contract=0x1", "net.bootnodes=[/ip4/1]"]
    config.require_complete(load(profile="join", sets=sets))
    config.require_complete(load(profile="solo"))


def test_what_is_saved_is_read_back(home: Home) -> None:
    values = {"profile": "trio", "model": {"id": "some/model"}, "chain": {"contract": "0x0a"}}
    config.save_user_config(home, values)
    assert config.user_config(home) == values
    assert home.config.stat().st_mode & 0o777 == 0o600
    assert load(home).config.model.id == "some/model"


def test_a_bad_save_leaves_the_old_file(home: Home) -> None:
    config.save_user_config(home, {"game": {"groups": 4}})
    with pytest.raises(ConfigError):
        config.save_user_config(home, {"game": {"groups": 0}})
    assert config.user_config(home) == {"game": {"groups": 4}}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        yamlfile.parse("file", text)
    except ConfigError:
        pass


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(config.settings())), st.text(max_size=40))
def test_any_flag_is_used_or_refused_in_words(key: str, text: str) -> None:
    try:
        load(sets=[f"{key}={text}"])
    except ConfigError:
        pass
