"""Strikes: who sends what no honest node sends is left alone for a while.

A contribution costs its sender the weight of its worst reason. Strikes halve with time, a clean
contribution works some off, and at the policy's limit the peer is held: not fetched, not admitted,
for twice as long each time. What may happen to anybody (a fetch that fails, an answer that comes
late) weighs so little that a peer which delivers two times out of three never gets anywhere.
Strikes belong to one peer id; an unsigned contribution is on an account of its own, since anybody
can send one in anybody's name.

Pure: a book goes in and a new one comes out; `now` is Unix seconds. Nothing here knows how a
reason was found, or what a book is kept in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

MAX_PEERS = 1_024
LONGEST_S = 86_400.0
"""No quarantine is longer. After as long without a new one, the next is as short as the first."""
LAPSE, CREDIT = 0.2, 0.1
"""What a contribution that never came costs, and what a clean one works off."""
FORGOTTEN = 0.05
UNSIGNED = "unsigned:"

WEIGHTS: Mapping[str, float] = {
    "size": 1.0,
    "schema": 1.0,
    "malformed": 1.0,
    "generations": 1.0,
    "round": 1.0,
    "identity": 1.0,
    "schedule": 1.0,
    "task": 1.0,
    "signature": 1.0,
    "duplicate": 1.0,
    "cost": 1.5,
    "implausible": 0.5,  # a statistic: it is wrong about an honest group now and then
    "fetch": LAPSE,
    "timeout": LAPSE,
}
"""By reason of `core.gate.admission`. What is not here costs nothing: `no_signal` and `quota` are
no faults, `stale` is mostly a wrong clock. A bad `signature` is booked on who brought it."""


@dataclass(frozen=True)
class Policy:
    """When a peer is held. limit: in strikes, 0 is never. quarantine_s: of the first time."""

    limit: float = 2.5
    half_life_s: float = 1_800.0
    quarantine_s: float = 600.0


@dataclass(frozen=True)
class Standing:
    """One peer's account. `strikes` were counted at `at`; see `strikes_now`.

    held: until somebody releases it, which is due at `until`. times: quarantines so far.
    reason: of the newest strike.
    """

    strikes: float = 0.0
    at: float = 0.0
    held: bool = False
    until: float = 0.0
    times: int = 0
    reason: str = ""


_NOBODY = Standing()

Book = Mapping[str, Standing]
"""Accounts by name, see `account`; at most MAX_PEERS."""


def account(peer_id: str, signed: bool) -> str:
    """The name of the account that a contribution in this peer's name is booked on."""
    return peer_id if signed else UNSIGNED + peer_id


def owner(name: str) -> tuple[str, bool]:
    """Whose account it is, and whether of signed contributions: the inverse of `account`."""
    return name.removeprefix(UNSIGNED), not name.startswith(UNSIGNED)


def strikes_now(standing: Standing, now: float, policy: Policy) -> float:
    """What is left of the strikes. A clock that went back takes nothing off and adds nothing."""
    return standing.strikes * 0.5 ** (max(0.0, now - standing.at) / policy.half_life_s)


def worst(reasons: Collection[str]) -> tuple[float, str]:
    """The heaviest of a contribution's reasons and its weight; (0.0, "") when none weighs."""
    return max(((WEIGHTS.get(reason, 0.0), reason) for reason in reasons), default=(0.0, ""))


def book_in(
    book: Book, name: str, reasons: Collection[str], now: float, policy: Policy
) -> tuple[Book, bool]:
    """The book after one contribution with these rejections, and whether the peer is held now.

    No reason that weighs anything: the contribution was clean. A held peer's account stays as it
    is: what is refused unseen can be no new fault.
    """
    old = book.get(name, _NOBODY)
    if old.held or policy.limit <= 0:
        return book, False
    if not _matters(old, now, policy):
        old = _NOBODY  # as if it had been cleared away, so that it does not matter who cleared up
    weight, reason = worst(reasons)
    if not weight and old is _NOBODY:
        return book, False
    strikes = max(0.0, strikes_now(old, now, policy) + (weight or -CREDIT))
    new = replace(old, strikes=strikes, at=now, reason=reason if weight else old.reason)
    caught = weight > 0 and strikes >= policy.limit
    if caught:
        quiet = now - old.until >= LONGEST_S
        times = 1 if quiet else old.times + 1
        length_s = min(policy.quarantine_s * 2.0 ** min(times - 1, 30), LONGEST_S)
        new = replace(new, held=True, times=times, until=now + length_s)
    return _bounded({**book, name: new}, now, policy), caught


def release(book: Book, now: float) -> tuple[Book, tuple[str, ...]]:
    """The book without the quarantines that are over, and whose they were.

    One that would last longer than any can was booked by a clock that has been put back since.
    """
    due = tuple(
        name
        for name, standing in book.items()
        if standing.held and not now < standing.until <= now + LONGEST_S
    )
    freed = {name: replace(book[name], held=False) for name in due}
    return ({**book, **freed} if due else book), due


def is_held(book: Book, name: str) -> bool:
    standing = book.get(name)
    return standing is not None and standing.held


def _bounded(book: dict[str, Standing], now: float, policy: Policy) -> Book:
    """Without the accounts that no longer matter; and of too many, without the least of them.

    A held peer goes last, so no crowd of new names washes it out while others are remembered.
    """
    kept = {name: each for name, each in book.items() if _matters(each, now, policy)}
    if len(kept) <= MAX_PEERS:
        return kept

    def importance(name: str) -> tuple[bool, float, float]:
        each = kept[name]
        return each.held, each.until if each.held else 0.0, strikes_now(each, now, policy)

    for name in sorted(kept, key=importance)[: len(kept) - MAX_PEERS]:
        del kept[name]
    return kept


def _matters(each: Standing, now: float, policy: Policy) -> bool:
    recent = each.times > 0 and now - each.until < LONGEST_S
    return each.held or recent or strikes_now(each, now, policy) >= FORGOTTEN
