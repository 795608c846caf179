"""The leaderboard's file: read line by line, bounded, and refused in words when it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.swarm import board_file
from core.swarm.board_file import Head
from core.swarm.leaderboard import Board, Entry

HEAD = Head("31337:0xab", 7, "0xcd")
GOOD = json.dumps(vars(Entry("QmA", 1, 2, 3)))
FIRST = json.dumps({"version": board_file.VERSION, **vars(HEAD)})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        FIRST.replace("7", "0"),
        FIRST.replace("7", '"7"'),
        FIRST.replace('"next"', '"more"'),
        FIRST + "\n" + GOOD + "\n{",
        FIRST + "\n" + "[" * 10_000,
        FIRST + "\n" + json.dumps({**json.loads(GOOD), "wins": "many"}),
        FIRST + "\n" + json.dumps({**json.loads(GOOD), "peer_id": "Q" * 20_000}),
        FIRST + ("\n" + GOOD) * (board_file.MAX_ENTRIES + 1),
    ],
)
def test_what_is_damaged_or_too_much_is_a_value_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "board"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        board_file.read(path, HEAD.swarm)


def test_another_version_is_nobody_s_board(tmp_path: Path) -> None:
    path = tmp_path / "board"
    path.write_text(json.dumps({"version": 1, "swarm": HEAD.swarm, "entries": []}))
    assert board_file.read(path, HEAD.swarm) is None
    assert list(board_file.entries(path, "")) == []


def test_names_of_any_kind_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "board"
    board = Board([Entry("\n\x1b[31m\u202e\ud800 日本語", 1), Entry("QmB", history=((1, 2**255),))])
    board_file.write(path, HEAD, board)
    assert {each.peer_id for each in board_file.entries(path, HEAD.swarm)} == {
        "\n\x1b[31m\u202e\ud800 日本語",
        "QmB",
    }
