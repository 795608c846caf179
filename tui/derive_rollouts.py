"""The rollouts screen's views: which groups of the last rounds there are, whose, and what of them.

Pure. A row is one `RolloutShown` with what the screen says of it; foreign text is kept as it came,
whoever draws it makes it safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from core.events import RolloutShown
from core.gate.admission import REASONS
from core.gate.fates import fate
from core.grpo_doctor import diagnose
from core.state import NodeState
from core.texts import _, many
from tui.draw_facts import Fact, Heading, Line
from tui.text import capital

MINE = _("this node")
FILTERS = {
    "all": _("All"),
    "own": _("Own"),
    "others": _("Others'"),
    "refused": _("Refused"),
    "silent": _("No signal"),
}
"""What the list may be narrowed to, by name."""
EMPTY = _("The first finished round shows its answers here.")
NO_MATCH = _("No group matches. Esc shows all again.")
MEANINGS = {
    "trained": _("It is part of the training step: its rewards differ."),
    "no_signal": _("All its answers earned the same, so there is nothing to learn from."),
    "spare": _("It passed all checks; the draw took other groups for this round."),
}
NOBODY = ""
"""Stands for a group where there is none."""
NO_SCORE = _("not scored: what became of it was clear before")
ACCEPTED = ("trained", "spare")
FATES = {"refused": _("Refused"), "spare": _("Not needed"), "missed": _("Missed")}
WORDS = {"spare": _("not drawn"), "quota": _("not needed"), "no_signal": _("no signal")}
"""Outcomes in two words; the others are their own word."""


@dataclass(frozen=True)
class Row:
    """peer: its name, or `MINE`. key: what the row is, in whatever list it stands."""

    event: RolloutShown
    peer: str
    mine: bool

    @property
    def round(self) -> int | None:
        return self.event.round

    @property
    def key(self) -> tuple[object, ...]:
        told = self.event
        return told.round, told.time, told.task, told.peer_id, told.outcome

    @cached_property
    def outcome(self) -> str:
        """Its code. Earlier versions told none, and only of this node's own groups."""
        if self.event.outcome:
            return self.event.outcome
        return "no_signal" if self.event.best_reward == self.event.worst_reward else "trained"

    @property
    def left_out(self) -> bool:
        """Another's, and not let in: for a fault, or for no need of it."""
        return not self.mine and self.outcome not in ACCEPTED

    @property
    def refused(self) -> bool:
        """For a fault."""
        return self.left_out and fate(self.outcome) == "refused"

    @property
    def words(self) -> str:
        """What became of it, in two words."""
        if self.outcome == "trained":
            return _("trained on") if self.mine else _("accepted")
        return WORDS.get(self.outcome, self.outcome)

    @property
    def level(self) -> str:
        if self.refused:
            return "failed"
        return "confirmed" if self.outcome == "trained" else "pending"

    @property
    def meaning(self) -> str:
        """The outcome in a sentence, with its detail."""
        if self.left_out:
            why = REASONS.get(self.outcome, _("for another reason."))
            text = f"{FATES[fate(self.outcome)]} ({self.outcome}): {why}"
        else:
            text = MEANINGS.get(self.outcome, "")
        return f"{text} ({self.event.detail})" if self.event.detail else text

    @cached_property
    def sought(self) -> str:
        """All that a search looks at, in lower case."""
        told = self.event
        parts = (
            _("round {round}").format(round=told.round),
            told.task,
            self.peer,
            told.peer_id,
            self.words,
        )
        return "\n".join((*parts, told.question, told.answer, told.best, told.worst)).lower()


@dataclass(frozen=True)
class Head:
    """What the GRPO doctor says: a sentence whose last words may be left out, and what to change.

    level: of a health level."""

    sentence: str
    advice: str
    level: str


def head(state: NodeState) -> Head:
    told = diagnose(state)
    ill = any(finding.grave for finding in told.findings)
    level = "degraded" if ill else "healthy" if told.figures is not None else "starting"
    return Head(told.sentence, told.advice, level)


def rows(state: NodeState) -> tuple[Row, ...]:
    """Newest round first; within a round in the order in which it told them."""
    me = state.node.peer_id if state.node is not None else ""
    names = {peer.peer_id: peer.name for peer in state.peers.values() if peer.signed}
    rounds = [list(told) for _, told in groupby(state.rollouts, key=lambda event: event.round)]
    return tuple(_row(event, me, names) for told in reversed(rounds) for event in told)


def _row(event: RolloutShown, me: str, names: dict[str, str]) -> Row:
    mine = event.peer_id == me and (not event.outcome or event.outcome in MEANINGS)
    if mine:
        return Row(event, MINE, True)
    name = event.name or names.get(event.peer_id) or event.peer_id
    return Row(event, name if event.signed else _("{name} (unsigned)").format(name=name), False)


_KEEPS: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "own": lambda row: row.mine,
    "others": lambda row: not row.mine and not row.refused,
    "refused": lambda row: row.refused,
    "silent": lambda row: row.outcome == "no_signal",
}


def chosen(found: Sequence[Row], name: str, find: str = "") -> tuple[Row, ...]:
    """Those of a filter that have `find` somewhere, in capitals or not."""
    keep, sought = _KEEPS[name], find.strip().lower()
    return tuple(row for row in found if keep(row) and sought in row.sought)


def nearest(found: Sequence[Row], round_: float) -> int | None:
    """The first row of that round, or of the newest one before it; the last row for all others."""
    for number, row in enumerate(found):
        if row.round is not None and row.round <= round_:
            return number
    return len(found) - 1 if found else None


# --- a group in full --------------------------------------------------------------------------


def measures(row: Row, best: bool) -> str:
    """Reward, advantage and length of one of its two answers, in words."""
    told = row.event
    reward, advantage = (
        (told.best_reward, told.best_advantage)
        if best
        else (told.worst_reward, told.worst_advantage)
    )
    chars, tokens, text, finished = (
        (told.best_chars, told.best_tokens, told.best, told.best_finished)
        if best
        else (told.worst_chars, told.worst_tokens, told.worst, told.worst_finished)
    )
    parts = []
    if reward is not None:
        parts.append(_("reward {reward:.2f}").format(reward=reward))
    if advantage is not None:
        parts.append(_("advantage {advantage:+.2f}").format(advantage=advantage))
    if tokens:
        parts.append(many("{n:,} token", "{n:,} tokens", tokens).format(n=tokens))
    if chars > len(text):
        parts.append(_("{n:,} characters, shown in part").format(n=chars))
    elif not tokens and chars:
        parts.append(many("{n:,} character", "{n:,} characters", chars).format(n=chars))
    if not finished:
        parts.append(_("cut off"))
    return "  ".join(parts)


def rewards(row: Row) -> str:
    """Those of all its answers, in order, and their mean."""
    told = row.event
    if not told.rewards:
        return "" if told.best_reward is not None else NO_SCORE
    listed = " ".join(f"{value:.2g}" for value in told.rewards)
    more = told.completions - len(told.rewards)
    if more > 0:
        listed = _("{listed} and {n:,} more").format(listed=listed, n=more)
    mean = sum(told.rewards) / len(told.rewards)
    return f"{listed}  " + _("mean {mean:.2f}").format(mean=mean)


def titles(row: Row) -> tuple[str, str]:
    """What its two answers are: where nothing was better there is no best."""
    if has_best(row.event):
        return _("best answer"), _("worst answer")
    return _("first answer"), _("last answer")


def has_best(told: RolloutShown) -> bool:
    return told.best_reward is not None and told.best_reward != told.worst_reward


def details(row: Row) -> tuple[Line, ...]:
    """Everything that is known of a group."""
    told = row.event
    first, second = titles(row)
    return (
        Fact(_("round"), str(told.round)),
        Fact(_("task"), told.task),
        Fact(_("from"), row.peer),
        Fact(_("peer id"), told.peer_id, whole=True),
        Fact(_("outcome"), row.meaning, row.level),
        Fact(_("answers"), f"{told.completions:,}" if told.completions else _("not known")),
        Fact(_("rewards"), rewards(row)),
        Heading(_("Question")),
        *_lines(told.question or _("not rebuilt here")),
        Fact(_("solution"), told.answer or "-"),
        Heading(capital(first)),
        Fact("", measures(row, True)),
        *_lines(told.best),
        Heading(capital(second)),
        Fact("", measures(row, False)),
        *_lines(told.worst),
    )


def _lines(text: str) -> list[Fact]:
    return [Fact("", line) for line in (text or _("(empty)")).strip("\n").split("\n")]


def copied(row: Row) -> str:
    """The group as plain text, to be pasted somewhere."""
    told = row.event
    first, second = titles(row)
    return "\n".join(
        (
            _("round {round}, {task}, from {peer} ({peer_id}): {words}").format(
                round=told.round,
                task=told.task,
                peer=row.peer,
                peer_id=told.peer_id,
                words=row.words,
            ),
            _("rewards: {rewards}").format(rewards=rewards(row)),
            f"\n{_('question:')}\n{told.question}",
            f"\n{_('solution:')}\n{told.answer}",
            f"\n{first} ({measures(row, True)}):\n{told.best}",
            f"\n{second} ({measures(row, False)}):\n{told.worst}",
        )
    )
