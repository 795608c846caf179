"""Would this node's own policy write that? The last check of foreign groups before training.

Refuses a group when a rewarded completion of it has a stretch far more surprising than my own
rewarded completions have (`surprise.py`), or repeats an unlikely phrase of the same peer
(`refrains.py`). It asks the engine for one forward pass over the rewarded completions of all
groups; my own ones cost nothing, their log-probs were kept when they were sampled.

It learns what is usual from my own completions, round by round, and forgets it with the process. A
correct and plausible poison passes, and so does one that comes seldom: see docs/poisoning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.gate.refrains import Refrains
from core.gate.surprise import USUAL, Usual
from core.protocols import Engine, Game, Surprise
from core.rollouts import Rollout, RolloutGroup
from core.schema import AdmissionSection

SHOWN_CHARS = 40


class Plausibility:
    """Implements `core.gate.admission.Doubts`. Worker thread only."""

    def __init__(self, engine: Engine, game: Game, section: AdmissionSection) -> None:
        self._engine = engine
        self._game = game
        self._margin = section.surprise_margin
        self._times = section.repeated_phrase
        self._usual = Usual()
        self._refrains = Refrains()

    def learn(self, own: Sequence[RolloutGroup]) -> None:
        """My own scored groups of this round, as sampled."""
        for group in own:
            pulling = {id(rollout) for rollout in rewarded(group)}
            for rollout in group.rollouts:
                nats = [-logprob for logprob in rollout.logprobs]
                self._usual.learn(nats, id(rollout) in pulling)
                self._refrains.learn(rollout.token_ids)

    def __call__(self, groups: Sequence[RolloutGroup]) -> dict[str, str]:
        """The digests of the implausible ones of these scored groups, with why."""
        if self._margin <= 0 and self._times <= 0:
            return {}
        asked = [replace(group, rollouts=rewarded(group)) for group in groups]
        tasks = {group.task: self._game.task(group.task) for group in groups}
        doubts: dict[str, str] = {}
        for group, completions in zip(groups, self._engine.surprise(asked, tasks), strict=True):
            why = self._judge(group, completions)
            if why:
                doubts[group.digest] = why
        return doubts

    def _judge(self, group: RolloutGroup, completions: Sequence[Surprise]) -> str:
        """Why the group is implausible, or ""."""
        if self._times > 0:
            # Booked whatever else is found: a phrase counts in refused groups too.
            phrase = self._refrains.repeated(
                group.peer_id, str(group.task), completions, self._times
            )
        else:
            phrase = None
        if self._margin > 0:
            found = self._usual.excess([each.nats for each in completions], self._margin)
            if found is not None:
                number, excess = found
                stretch = excess.stretch
                tokens = completions[number].token_ids[stretch.start :][: stretch.length]
                return (
                    f"{stretch.length} tokens from {self._text(tokens)} have {stretch.nats:.1f}"
                    f" nats of surprise, allowed are {excess.limit:.1f};"
                    f" {USUAL:.0%} of my own stay under {excess.usual:.1f}"
                )
        if phrase is not None:
            return (
                f"{self._text(phrase)}, which I never write, is in this peer's answers to"
                f" {self._times} different tasks"
            )
        return ""

    def _text(self, token_ids: Sequence[int]) -> str:
        text = self._engine.decode(token_ids)
        return repr(text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…")


def rewarded(group: RolloutGroup) -> tuple[Rollout, ...]:
    """The completions with a positive advantage: those that an update makes more likely."""
    rewards = group.rewards
    mean = sum(rewards) / max(1, len(rewards))
    pairs = zip(group.rollouts, rewards, strict=True)
    return tuple(rollout for rollout, reward in pairs if reward > mean + 1e-6)
