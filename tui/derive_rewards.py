"""The rewards screen's views: the figures of the ledger, kept fresh by the state. Pure.

What the ledger adds up to is read from `node.db` now and then, by somebody else; in between, the
node's own events say what changed, so that nothing is summed up again for every round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core import events
from core.chain.ledger_pages import Round
from core.chain.line import Line as Obstacle
from core.reports import ago
from core.rewards_check import Checked
from core.rewards_facts import Side, Stage, facts, round_lines, sides, stages
from core.rewards_figures import Figures
from core.rewards_words import NAMES, differs
from core.state import NodeState
from core.texts import _
from tui.draw_facts import Fact, Heading, Line

DISABLED = _("Nothing is recorded: chain.enabled is false.")
NEVER_ASKED = _("The coordinator was not asked yet; c asks it now.")
RECENT_S = 3600.0
"""A final no is told above the table for so long; the ledger has it for good."""
ADVICE = {
    "failed": _("Failed ones are final: f lists them, Enter says why; their rounds are kept."),
}

LABELS = {
    "peer": _("peer"),
    "swarm": _("swarm"),
    "identity": _("identity"),
    "policy": _("policy"),
    "gas": _("gas"),
    "trouble": _("trouble"),
    "clock": _("clock"),
    "outbox": _("outbox"),
    "elsewhere": _("elsewhere"),
    "earned": _("earned"),
    "winners": _("winners"),
    "reward": _("reward"),
    "vote": _("vote"),
    "mined": _("mined"),
    "sent as": _("sent as"),
}
"""The names of the facts of `core.rewards_facts`, as they are shown."""


def live(figures: Figures, state: NodeState, read: float) -> Figures:
    """The figures with what the node has said since `read` (Unix seconds)."""
    mine, told, counters = (figures.swarm, figures.peer_id), state.rewards, state.counters
    if counters is not None and (counters.swarm, counters.peer_id) == mine:
        newer = figures.counters is None or counters.time > figures.counters.time
        figures = replace(figures, counters=counters) if newer else figures
    if told is None or (told.swarm, told.peer_id) != mine:
        return figures
    if figures.counted is None or told.time > figures.counted.time:
        figures = replace(figures, counted=told, account=told.account or figures.account)
    if told.time <= read:
        return figures
    totals = replace(
        figures.totals,
        rounds=told.trained,
        reward=told.reward,
        waiting=told.waiting,
        waiting_reward=told.waiting_reward,
        by_kind={**figures.totals.by_kind, "reward": told.rewards, "winner": told.votes},
        value=told.value,
        elsewhere=told.elsewhere,
        gas_used=told.gas_used,
        fee_wei=told.fee_wei,
        next_try=told.next_try,
    )
    return replace(figures, totals=totals, line=_line(told, figures.line))


def _line(told: events.RewardsCounted, before: Obstacle) -> Obstacle:
    if not told.obstacle:
        return Obstacle()
    same = before.what == told.obstacle
    return Obstacle(
        since=told.obstacle_since,
        next_try=told.next_try or before.next_try,
        failures=max(1, before.failures if same else 1),
        code=told.code,
        what=told.obstacle,
        why=told.why,
        next_step=told.next_step,
    )


@dataclass(frozen=True)
class HeadView:
    """stages: from trained to credited. rounds: rows of the table; failed: only those.

    trouble: what stands in the way, in words with the next step; empty when nothing does.
    """

    stages: tuple[Stage, ...]
    rounds: int
    failed: bool
    trouble: str = ""
    note: str = ""


def head(figures: Figures | None, rounds: int, failed: bool, note: str, now: float) -> HeadView:
    if figures is None:
        return HeadView((), rounds, failed, note=note)
    told = dict(facts(figures, None, figures.owner, now))
    wrong = told["identity"] if _anothers(figures) else ""
    trouble = wrong or told.get("trouble", "") or last_error(figures, now - RECENT_S)
    return HeadView(tuple(stages(figures, now)), rounds, failed, trouble, note)


def _anothers(figures: Figures) -> bool:
    """Whether the peer belongs to another account: nothing that it trains is counted."""
    return differs(figures.account, figures.owner or "")


def last_error(figures: Figures, since: float = 0.0) -> str:
    """Of the newest round with a submission in trouble, among those that were read; unless it is
    final and was before `since` (Unix seconds)."""
    for each in figures.rounds:
        for row in (each.reward, each.vote):
            if row is not None and row.error and (row.is_open or row.updated > since):
                told = _("{kind} of round {round} {status}: {error}.").format(
                    kind=NAMES.get(row.kind, row.kind),
                    round=row.round,
                    status=NAMES.get(row.status, row.status),
                    error=row.error.rstrip(". "),
                )
                return f"{told} {ADVICE[row.status]}" if row.status in ADVICE else told
    return ""


def counters(figures: Figures, now: float) -> tuple[tuple[Side, ...], str]:
    """Both sides of the three counters, and when the coordinator was asked."""
    read = figures.counters
    asked = (
        _("The coordinator was asked {time}.").format(time=ago(read.time, now))
        if read
        else NEVER_ASKED
    )
    return tuple(sides(figures)), asked


def answered(told: Checked) -> str:
    """What the coordinator has just said, in short."""
    said = _("The coordinator is at round {round}. Its counters are as of now.")
    if told.asked:
        said = _(
            "The coordinator is at round {round}. {there} of {asked} open submissions are there"
            " already. Its counters are as of now."
        )
    return said.format(round=told.round, there=len(told.there), asked=told.asked)


def about(figures: Figures, now: float) -> tuple[Line, ...]:
    """Queue, stages and whatever decides: as lines."""
    lines: list[Line] = [Heading(_("Stages"))]
    for stage in stages(figures, now):
        # Translators: so many submissions of a stage, worth so many points of reward.
        told = _("{rewards:,} {meaning}, worth {worth:,}")
        if stage.votes is not None:
            told = _("{rewards:,} rewards, {votes:,} votes, worth {worth:,}: {meaning}")
        told = told.format(
            rewards=stage.rewards, votes=stage.votes, worth=stage.worth, meaning=stage.meaning
        )
        lines.append(Fact(NAMES.get(stage.name, stage.name), told, stage.name))
    lines.append(Heading(_("This node")))
    for name, text in facts(figures, None, figures.owner, now):
        bad = name == "trouble" or (name == "identity" and _anothers(figures))
        lines.append(Fact(LABELS.get(name, name), text, "down" if bad else "", name == "peer"))
    if last := last_error(figures):
        lines.append(Fact(_("last error"), last, "degraded"))
    return tuple(lines)


def one_round(each: Round, now: float) -> tuple[Line, ...]:
    """Everything of one round, in the words of `waggle rewards --round`."""
    out: list[Line] = []
    for name, text in round_lines(each, now):
        status = ""
        if name in ("reward", "vote"):
            row = each.reward if name == "reward" else each.vote
            status = row.status if row is not None else ""
        label = LABELS.get(name.strip(), name.strip())
        out.append(Fact(label, text, status, whole=text.startswith("0x")))
    return tuple(out)


def copied(each: Round) -> tuple[str, str]:
    """What `y` takes of a round, and what that is called: its reward's transaction, or its
    vote's."""
    for row in (each.reward, each.vote):
        if row is not None and row.tx_hash:
            return row.tx_hash, _("transaction")
    return "", _("transaction")
