"""One value set in config.yaml: the rest of the file stays as a person wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core import config, settings_edit
from core.errors import ConfigError, StorageError
from core.home import Home
from core.settings_edit import backup_of, config_text, edited, set_value, take_back

MINE = """\
# mine
profile: trio
model:
  id: a/b   # why
  threads: 4
# next
net:
  bootnodes:
    - /ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N
    - second   # two
  # end
chain:
  # rpc_url: x
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.create()
    found.config.write_text(MINE)
    return found


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        ("model.id", "c/d", "  id: a/b   # why\n", "  id: c/d   # why\n"),
        ("model.threads", None, "  threads: 4\n", ""),
        ("model.dtype", "float32", "  threads: 4\n", "  threads: 4\n  dtype: float32\n"),
        ("chain.rpc_url", "http://x", "chain:\n", "chain:\n  rpc_url: http://x\n"),
        ("log.level", "debug", "  # rpc_url: x\n", "  # rpc_url: x\nlog:\n  level: debug\n"),
        ("net.relay", "off", "  # end\n", "  relay: 'off'\n  # end\n"),
    ],
)
def test_only_that_line_changes(key: str, value: Any, before: str, after: str) -> None:
    assert edited(MINE, key, value) == MINE.replace(before, after)


def test_a_list_over_several_lines_is_replaced_and_taken_out_whole() -> None:
    set_ = edited(MINE, "net.bootnodes", ["z"])
    assert "  bootnodes: [z]   # two\n  # end\n" in set_
    assert "second" not in set_
    out = edited(MINE, "net.bootnodes", None)
    assert "bootnodes" not in out
    assert "# end" in out
    assert "net:" not in out


def test_what_is_not_there_cannot_be_taken_out() -> None:
    assert edited(MINE, "log.level", None) == MINE
    assert edited("{model: {id: x}}", "log.level", None) == "{model: {id: x}}"


@pytest.mark.parametrize(
    "text", ["model: {id: a/b, threads: 4}\n", "{model: {id: a/b, threads: 4}}", "model: {}"]
)
def test_a_section_in_braces_is_written_anew(text: str) -> None:
    before = yaml.safe_load(text)["model"]
    assert yaml.safe_load(edited(text, "model.id", "c/d")) == {"model": before | {"id": "c/d"}}


def test_texts_keep_their_spelling_even_then() -> None:
    text = "{chain: {contract: 0x12, rpc_url: http://x}}"
    made = edited(text, "log.level", "debug")
    assert yaml.safe_load(made)["chain"]["contract"] == "0x12"


def test_text_in_blocks_without_a_last_line_end_and_with_carriage_returns() -> None:
    block = "model:\n  id: |\n    a\n    b\n  threads: 4"
    assert yaml.safe_load(edited(block, "model.id", "x"))["model"] == {"id": "x", "threads": 4}
    assert yaml.safe_load(edited(block, "model.dtype", "auto"))["model"]["dtype"] == "auto"
    windows = "model:\r\n  id: a\r\n  threads: 4\r\n"
    made = yaml.safe_load(edited(windows, "model.threads", 2))
    assert made == {"model": {"id": "a", "threads": 2}}


def test_a_file_that_is_no_config_is_left_alone(home: Home) -> None:
    for text in ("a: [", "model:\n  id: x\n  id: y\n", "- 1\n"):
        home.config.write_text(text)
        with pytest.raises(ConfigError):
            set_value(home, "log.level", "debug", "solo")
        assert home.config.read_text() == text


def values(key: str) -> st.SearchStrategy[Any]:
    kind = config.kind_of(key)
    texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-(2**62), 2**62)
    if kind is float:
        return st.floats(-1e200, 1e200)
    return texts if kind is str else st.lists(texts, max_size=3)


KEYS = sorted(config.settings())
edits = st.lists(
    st.sampled_from(KEYS).flatmap(lambda key: st.tuples(st.just(key), st.none() | values(key))),
    max_size=12,
)


@given(edits)
def test_any_edits_in_a_row_say_what_they_should_and_keep_every_comment(
    steps: list[tuple[str, Any]],
) -> None:
    text, wanted = MINE, yaml.safe_load(MINE)
    del wanted["chain"]
    for key, value in steps:
        text = edited(text, key, value)
        section, name = key.split(".")
        if value is None:
            wanted.get(section, {}).pop(name, None)
        else:
            wanted.setdefault(section, {})[name] = value
        wanted = {k: v for k, v in wanted.items() if v != {}}
        found = yaml.safe_load(text)
        assert {k: v for k, v in found.items() if v is not None} == wanted
    assert "# mine\nprofile: trio\n" in text
    assert "# next\n" in text


@given(values("model.id") | values("net.bootnodes") | values("training.beta"))
def test_a_value_on_one_line_is_read_back(value: Any) -> None:
    assert "\n" not in config_text(value)
    assert yaml.safe_load(f"a: {config_text(value)}")["a"] == value


# --- the file ---------------------------------------------------------------------------------


def test_the_file_before_is_kept_and_comes_back(home: Home) -> None:
    saved = set_value(home, "log.level", "debug", "solo")
    assert config.load(home=home, env={}).config.log.level == "debug"
    assert backup_of(home).read_text() == MINE
    assert home.config.stat().st_mode & 0o777 == 0o600
    take_back(home, saved)
    assert home.config.read_text() == MINE
    assert "debug" in backup_of(home).read_text()


def test_a_value_that_cannot_be_changes_nothing(home: Home) -> None:
    for key, value in (("model.threads", -1), ("log.level", "loud"), ("console.ascii", "x")):
        with pytest.raises(ConfigError):
            set_value(home, key, value, "solo")
    assert home.config.read_text() == MINE
    assert not backup_of(home).exists()


def test_a_home_without_a_file_gets_one_that_names_its_profile(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    home.create()
    saved = set_value(home, "log.level", "debug", "trio")
    found = config.load(home=home, env={})
    assert (found.profile, found.config.log.level) == ("trio", "debug")
    take_back(home, saved)
    assert not home.config.exists()
    assert set_value(home, "log.level", None, "trio").after is None
    assert not home.config.exists()


def test_another_hand_between_is_not_undone(home: Home) -> None:
    saved = set_value(home, "log.level", "debug", "solo")
    theirs = home.config.read_text() + "# theirs\n"
    home.config.write_text(theirs)
    with pytest.raises(StorageError, match="another hand"):
        take_back(home, saved)
    assert home.config.read_text() == theirs


def test_secrets_are_in_no_text_of_a_change(home: Home) -> None:
    saved = set_value(home, "chain.org_id", "b2f0c6de-secret", "solo")
    assert "b2f0c6de" not in repr(saved)


def test_a_crash_while_writing_leaves_the_old_file(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(StorageError):
        settings_edit.set_value(home, "log.level", "debug", "solo")
    monkeypatch.undo()
    assert home.config.read_text() == MINE
    assert sorted(p.name for p in home.path.glob("*.yaml*")) == ["config.yaml"]
