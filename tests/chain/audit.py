"""Compares what nodes wrote down with what a coordinator has, and says where they differ.

It reads the chain by itself, events and views, over plain JSON-RPC, and a node's tables with SQL:
nothing that it checks is asked through the code that it checks.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.chain import codec
from core.chain.rpc import Rpc

BLOCKS_AT_ONCE = 500
EVENTS = ("RewardSubmitted", "WinnerSubmitted", "PeerRegistered")

RoundOf = tuple[str, int, int]
"""(peer id, round, stage)"""


@dataclass
class OnChain:
    """Every event of one contract, in lists, so that a second one for the same thing shows."""

    rewards: defaultdict[RoundOf, list[int]] = field(default_factory=lambda: defaultdict(list))
    votes: defaultdict[tuple[str, int], list[list[str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    owners: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    transactions: int = 0


def read_chain(rpc: Rpc, contract: str) -> OnChain:
    """From the first block to the newest."""
    found = OnChain()
    names = {codec.topic(name): name for name in EVENTS}
    last = rpc.quantity("eth_blockNumber")
    hashes: set[str] = set()
    for first in range(0, last + 1, BLOCKS_AT_ONCE):
        bounds = {"fromBlock": hex(first), "toBlock": hex(min(last, first + BLOCKS_AT_ONCE - 1))}
        for log in rpc.call("eth_getLogs", {"address": contract, **bounds}):
            hashes.add(log["transactionHash"])
            topics = tuple(bytes.fromhex(each[2:]) for each in log["topics"])
            if topics[0] in names:
                name = names[topics[0]]
                _note(found, name, codec.decode_event(name, topics, bytes.fromhex(log["data"][2:])))
    found.transactions = len(hashes)
    return found


def _note(found: OnChain, name: str, told: dict[str, Any]) -> None:
    if name == "RewardSubmitted":
        key = (told["peerId"], told["roundNumber"], told["stageNumber"])
        found.rewards[key].append(told["reward"])
    elif name == "WinnerSubmitted":
        found.votes[told["peerId"], told["roundNumber"]].append(list(told["winners"]))
    else:
        found.owners[told["peerId"]].append(told["eoa"])


@dataclass(frozen=True)
class Written:
    """What one node wrote down: (peer, round, stage) -> (reward, winners); the outbox's rows by
    (kind, peer, round, stage) -> statuses."""

    rounds: dict[RoundOf, tuple[int, list[str]]]
    rows: dict[tuple[str, str, int, int], list[str]]


def read_node(db: Path, swarm: str = "") -> Written:
    """swarm: only what belongs to it; all of it when left out."""
    rounds: dict[RoundOf, tuple[int, list[str]]] = {}
    rows: defaultdict[tuple[str, str, int, int], list[str]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as tables:
        where = ("WHERE swarm = ?", (swarm,)) if swarm else ("", ())
        for peer, number, stage, reward, winners in tables.execute(
            f"SELECT peer_id, round, stage, reward, winners FROM ledger {where[0]}", where[1]
        ):
            rounds[peer, number, stage] = (reward, json.loads(winners))
        for kind, peer, number, stage, status in tables.execute(
            f"SELECT kind, peer_id, round, stage, status FROM outbox {where[0]}", where[1]
        ):
            rows[kind, peer, number, stage].append(status)
    return Written(rounds, dict(rows))


def differences(
    rpc: Rpc, contract: str, nodes: Sequence[Written], settled: str = "credited"
) -> list[str]:
    """Sentences, none when every recorded round is credited exactly once with the recorded value,
    nothing else is on the chain, and the views agree with the events.

    settled: the status that every row of the outbox must have.
    """
    chain = read_chain(rpc, contract)
    expected = {key: value for node in nodes for key, value in node.rounds.items()}
    wrong = []
    for key in sorted({*expected, *chain.rewards}):
        mine, theirs = expected.get(key), chain.rewards.get(key, [])
        if mine is None or theirs != [mine[0]]:
            wrong.append(f"reward {key}: recorded {mine and mine[0]}, on the chain {theirs}")
    voted = {(peer, number): won for (peer, number, _), (_, won) in expected.items() if won}
    for vote in sorted({*voted, *chain.votes}):
        if chain.votes.get(vote, []) != [voted.get(vote)]:
            wrong.append(
                f"vote {vote}: recorded {voted.get(vote)}, on the chain {chain.votes[vote]}"
            )
    wrong += [
        f"{key} is {status} in the outbox"
        for node in nodes
        for key, status in node.rows.items()
        if status != [settled]
    ]
    for node in nodes:
        due = {("reward", *key) for key in node.rounds}
        due |= {("winner", *key) for key, (_, winners) in node.rounds.items() if winners}
        wrong += [f"{key} was never put into the outbox" for key in due - set(node.rows)]
    return wrong + _views(rpc, contract, chain, {key[0] for key in expected})


def _views(rpc: Rpc, contract: str, chain: OnChain, peers: set[str]) -> list[str]:
    """Where the contract's own sums differ from the sums over its events."""

    def view(function: str, *arguments: Any) -> Any:
        data = "0x" + codec.encode(function, *arguments).hex()
        return codec.decode(
            function, rpc.data("eth_call", {"to": contract, "data": data}, "latest")
        )

    wrong = []
    for peer in sorted(peers):
        sums = sum(
            reward for (who, _, _), told in chain.rewards.items() if who == peer for reward in told
        )
        votes = sum(len(told) for (who, _), told in chain.votes.items() if who == peer)
        ((total,),), (counted,) = view("getTotalRewards", [peer]), view("getVoterVoteCount", peer)
        if (total, counted) != (sums, votes):
            wrong.append(f"{peer}: the views say {(total, counted)}, the events {(sums, votes)}")
        if len(chain.owners[peer]) != 1:
            wrong.append(f"{peer} was registered {len(chain.owners[peer])} times")
    return wrong
