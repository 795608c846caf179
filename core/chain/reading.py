"""The coordinator contract read over JSON-RPC: a batch a question, remembered for the block.

Every batch tells the newest block as well. What was read stays true for that block, so it is not
asked again until a newer one is known, or FRESH_S are over. That something is *not* there yet is
never remembered: it is what a node waits to see change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.chain import codec
from core.chain.contract import HAS_REWARD
from core.chain.endpoint import Answered
from core.chain.eventlog import EventLog
from core.chain.failover import Endpoints, Tell
from core.chain.rpc import Question, RpcError
from core.errors import ConfigError
from core.schema import ChainSection

FRESH_S = 1.0
MAX_REMEMBERED = 256
GAS_PER_ROUND = 320_000
"""Of a reward and a vote, until this node has seen what they cost."""
View = tuple[str, Sequence[Any]]
"""A view function's name and its arguments."""


@dataclass(frozen=True)
class Moment:
    """What one poll says. deadline: Unix seconds, None where nobody tells; at: monotonic."""

    round: int
    stage: int
    head: int
    deadline: float | None
    at: float


class ChainReader:
    """Safe to use from several threads. `swarm` names the chain and the contract; `account` is
    whose balance counts, empty for nobody's."""

    kind = "read-only"
    can_submit = False

    def __init__(
        self,
        rpc_url: str,
        contract: str,
        settings: ChainSection | None = None,
        account: str = "",
        tell: Tell | None = None,
    ) -> None:
        """Looks at the chain at once. rpc_url: one address, or several with commas between them.

        TransientError when no RPC can be reached; RefusedError when none is of the expected chain
        or none has the coordinator; ConfigError for what is no address.
        """
        self._settings = settings or ChainSection()
        self.contract = checksummed(contract)
        self.account = account
        self.rpc = Endpoints(
            rpc_url,
            self.contract,
            self._settings.call_timeout_s,
            self._settings.chain_id,
            tell,
        )
        self.chain_id = self.rpc.chain_id
        self.swarm = f"{self.chain_id}:{contract.lower()}"
        self.first_block = self.rpc.first_block
        self.log = EventLog(self.rpc, self.contract)
        self._lock = threading.Lock()
        self._known: dict[View, Any] = {}
        self._known_at = (0, 0.0)
        """The block that `_known` is of, and when it was last the newest."""
        self._moment: Moment | None = None
        self._tells_deadline = True
        self._round_gas = GAS_PER_ROUND

    def close(self) -> None:
        self.rpc.close()

    # --- the clock ----------------------------------------------------------------------------

    def round_and_stage(self) -> tuple[int, int]:
        moment = self._poll()
        return moment.round, moment.stage

    def head(self) -> int:
        return self._now().head

    def deadline(self) -> float | None:
        """Unix seconds when the clock moves on, where the services of this swarm say so."""
        return self._now().deadline

    def _now(self) -> Moment:
        """The last poll, unless it is old."""
        with self._lock:
            moment = self._moment
        if moment is not None and time.monotonic() - moment.at <= FRESH_S:
            return moment
        return self._poll()

    def _poll(self) -> Moment:
        """Round, stage, deadline and newest block in one batch.

        A batch is not one moment of the chain: the round is read on both sides of the stage.
        """
        clock: list[Question] = [("waggle_clock", [])] if self._tells_deadline else []
        views: list[View] = [("currentRound", ()), ("currentStage", ()), ("currentRound", ())]
        while True:
            answered = self.ask([*(self.question(*view) for view in views), *clock])
            before, stage, after = (
                self.decoded(answered, view, result)[0]
                for view, result in zip(views, answered.results, strict=False)
            )
            if before == after or stage == 0:
                break
        told = answered.results[-1] if clock else None
        if isinstance(told, RpcError) and told.trouble.kind == "no_method":
            self._tells_deadline = False
        moment = Moment(int(after), int(stage), answered.head, _deadline(told), time.monotonic())
        with self._lock:
            self._moment = moment
        return moment

    # --- what is known of a peer --------------------------------------------------------------

    def owner_of(self, peer_id: str) -> str | None:
        owner = self._view("getEoa", (peer_id,), keep=lambda found: found[0] != codec.NO_ACCOUNT)
        return None if owner[0] == codec.NO_ACCOUNT else checksummed(owner[0])

    def has_reward(self, round: int, stage: int, peer_id: str) -> bool:
        return bool(self._view(HAS_REWARD, round, stage, peer_id, keep=bool))

    def has_voted(self, round: int, peer_id: str) -> bool:
        return len(self._view("getVoterVotes", round, peer_id, keep=len)) > 0

    def counters(self, peer_id: str) -> dict[str, int]:
        """One batch: the coordinator's counters, the balance, and what a round costs now."""
        views: list[View] = [
            ("getVoterVoteCount", (peer_id,)),
            ("getTotalWins", (peer_id,)),
            ("getTotalRewards", ((peer_id,),)),
        ]
        money: list[Question] = []
        if self.account:
            money = [("eth_getBalance", [self.account, "latest"]), ("eth_gasPrice", [])]
        answered = self.ask([*(self.question(*view) for view in views), *money])
        votes, wins, rewards = (
            self.decoded(answered, view, result)[0]
            for view, result in zip(views, answered.results, strict=False)
        )
        balance, price = (
            (
                (self.number(method, answered.results[len(views) + i]))
                for i, method in enumerate(("eth_getBalance", "eth_gasPrice"))
            )
            if money
            else (0, 0)
        )
        return {
            "participation": int(votes),
            "wins": int(wins),
            "total_reward": int(rewards[0]),
            "balance_wei": balance,
            "round_cost_wei": price * self._round_gas if self.can_submit else 0,
        }

    # --- what is known of the swarm -----------------------------------------------------------

    def bootnodes(self) -> list[str]:
        return list(self._view("getBootnodes", keep=_never))

    def round_rewards(self, round: int, stage: int, accounts: Sequence[str]) -> list[int]:
        """The reward each account has submitted in one round, summed over its peers."""
        return list(self._view("getRoundStageReward", round, stage, tuple(accounts), keep=_never))

    def votes(self, round: int, peer_id: str) -> list[str]:
        """The winners that a peer voted for in a round."""
        return list(self._view("getVoterVotes", round, peer_id, keep=len))

    # --- calls --------------------------------------------------------------------------------

    def _view(self, function: str, *arguments: Any, keep: Callable[[Any], Any]) -> Any:
        """A view's only result. keep: whether it may be remembered for the block."""
        view = (function, arguments)
        with self._lock:
            if view in self._known and time.monotonic() - self._known_at[1] <= FRESH_S:
                return self._known[view]
        answered = self.ask([self.question(*view)])
        found = self.decoded(answered, view, answered.results[0])[0]
        if keep(found):
            with self._lock:
                if self._known_at[0] == answered.head and len(self._known) < MAX_REMEMBERED:
                    self._known[view] = found
        return found

    def ask(self, questions: Sequence[Question]) -> Answered:
        """One batch. TransientError; RefusedError when no RPC is one of the chain any more."""
        answered = self.rpc.batch(questions)
        self._saw(answered.head)
        return answered

    def _saw(self, head: int) -> None:
        """A block is the newest one: what was read at another one is forgotten."""
        with self._lock:
            if head != self._known_at[0]:
                self._known.clear()
                self._moment = None
            self._known_at = (head, time.monotonic())

    def question(self, function: str, arguments: Sequence[Any]) -> Question:
        """A view as a question of a batch."""
        data = codec.encode(function, *arguments)
        return ("eth_call", [{"to": self.contract, "data": "0x" + data.hex()}, "latest"])

    def decoded(self, answered: Answered, view: View, result: Any) -> tuple[Any, ...]:
        """A view's results. TransientError, which sends the RPC away, when it gave none: the
        coordinator was seen to answer, so this is the RPC's doing."""
        function = view[0]
        try:
            return codec.decode(function, self.rpc.as_data("eth_call", result))
        except RpcError as error:
            told = self.rpc.told(error)
            if error.is_revert:
                self.rpc.distrust(answered.by, told)
            raise told from error
        except codec.Malformed as error:
            self.rpc.distrust(answered.by, error)
            raise

    def number(self, method: str, result: Any) -> int:
        """One result of a batch as a number. TransientError."""
        try:
            return self.rpc.as_quantity(method, result)
        except RpcError as error:
            raise self.rpc.told(error) from error


def checksummed(address: str) -> str:
    """ConfigError when it is not an address."""
    from eth_utils.address import is_hex_address, to_checksum_address

    if not is_hex_address(address):
        raise ConfigError(
            f"{address[:64]} is not a contract address",
            "an address is 0x and 40 hex digits",
            "Correct chain.contract",
        )
    return str(to_checksum_address(address))


def _deadline(told: Any) -> float | None:
    value = told.get("deadline") if isinstance(told, dict) else None
    return float(value) if isinstance(value, (int, float)) else None


def _never(found: Any) -> bool:
    return False
