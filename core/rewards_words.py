"""The rewards in words: what each counter counts, and why two sums differ. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import events
from core.texts import _, many

if TYPE_CHECKING:
    from core.chain.ledger_rows import Totals

COUNTERS = {
    "reward": _("points of this peer's own answers, summed over all it submitted"),
    "participation": _("rounds in which this peer voted: one vote with each submission"),
    "wins": _("votes, by whichever peer, that named this one best of a round"),
}
"""The coordinator's three counters, which it keeps for each peer id; a line of 80 columns each."""

STAGES = ("waiting", "pending", "sent", "confirmed", "credited", "failed")
NAMES = {
    "reward": _("reward"),
    "vote": _("vote"),
    "winner": _("vote"),
    "participation": _("participation"),
    "wins": _("wins"),
    "trained": _("trained"),
    "waiting": _("waiting"),
    "pending": _("pending"),
    "sent": _("sent"),
    "confirmed": _("confirmed"),
    "credited": _("credited"),
    "failed": _("failed"),
}
"""Counters, stages and kinds of submissions, as the console shows them; codes stay as they are."""
MEANINGS = {
    "waiting": _("rounds not handed over yet"),
    "pending": _("to be sent"),
    "sent": _("the transaction is out"),
    "confirmed": _("mined; may still be reorganised"),
    "credited": _("the coordinator has it for good"),
    "failed": _("refused for good"),
}
ETHER, GWEI = 10**18, 10**9


class Passing(str):
    """A reason of a difference that goes by itself: a difference of these alone is none."""

    __slots__ = ()


UNCONFIRMED = Passing(_("not confirmed yet"))
SINCE = Passing(_("confirmed since the coordinator was asked"))


def passes(why: str) -> bool:
    """Whether a reason of a difference goes without anybody's doing."""
    return isinstance(why, Passing)


def reward_difference(totals: Totals, read: events.CountersRead) -> list[tuple[int, str]]:
    """(amount, why) that lead from the sum here to the coordinator's; amounts add up exactly."""
    value = totals.value
    counted = value.get("confirmed", 0) + value.get("credited", 0)
    still, rest = _met(
        value.get("pending", 0) + value.get("sent", 0), read.total_reward - read.counted_reward
    )
    parts = [
        (-totals.waiting_reward, _waiting(totals.waiting), totals.waiting),
        (-still, _unconfirmed(totals.count("pending", "sent", kind="reward")), still),
        (-value.get("failed", 0), _refused(totals.count("failed", kind="reward")), 1),
        (read.counted_reward - counted, SINCE, 1),
    ]
    found = [(amount, why) for amount, why, _n in parts if amount]
    return [*found, (rest, _elsewhere(rest, totals.elsewhere))] if rest else found


def vote_difference(totals: Totals, read: events.CountersRead) -> list[tuple[int, str]]:
    """The same for participation, from the votes cast here."""
    still, rest = _met(
        totals.count("pending", "sent", kind="winner"), read.participation - read.counted_votes
    )
    failed = totals.count("failed", kind="winner")
    counted = totals.count("confirmed", "credited", kind="winner")
    parts = [
        (-still, UNCONFIRMED),
        (-failed, _("refused")),
        (read.counted_votes - counted, SINCE),
    ]
    found = [(amount, why) for amount, why in parts if amount]
    return [*found, (rest, _elsewhere(rest, totals.elsewhere))] if rest else found


def _met(still: int, rest: int) -> tuple[int, int]:
    """What is on its way and what the coordinator has beyond the ledger, without what is both: a
    transaction is mined before its sender knows, and then all that is beyond is on its way."""
    both = rest if 0 < rest <= still else 0
    return still - both, rest - both


def _elsewhere(rest: int, elsewhere: int) -> str:
    if elsewhere:
        return many(
            "a submission came from another machine with this key, which counts instead",
            "{n} submissions came from another machine with this key, which counts instead",
            elsewhere,
        ).format(n=elsewhere)
    if rest > 0:
        return _("from before this ledger began, or from another home with this key")
    return _("the coordinator has lost some: the node looks for them, and sends them again")


def rounds_left(read: events.CountersRead | None) -> int | None:
    """How many rounds the account can pay for; None where it does not pay, or nobody knows."""
    if read is None or read.round_cost_wei <= 0:
        return None
    return max(0, read.balance_wei) // read.round_cost_wei


def ether(wei: int) -> str:
    """In ether, to three places that tell something."""
    return f"{wei / ETHER:.3g}" if abs(wei) < ETHER else f"{wei / ETHER:.3f}"


def money(wei: int) -> str:
    """With its unit, never as a power of ten: in gwei where ether has four zeros before it tells
    something."""
    if 0 < abs(wei) < ETHER // 10_000:
        return _("{wei:,.3f} gwei").format(wei=wei / GWEI)
    return _("{wei} ether").format(wei=ether(wei))


def differs(mine: str, owner: str) -> bool:
    """Whether a peer belongs to another account than this one; both must be known."""
    return bool(mine and owner) and mine.lower() != owner.lower()


def short(text: str, head: int = 8, tail: int = 4) -> str:
    """Both ends of a long name."""
    return text if len(text) <= head + tail + 2 else f"{text[:head]}..{text[-tail:]}"


def _waiting(n: int) -> str:
    told = many("a round not handed over yet", "{n} rounds not handed over yet", n)
    return Passing(told.format(n=n))


def _unconfirmed(n: int) -> str:
    told = many("a submission not confirmed yet", "{n} submissions not confirmed yet", n)
    return Passing(told.format(n=n))


def _refused(n: int) -> str:
    return many("a submission refused", "{n} submissions refused", n).format(n=n)
