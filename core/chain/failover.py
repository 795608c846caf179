"""Several RPCs of one chain that stand in for one another: the first one that is well is asked.

One that fails is left alone for a while and remembered with its reason; then the order of the
configuration holds again. Each is looked at (`trust`) before its first answer counts and after it
was away, and every batch asks for the chain's id once more, so that an RPC that moves to another
chain is found out with the very answer it gives. A transaction goes to another RPC only as the
same bytes: one nonce, one hash, so the chain can take it once at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from core.chain.endpoint import Answered, Endpoint
from core.chain.rpc import Caller, Question, Rpc, RpcError, Unreachable
from core.chain.trust import Proof, check_chain_id, prove
from core.errors import ConfigError, RefusedError, WaggleError

MAX_RPCS = 8
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 120.0
AGAIN_S = (0.05, 0.2)
QUICK_S = 1.0
MAX_BACK = 128
"""Blocks that the newest one may fall back by. No reorganisation of an honest chain is so deep:
an RPC that is further behind has not caught up."""
PROOF_S = 60.0
"""An RPC is looked at again after so long: behind the same address another chain may have begun."""
BACK_PATIENCE_S = 30.0
"""When nobody knows a newer block for so long, the chain did go back."""
OWN_FAULT = ("limited", "unauthorised", "syncing")
"""Kinds of errors with which an RPC says that it is better left alone for a while."""
T = TypeVar("T")
Tell = Callable[[WaggleError], None]  # takes what a person should know and no caller is told
log = logging.getLogger(__name__)


class Endpoints(Caller):
    """Safe to use from several threads."""

    def __init__(
        self,
        urls: str,
        contract: str,
        timeout_s: float,
        chain_id: int = 0,
        tell: Tell | None = None,
    ) -> None:
        """urls: addresses with commas between them. Looks at the chain at once.

        ConfigError; TransientError when none answers; RefusedError when none is of the chain.
        """
        listed = list(dict.fromkeys(url.strip() for url in urls.split(",") if url.strip()))
        if not 0 < len(listed) <= MAX_RPCS:
            raise ConfigError(
                "chain.rpc_url does not say where the chain is",
                f"it has {len(listed)} addresses",
                f"Give 1 to {MAX_RPCS} addresses, with commas between them",
            )
        self._all = [Endpoint(Rpc(url, timeout_s)) for url in listed]
        self._contract = contract
        self._wanted = chain_id
        self._tell = tell or (lambda error: log.warning("%s", error))
        self._lock = threading.Lock()
        self._proof: Proof | None = None
        self._height = 0
        self._back_since = 0.0
        self.shown = self._all[0].rpc.shown
        try:
            proof = self._ask(lambda each: each.proof)
        except RpcError as error:
            raise self.told(error) from error
        assert proof is not None
        self.chain_id: int = proof.chain_id
        self.first_block: str = proof.first

    def close(self) -> None:
        for each in self._all:
            each.rpc.close()

    def call(self, method: str, *params: Any) -> Any:
        return self._ask(lambda each: each.rpc.call(method, *params), method != "eth_getLogs")

    def batch(self, questions: Sequence[Question]) -> Answered:
        """One batch, with the newest block. Unreachable; RefusedError when no RPC is one of the
        chain; an RPC's error about the whole batch comes as TransientError."""
        partly: list[Answered] = []

        def ask(each: Endpoint) -> Answered:
            whole = [*questions, ("eth_chainId", []), ("eth_blockNumber", [])]
            *results, chain, head = each.rpc.batch(whole)
            if isinstance(chain, RpcError) and chain.is_revert:
                raise each.rpc.senseless("it says that the question for its chain id reverted")
            check_chain_id(
                each.rpc.shown, each.rpc.as_quantity("eth_chainId", chain), self.chain_id
            )
            newest = each.rpc.as_quantity("eth_blockNumber", head)
            if newest < each.height:  # a reorganisation, or a chain that began anew
                each.proof = None
                self._look(each)
            each.height = newest
            self._check_height(each, newest)
            answered = Answered(results, newest, each.rpc.shown)
            if own := [r for r in results if isinstance(r, RpcError) and _elsewhere(r)]:
                partly.append(answered)
                raise own[0]
            return answered

        try:
            return self._ask(ask)
        except RpcError as error:
            if partly:
                return partly[0]
            raise self.told(error) from error

    def broadcast(self, raw: bytes) -> None:
        """Hand over a signed transaction; returns once an RPC has it.

        RpcError when the chain refuses it. Unreachable when nobody can tell whether it is out.
        """
        self._persist(lambda: self._hand_over(raw))

    def _hand_over(self, raw: bytes) -> None:
        refusal: RpcError | None = None
        doubt: WaggleError | None = None
        for each in self._in_order():
            try:
                with self._watched(each):
                    self._look(each)
                    each.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
                return
            except RpcError as error:
                if error.trouble.kind == "known":
                    return
                refusal = error
                if not error.trouble.elsewhere:
                    break
            except (Unreachable, RefusedError) as error:
                doubt = error
        if isinstance(doubt, Unreachable) and refusal and refusal.trouble.kind == "nonce_low":
            return  # whoever broke off has taken it: its number is used by now
        if isinstance(doubt, Unreachable) or refusal is None:
            assert doubt is not None
            raise doubt  # whoever broke off may have it, whatever the next one said
        raise refusal

    def distrust(self, by: str, error: WaggleError) -> None:
        """Leave an RPC alone that was caught with an answer that cannot be."""
        for each in self._all:
            if each.rpc.shown == by:
                self._send_away(each, error)

    # --- choosing -----------------------------------------------------------------------------

    def _ask(self, question: Callable[[Endpoint], T], may_pass_on: bool = True) -> T:
        """The answer of the first RPC that gives one; the first one's trouble when none does."""
        return self._persist(lambda: self._ask_each(question, may_pass_on))

    def _persist(self, work: Callable[[], T]) -> T:
        """Once more, and again, when nobody could be reached: most lines fail for a moment only.

        Not after QUICK_S: what takes long to fail is not asked to take as long again.
        """
        started = time.monotonic()
        for pause in AGAIN_S:
            try:
                return work()
            except Unreachable:
                if time.monotonic() - started > QUICK_S:
                    raise
            time.sleep(pause)
        return work()

    def _ask_each(self, question: Callable[[Endpoint], T], may_pass_on: bool) -> T:
        failed: list[Exception] = []
        for each in self._in_order():
            try:
                with self._watched(each):
                    self._look(each)
                    return question(each)
            except RpcError as error:
                if not (may_pass_on and _elsewhere(error)):
                    raise
                if error.trouble.kind in OWN_FAULT:
                    self._send_away(each, each.rpc.told(error))
                failed.append(error)
            except (Unreachable, RefusedError) as error:
                failed.append(error)
        raise _worst(failed)

    def _in_order(self) -> list[Endpoint]:
        """Those that are not away; all of them when every one is."""
        now = time.monotonic()
        return [each for each in self._all if each.away_until <= now] or list(self._all)

    def _look(self, each: Endpoint) -> None:
        now = time.monotonic()
        if each.proof is not None and now - each.proved < PROOF_S:
            return
        with self._lock:
            like = self._proof
        proof = prove(each.rpc, self._contract, self._wanted, like)
        with self._lock:
            each.proof, each.proved = proof, now
            if self._proof is None:
                self._proof = proof

    @contextmanager
    def _watched(self, each: Endpoint) -> Iterator[None]:
        try:
            yield
        except RpcError:
            raise  # it is there, and says something
        except (Unreachable, RefusedError) as error:
            self._send_away(each, error)
            raise
        if each.why:
            log.info("the RPC at %s is back", each.rpc.shown)
        each.pause_s, each.away_until, each.why = 0.0, 0.0, ""
        self.shown = each.rpc.shown

    def _send_away(self, each: Endpoint, error: WaggleError) -> None:
        each.proof = None
        each.pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * each.pause_s))
        each.away_until = time.monotonic() + each.pause_s
        if each.why != error.why and len(self._all) > 1:
            self._tell(
                RefusedError(
                    f"The RPC at {each.rpc.shown} is left out for now",
                    error.why or error.what,
                    "Nothing to do while another one answers; if it stays, take it out of "
                    "chain.rpc_url or correct it",
                    code=getattr(error, "code", "") or "rpc_left_out",
                )
            )
        each.why = error.why

    def _check_height(self, each: Endpoint, head: int) -> None:
        with self._lock:
            if head >= self._height - MAX_BACK:
                self._height, self._back_since = max(head, self._height), 0.0
                return
            now = time.monotonic()
            self._back_since = self._back_since or now
            before, patient = self._height, now - self._back_since < BACK_PATIENCE_S
            if not patient:
                self._height, self._back_since = head, 0.0
        why = f"its newest block is {head}, and block {before} was seen before"
        if patient:
            raise Unreachable(
                f"The chain at {each.rpc.shown} is behind",
                why,
                "Wait until it has caught up, or add another RPC to chain.rpc_url",
            )
        self._tell(
            RefusedError(
                f"The chain at {each.rpc.shown} went back",
                f"{why}; no RPC knows a newer one",
                "Nothing to do: what is missing there is sent again. If the chain was made anew, "
                "start the node again",
                code="chain_went_back",
            )
        )


def _elsewhere(error: RpcError) -> bool:
    """Whether another RPC may do better. A method that one does not know is left to the caller:
    none but a Waggle devnet knows all of them."""
    return not error.is_revert and error.trouble.elsewhere and error.trouble.kind != "no_method"


def _worst(failed: Sequence[Exception]) -> Exception:
    """Of the reasons of all RPCs the one to pass on: first what may mend itself."""
    for kind in (RpcError, Unreachable):
        for each in failed:
            if isinstance(each, kind):
                if isinstance(each, Unreachable) and len(failed) > 1:
                    others = f"{each.why}; {len(failed) - 1} more RPCs failed as well"
                    return Unreachable(each.what, others, each.next_step)
                return each
    return failed[0]
