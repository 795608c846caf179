"""The swarm benchmark's other side: nodes that share over hivemind as GenRL does.

Each node is a process of `peers/whole_dictionary.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from swarm_meters import Meter, figures, side_by_side

NODE = Path(__file__).resolve().parent / "peers" / "whole_dictionary.py"


class DictionaryNode:
    """A process of `peers/whole_dictionary.py`."""

    def __init__(self, bootnodes: Sequence[str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, NODE, *bootnodes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.process = psutil.Process(self._child.pid)
        self.maddrs: list[str] = []

    def up(self) -> None:
        self.maddrs = self._answer()

    def ask(self, **question: Any) -> Any:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise EOFError("a node of the whole dictionary ended")
        return json.loads(line)

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def whole_dictionary(size: int, *, kib: int, rounds: int, at_once: int) -> dict[str, Any]:
    """The same rounds as GenRL plays them. complete: share of gathers that got everybody's."""
    with ExitStack() as stack:
        nodes: list[DictionaryNode] = []
        for number in range(size):
            nodes.append(DictionaryNode([m for n in nodes[:2] for m in n.maddrs]))
            stack.callback(nodes[-1].close)
            if number < 2 or number % at_once == 0:
                nodes[-1].up()
        for node in nodes:
            if not node.maddrs:
                node.up()
        processes = [q for n in nodes for q in (n.process, *n.process.children(recursive=True))]
        pool = stack.enter_context(ThreadPoolExecutor(at_once))
        meter = Meter(processes)
        stores: list[float] = []
        gets: list[float] = []
        complete = 0

        def play(round: int) -> int:
            acts = [lambda n=n: n.ask(store=round, kib=kib) for n in nodes]
            stores.extend(s for s, _ in side_by_side(pool, acts))
            acts = [lambda n=n: n.ask(get=round, everybody=size) for n in nodes]
            got = side_by_side(pool, acts)
            gets.extend(s for s, _ in got)
            return sum(found == size for _, found in got)

        play(0)
        stores.clear()
        gets.clear()
        rounds = 1 if size > 16 else rounds  # it takes long enough
        for number in range(rounds):
            with meter.running():
                complete += play(1 + number)
        turns = size * rounds
        return {
            "nodes": size,
            "store_s": figures(stores),
            "get_s": figures(gets),
            "complete": complete / turns,
            "kb": meter.bytes / turns / 1_000,
            "cpu_s": meter.cpu / turns,
        }
