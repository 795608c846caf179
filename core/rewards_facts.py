"""The figures of the ledger as rows and sentences: for `waggle rewards`, and for the console.

Both show the same words. Pure; `now` is Unix seconds. Texts that came from a chain are as they
came: whoever shows them cleans them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import WaggleError
from core.reports import ago
from core.rewards_figures import Figures
from core.rewards_words import (
    MEANINGS,
    STAGES,
    UNCONFIRMED,
    differs,
    money,
    passes,
    reward_difference,
    rounds_left,
    short,
    vote_difference,
)

if TYPE_CHECKING:
    from core.chain.ledger_pages import Round
    from core.chain.ledger_rows import OutboxRow
    from core.rewards_check import Checked

MANY = 10_000
NOTHING = "Nothing is recorded here yet: a round is, as soon as it is trained."
UNKNOWN = "Round {} is not in the ledger: not trained here, or so old that only its sum is kept."


@dataclass(frozen=True)
class Stage:
    """How much stands at one stage. rewards: rounds or submissions; votes: None where there are
    none. worth: in points of reward. meaning: of the stage, and when it goes on."""

    name: str
    rewards: int
    votes: int | None
    worth: int
    meaning: str


@dataclass(frozen=True)
class Side:
    """One counter, here and at the coordinator; None: not known or not counted there.

    why: (amount, reason) that lead from here to there. `level` and `word` tell them apart: a sum
    that differs for a moment is no trouble.
    """

    name: str
    here: int | None
    there: int | None
    why: tuple[tuple[int, str], ...] = ()

    @property
    def level(self) -> str:
        """Of health: `up` when both are the same, `starting` while the rest is on its way,
        `degraded` when it will not come by itself; "" when they are not both known."""
        if self.here is None or self.there is None:
            return ""
        if any(not passes(reason) for _, reason in self.why):
            return "degraded"
        return "up" if self.here == self.there else "starting"

    @property
    def word(self) -> str:
        """`level` in words."""
        open_ = abs((self.here or 0) - (self.there or 0))
        words = {"up": "the same", "starting": f"{open_:,} {UNCONFIRMED}", "degraded": "differs"}
        return words.get(self.level, "")


def stages(figures: Figures, now: float) -> list[Stage]:
    """From trained to credited; those in between only when something stands there."""
    totals = figures.totals
    bonus = f", {totals.bonus} of it for taking part" if totals.bonus else ""
    out = [Stage("trained", totals.rounds, None, totals.reward, f"rounds{bonus}")]
    for stage in STAGES:
        if stage == "waiting":
            rewards, votes, worth = totals.waiting, None, totals.waiting_reward
        else:
            rewards, votes = (totals.count(stage, kind=kind) for kind in ("reward", "winner"))
            worth = totals.value.get(stage, 0)
        if rewards or votes or stage == "credited":
            meaning = MEANINGS[stage] + _when(figures, stage, now)
            out.append(Stage(stage, rewards, votes, worth, meaning))
    return out


def _when(figures: Figures, stage: str, now: float) -> str:
    totals, counted = figures.totals, figures.counted
    if stage == "waiting" and counted is not None and counted.next_submission:
        return f", at the latest {ahead(counted.next_submission, now)}"
    if stage == "pending" and totals.next_try is not None:
        return f"; next attempt {ahead(max(totals.next_try, figures.line.next_try), now)}"
    return ""


def sides(figures: Figures) -> list[Side]:
    """The three counters, here and as the coordinator last said them."""
    read, totals = figures.counters, figures.totals
    votes = totals.count(*STAGES[1:], kind="winner")
    if read is None:
        return [
            Side("reward", totals.reward, None),
            Side("participation", votes, None),
            Side("wins", None, None),
        ]
    return [
        Side("reward", totals.reward, read.total_reward, tuple(reward_difference(totals, read))),
        Side("participation", votes, read.participation, tuple(vote_difference(totals, read))),
        Side("wins", None, read.wins),
    ]


def facts(
    figures: Figures, checked: Checked | None, owner: str | None, now: float
) -> list[tuple[str, str]]:
    """Whose they are, what decides and what stands in the way, as (name, text)."""
    out = [("peer", figures.peer_id), ("swarm", figures.swarm)]
    out.append(("identity", identity(figures, owner)))
    if figures.counted is not None:
        out.append(("policy", figures.counted.policy))
    out.append(("gas", gas(figures)))
    line = figures.line
    if not line.is_open():
        tried = f"since {ago(line.since, now)}, tried {line.failures} times"
        told = str(WaggleError(line.what, line.why, line.next_step))
        out.append(("trouble", f"{told} ({tried}; next attempt {ahead(line.next_try, now)})"))
    if checked is not None:
        out.append(("clock", f"the coordinator is at round {checked.round}"))
        if checked.asked:
            known = f"{len(checked.there)} of {checked.asked} open submissions are there already"
            out.append(("outbox", known))
    for other in figures.elsewhere:
        if other.open:
            whose = "" if other.peer_id == figures.peer_id else f" of peer {short(other.peer_id)}"
            out.append(
                (
                    "elsewhere",
                    f"{other.open} submissions{whose} are for another swarm, "
                    f"{short(other.swarm, 24)}: kept, and sent when this home is in it again",
                )
            )
    return out


def identity(figures: Figures, owner: str | None) -> str:
    """Whose the coordinator says that this peer is."""
    mine = figures.account
    if owner is None:
        return "the coordinator was not asked yet whose this peer is"
    if not owner:
        return "not registered yet: the first submission does it"
    if not differs(mine, owner):
        return f"registered to {owner}" + (", this node's account" if mine else "")
    return (
        f"WRONG: registered to {owner}, and this node's account is {mine}: nothing it trains is "
        "counted. Bring the account folder that registered it here, or start as a new peer with "
        "`waggle identity new --set-aside`. Nothing was sent; the rounds are kept"
    )


def gas(figures: Figures) -> str:
    """What was spent, and how long the rest lasts."""
    totals, read = figures.totals, figures.counters
    spent = f"{money(totals.fee_wei)} spent for {totals.gas_used:,} gas"
    left = rounds_left(read)
    if read is None or left is None:
        return spent
    many = f"{left}" if left < MANY else f"more than {MANY}"
    return (
        f"{spent}; {money(read.balance_wei)} left, for {many} submissions with their votes"
        f" at {money(read.round_cost_wei)} each"
    )


# --- one round --------------------------------------------------------------------------------


def round_head(each: Round, now: float) -> str:
    row = each.row
    stage = f", stage {row.stage}" if row.stage else ""
    return f"round {row.round}{stage}, trained {ago(row.time, now)}"


def round_lines(each: Round, now: float) -> list[tuple[str, str]]:
    """All of one round, as (name, text); a name of "" goes on with the line before."""
    row = each.row
    bonus = f" and {row.bonus} for taking part" if row.bonus else ""
    out = [
        ("earned", f"{row.reward}{bonus}; mean reward {row.reward_mean:.3f}"),
        ("winners", ", ".join(row.winners) or "nobody: no vote"),
        *_submission("reward", each.reward, f"waiting: {MEANINGS['waiting']}", now),
    ]
    if each.vote is not None or row.winners:
        out += _submission("vote", each.vote, "none: one vote goes with each submission", now)
    return out


def _submission(
    name: str, row: OutboxRow | None, without: str, now: float
) -> list[tuple[str, str]]:
    if row is None:
        return [(name, without)]
    value = f"{row.value} for round {row.round}: " if row.kind == "reward" else ""
    out = [(name, f"{value}{row.status}, {MEANINGS[row.status]}")]
    times = "once" if row.attempts == 1 else f"{row.attempts} times"
    sent = f"sent {times}" if row.attempts else "not sent from here"
    again = f"; next attempt {ahead(row.next_try, now)}" if row.is_open else ""
    out.append(("", f"{sent}, last change {ago(row.updated, now)}{again}"))
    for tx_hash in row.hashes or ((row.tx_hash,) if row.tx_hash else ()):
        mined = row.block and tx_hash == row.tx_hash
        out.append(("  mined" if mined else "  sent as", tx_hash))
    if row.block:
        fee = f", fee {money(row.fee_wei)}" if row.fee_wei else ""
        out.append(("", f"block {row.block}, gas {row.gas_used or 'not known'}{fee}"))
    if row.error:
        code = f"{row.code}: " if row.code else ""
        out.append(("", f"{code}{row.error}"))
    return out


def receipt(each: Round) -> str:
    """Where its reward went, in short: a transaction, or with which other round."""
    if each.reward is None:
        return ""
    if each.reward.round != each.row.round:
        return f"with round {each.reward.round}"
    return short(each.reward.tx_hash, 10, 6)


def ahead(then: float, now: float) -> str:
    """`now`, or how long from now."""
    left = then - now
    return "now" if left <= 1 else "in " + ago(now - left, now).removesuffix(" ago")
