"""The figures of the ledger as rows and sentences: for `waggle rewards`, and for the console.

Both show the same words. Pure; `now` is Unix seconds. Texts that came from a chain are as they
came: whoever shows them cleans them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import WaggleError
from core.reports import ago, span
from core.rewards_figures import Figures
from core.rewards_words import (
    MEANINGS,
    NAMES,
    STAGES,
    differs,
    money,
    passes,
    reward_difference,
    rounds_left,
    short,
    vote_difference,
)
from core.texts import _, many

if TYPE_CHECKING:
    from core.chain.ledger_pages import Round
    from core.chain.ledger_rows import OutboxRow
    from core.rewards_check import Checked

MANY = 10_000
NOTHING = _("Nothing is recorded here yet: a round is, as soon as it is trained.")
UNKNOWN = _(
    "Round {round} is not in the ledger: not trained here, or so old that only its sum is kept."
)


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
        words = {
            "up": _("the same"),
            "starting": _("{n:,} not confirmed yet").format(n=open_),
            "degraded": _("differs"),
        }
        return words.get(self.level, "")


def stages(figures: Figures, now: float) -> list[Stage]:
    """From trained to credited; those in between only when something stands there."""
    totals = figures.totals
    rounds = _("rounds, {bonus} of it for taking part") if totals.bonus else _("rounds")
    out = [Stage("trained", totals.rounds, None, totals.reward, rounds.format(bonus=totals.bonus))]
    for stage in STAGES:
        if stage == "waiting":
            rewards, votes, worth = totals.waiting, None, totals.waiting_reward
        else:
            rewards, votes = (totals.count(stage, kind=kind) for kind in ("reward", "winner"))
            worth = totals.value.get(stage, 0)
        if rewards or votes or stage == "credited":
            meaning = _with_time(MEANINGS[stage], figures, stage, now)
            out.append(Stage(stage, rewards, votes, worth, meaning))
    return out


def _with_time(meaning: str, figures: Figures, stage: str, now: float) -> str:
    """What a stage means, and when it goes on."""
    totals, counted = figures.totals, figures.counted
    if stage == "waiting" and counted is not None and counted.next_submission:
        latest = ahead(counted.next_submission, now)
        return _("{meaning}, at the latest {time}").format(meaning=meaning, time=latest)
    if stage == "pending" and totals.next_try is not None:
        attempt = ahead(max(totals.next_try, figures.line.next_try), now)
        return _("{meaning}; next attempt {time}").format(meaning=meaning, time=attempt)
    return meaning


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
        told = many(
            "{error} (since {since}, tried {n} time; next attempt {next})",
            "{error} (since {since}, tried {n} times; next attempt {next})",
            line.failures,
        ).format(
            error=WaggleError(line.what, line.why, line.next_step),
            since=ago(line.since, now),
            n=line.failures,
            next=ahead(line.next_try, now),
        )
        out.append(("trouble", told))
    if checked is not None:
        out.append(("clock", _("the coordinator is at round {round}").format(round=checked.round)))
        if checked.asked:
            known = _("{there} of {asked} open submissions are there already").format(
                there=len(checked.there), asked=checked.asked
            )
            out.append(("outbox", known))
    for other in figures.elsewhere:
        if other.open:
            told = _(
                "{n} submissions are for another swarm, {swarm}: kept, and sent when this home is"
                " in it again"
            )
            if other.peer_id != figures.peer_id:
                told = _(
                    "{n} submissions of peer {peer} are for another swarm, {swarm}: kept, and sent"
                    " when this home is in it again"
                )
            swarm, peer = short(other.swarm, 24), short(other.peer_id)
            out.append(("elsewhere", told.format(n=other.open, swarm=swarm, peer=peer)))
    return out


def identity(figures: Figures, owner: str | None) -> str:
    """Whose the coordinator says that this peer is."""
    mine = figures.account
    if owner is None:
        return _("the coordinator was not asked yet whose this peer is")
    if not owner:
        return _("not registered yet: the first submission does it")
    if not differs(mine, owner):
        told = (
            _("registered to {owner}, this node's account") if mine else _("registered to {owner}")
        )
        return told.format(owner=owner)
    return _(
        "WRONG: registered to {owner}, and this node's account is {mine}: nothing it trains is "
        "counted. Bring the account folder that registered it here, or start as a new peer with "
        "`waggle identity new --set-aside`. Nothing was sent; the rounds are kept"
    ).format(owner=owner, mine=mine)


def gas(figures: Figures) -> str:
    """What was spent, and how long the rest lasts."""
    totals, read = figures.totals, figures.counters
    spent = _("{money} spent for {gas:,} gas").format(
        money=money(totals.fee_wei), gas=totals.gas_used
    )
    left = rounds_left(read)
    if read is None or left is None:
        return spent
    told = _("{spent}; {money} left, for {n} submissions with their votes at {cost} each")
    if left >= MANY:
        told = _(
            "{spent}; {money} left, for more than {n} submissions with their votes at {cost} each"
        )
    return told.format(
        spent=spent,
        money=money(read.balance_wei),
        n=min(left, MANY),
        cost=money(read.round_cost_wei),
    )


# --- one round --------------------------------------------------------------------------------


def round_head(each: Round, now: float) -> str:
    row = each.row
    told = _("round {round}, trained {time}")
    if row.stage:
        told = _("round {round}, stage {stage}, trained {time}")
    return told.format(round=row.round, stage=row.stage, time=ago(row.time, now))


def round_lines(each: Round, now: float) -> list[tuple[str, str]]:
    """All of one round, as (name, text); a name of "" goes on with the line before."""
    row = each.row
    earned = _("{reward}; mean reward {mean:.3f}")
    if row.bonus:
        earned = _("{reward} and {bonus} for taking part; mean reward {mean:.3f}")
    out = [
        ("earned", earned.format(reward=row.reward, bonus=row.bonus, mean=row.reward_mean)),
        ("winners", ", ".join(row.winners) or _("nobody: no vote")),
        *_submission(
            "reward",
            each.reward,
            f"{NAMES['waiting']}: {MEANINGS['waiting']}",
            now,
        ),
    ]
    if each.vote is not None or row.winners:
        out += _submission("vote", each.vote, _("none: one vote goes with each submission"), now)
    return out


def _submission(
    name: str, row: OutboxRow | None, without: str, now: float
) -> list[tuple[str, str]]:
    if row is None:
        return [(name, without)]
    told = f"{NAMES[row.status]}, {MEANINGS[row.status]}"
    if row.kind == "reward":
        told = _("{value} for round {round}: {status}").format(
            value=row.value, round=row.round, status=told
        )
    out = [(name, told)]
    sent = _("not sent from here")
    if row.attempts:
        sent = many("sent once", "sent {n} times", row.attempts).format(n=row.attempts)
    told = _("{sent}, last change {time}")
    if row.is_open:
        told = _("{sent}, last change {time}; next attempt {next}")
    told = told.format(sent=sent, time=ago(row.updated, now), next=ahead(row.next_try, now))
    out.append(("", told))
    for tx_hash in row.hashes or ((row.tx_hash,) if row.tx_hash else ()):
        mined = row.block and tx_hash == row.tx_hash
        out.append(("  mined" if mined else "  sent as", tx_hash))
    if row.block:
        told = _("block {block}, gas {gas}")
        if row.fee_wei:
            told = _("block {block}, gas {gas}, fee {fee}")
        gas_used = row.gas_used or _("not known")
        out.append(("", told.format(block=row.block, gas=gas_used, fee=money(row.fee_wei))))
    if row.error:
        code = f"{row.code}: " if row.code else ""
        out.append(("", f"{code}{row.error}"))
    return out


def receipt(each: Round) -> str:
    """Where its reward went, in short: a transaction, or with which other round."""
    if each.reward is None:
        return ""
    if each.reward.round != each.row.round:
        return _("with round {round}").format(round=each.reward.round)
    return short(each.reward.tx_hash, 10, 6)


def ahead(then: float, now: float) -> str:
    """`now`, or how long from now."""
    left = then - now
    return _("now") if left <= 1 else _("in {time}").format(time=span(left))
