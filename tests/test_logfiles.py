"""All log files as one: the index agrees with a plain reader, whatever is in the files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.home import Home
from core.logfiles import segment as segments
from core.logfiles.pages import Filter
from core.logfiles.scan import scan
from core.logfiles.segment import Segment
from core.logfiles.timeline import parse
from tests.logfile_support import Opened, backwards, line, merged_of, text_of, write_logs

small = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
entries = st.tuples(
    st.integers(0, 40),
    st.sampled_from(LEVELS),
    st.text(
        st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
        max_size=30,
    ),
    st.lists(st.sampled_from(["  File x", "ValueError: no", "", "    \u6f22 {}"]), max_size=3),
)


def written(made: list[tuple[int, str, str, list[str]]]) -> str:
    """A log with those entries; the steps of its clock may go backwards now and then."""
    out, clock = [], 0.0
    for step, level, text, tail in made:
        clock = max(0.0, clock + (step - 3) / 100)
        out.append(line(clock, level, text))
        out += [each + "\n" for each in tail]
    return "".join(out)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def opened(home: Home) -> Iterator[Opened]:
    found = Opened(home)
    yield found
    found.close()


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every boundary there is, in files of a few lines."""
    monkeypatch.setattr(segments, "BLOCK", 200)
    monkeypatch.setattr(segments, "CHUNK", 700)


@small
@given(st.dictionaries(st.sampled_from("abc"), st.lists(entries, min_size=1, max_size=25)))
def test_all_logs_are_one_in_time_order(tmp_path_factory, tiny_blocks, made) -> None:
    home = Home(tmp_path_factory.mktemp("logs"))
    files = {name: written(each) for name, each in made.items()}
    write_logs(home, files)
    found = Opened(home)
    found.pages.filter = Filter(fold=False)
    expected = merged_of(files)
    assert found.texts() == expected
    assert [text_of(group) for group in backwards(found.pages)] == expected[::-1]
    found.close()


@small
@given(st.lists(entries, min_size=1, max_size=30), st.data())
def test_a_log_that_grows_reads_as_if_it_had_been_there(
    tmp_path_factory, tiny_blocks, made, data
) -> None:
    home, whole = Home(tmp_path_factory.mktemp("logs")), written(made).encode()
    write_logs(home, {"node": ""})
    found = Opened(home)
    found.pages.filter = Filter(fold=False)
    at = 0
    while at < len(whole):  # in pieces that end anywhere, also inside a letter
        size = data.draw(st.integers(1, len(whole) - at))
        with home.log.open("ab") as log:
            log.write(whole[at : at + size])
        at += size
        while found.look_again():
            pass
    assert "".join(found.texts()) == whole.decode()
    lines = sum(part.block.lines for part in found.pages.timeline.parts[0])
    assert lines == whole.count(b"\n")
    found.close()


@small
@given(st.lists(st.one_of(st.binary(max_size=300), st.just(line(1, "INFO", "x").encode()))))
def test_any_bytes_are_covered_once_and_without_a_gap(tmp_path_factory, tiny_blocks, parts) -> None:
    path = tmp_path_factory.mktemp("logs") / "node.log"
    path.write_bytes(b"".join(parts))
    found = Segment(path, 1)
    while found.low > 0:
        found.step_back()
    at = 0
    for block in found.blocks:
        assert block.offset == at
        at += block.size
        data = found.read(block.offset, block.size)
        entries = scan(data, segments.latest())
        assert sum(block.counts) == len(entries.starts)
        assert block.lines == entries.line_count
    assert at == path.stat().st_size
    found.close()


def test_every_place_is_found_again(home: Home, tiny_blocks) -> None:
    write_logs(home, {"node": written([(4, "INFO", f"n{i}", []) for i in range(60)])})
    write_logs(home, {"net": written([(9, "INFO", f"p{i}", []) for i in range(30)])})
    found = Opened(home)
    spot = found.pages.first()
    while spot is not None:
        place = found.pages.place(found.pages.group(spot))
        assert found.pages.find(place) == spot
        spot = found.pages.after(spot)
    found.close()


def test_rotation_loses_and_repeats_nothing(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "one")})
    found = Opened(home)
    for number in range(1, 6):
        with home.log.open("a") as log:
            log.write(line(number, "INFO", f"last of {number}"))
        for old in range(3, 0, -1):
            path = home.logs / f"node.log.{old}"
            if path.exists() and old < 3:
                path.rename(home.logs / f"node.log.{old + 1}")
        home.log.rename(home.logs / "node.log.1")
        home.log.write_text(line(number, "INFO", f"first after {number}"))
        found.look_again()
    texts = "".join(found.texts())
    for number in range(3, 6):
        assert texts.count(f"last of {number}\n") == texts.count(f"first after {number}\n") == 1
    assert texts.index("last of 5") < texts.index("first after 5")
    assert "one" not in texts  # rotation deleted that file
    found.close()


def test_a_log_that_is_cut_short_or_written_anew_is_read_anew(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "long ago") * 50})
    found = Opened(home)
    home.log.write_text(line(5, "INFO", "short"))
    found.look_again()
    assert found.texts() == [line(5, "INFO", "short")]
    home.log.write_text(line(6, "INFO", "as new, and longer than before"))  # no smaller size to see
    found.look_again()
    assert found.texts() == [line(6, "INFO", "as new, and longer than before")]
    found.close()


def test_a_deleted_log_goes_and_a_new_one_comes(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "a"), "net": line(1, "INFO", "b")})
    found = Opened(home)
    (home.logs / "net.log").unlink()
    write_logs(home, {"scorer": line(2, "INFO", "c")})
    (home.node(2).logs).mkdir(parents=True)
    (home.node(2).logs / "node.log").write_text(line(3, "INFO", "d"))
    found.look_again()
    assert found.pages.timeline.streams == ("2/node", "node", "scorer")
    assert [text[-2] for text in found.texts()] == ["a", "c", "d"]
    found.close()


def test_what_is_not_a_readable_file_is_left_out(home: Home, opened: Opened) -> None:
    home.logs.mkdir()
    os.mkfifo(home.logs / "pipe.log")
    (home.logs / "folder.log").mkdir()
    (home.logs / "gone.log").symlink_to(home.logs / "nowhere")
    write_logs(home, {"node": line(0, "INFO", "a")})
    opened.look_again()
    assert opened.pages.timeline.streams == ("node",)


def test_a_time_in_the_far_future_moves_nothing(home: Home) -> None:
    forged = "2999-01-01 00:00:00,000 ERROR node: forged by a peer\n"
    write_logs(home, {"node": line(0, "INFO", "a") + forged + line(1, "INFO", "b")})
    write_logs(home, {"net": line(2, "INFO", "c")})
    found = Opened(home)
    assert [text[-2] for text in found.texts()] == ["r", "b", "c"]
    assert found.texts()[0].endswith(forged)
    found.close()


def test_a_file_without_times_stands_where_it_was_written(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "a") + line(20, "INFO", "z")})
    trace = "Traceback (most recent call last):\n  File x\n    boom()\nValueError: no\nnext\n"
    write_logs(home, {"console": f"hello\n{trace}"})
    ten = parse_moment("2026-11-25 10:00:10")
    os.utime(home.logs / "console.log", (ten, ten))
    found = Opened(home)
    assert [text.splitlines()[0][-5:] for text in found.texts()] == [
        "de: a",
        "hello",
        "ast):",
        "next",
        "de: z",
    ]
    found.close()


def parse_moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_a_line_of_megabytes_is_one_line(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "x" * 3_000_000) + line(1, "INFO", "after")})
    found = Opened(home)
    assert [len(text) > 2_900_000 for text in found.texts()] == [True, False]
    found.close()


def test_equal_lines_are_folded_and_counted(home: Home) -> None:
    same = "".join(line(n / 10, "WARNING", "refused") for n in range(40))
    write_logs(home, {"node": line(0, "INFO", "a") + same + line(9, "WARNING", "refused!")})
    found = Opened(home)
    groups = [found.pages.group(spot) for spot in _spots(found)]
    assert [group.repeats for group in groups if group] == [1, 40, 1]
    assert groups[1] is not None
    assert groups[1].until == 20261125100003900
    found.pages.filter = Filter(fold=False)
    assert len(found.texts()) == 42
    found.close()


def _spots(found: Opened) -> Iterator[object]:
    spot = found.pages.first()
    while spot is not None:
        yield spot
        spot = found.pages.after(spot)


def test_levels_and_logs_are_filtered(home: Home) -> None:
    text = "".join(line(n, LEVELS[n % 4], str(n)) for n in range(40))
    write_logs(home, {"node": text, "net": line(3.5, "CRITICAL", "net")})
    found = Opened(home)
    found.pages.filter = Filter(least=3)
    assert len(found.texts()) == 11
    found.pages.filter = Filter(least=2, stream="node")
    assert len(found.texts()) == 20
    found.close()


def test_a_file_cut_short_while_it_is_read_gives_fewer_lines(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "a") * 100})
    found = Opened(home)
    part = found.pages.timeline.parts[0][0]
    os.truncate(home.log, 100)
    assert len(parse(part).data) == 100
    found.close()
