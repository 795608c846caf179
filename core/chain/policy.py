"""When trained rounds are handed to the coordinator, and what is added to their reward.

Pure: it is asked with what waits and what time it is. The original sums rounds in memory and
submits every three hours counted from the start of the process, so that a node which restarts more
often submits nothing, ever. Here what waits lies in the ledger and the time of the last submission
is that of its row, so a restart changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError
from core.schema import ChainSection


@dataclass(frozen=True)
class Policy:
    """every_rounds, every_s: whichever comes first; 0 switches one of the two off.

    bonus: added to a round's reward when that is above zero; the original adds 1.
    """

    every_rounds: int = 1
    every_s: float = 0.0
    bonus: int = 0

    def bonus_for(self, reward: int) -> int:
        """What participation adds to a round that earned `reward`."""
        return self.bonus if reward > 0 else 0

    def is_due(self, waiting: int, since: float, now: float) -> bool:
        """Whether `waiting` rounds are to be submitted at `now`.

        since: Unix seconds of the last submission, or of the oldest waiting round when there was
        none. A clock that was set back counts as time that has passed: better early than never.
        """
        if waiting == 0:
            return False
        if self.every_rounds and waiting >= self.every_rounds:
            return True
        return bool(self.every_s) and not since <= now < since + self.every_s

    def due_at(self, since: float) -> float | None:
        """Unix seconds when time alone makes a submission due; None when only rounds count."""
        return since + self.every_s if self.every_s else None

    def told(self) -> str:
        """The policy in words."""
        rounds = "every round" if self.every_rounds == 1 else f"every {self.every_rounds} rounds"
        time = f"every {_minutes(self.every_s)}"
        if not self.every_s or self.every_rounds == 1:
            text = rounds
        elif not self.every_rounds:
            text = time
        else:
            text = f"{rounds} or {time}, whichever comes first"
        return text + (f", +{self.bonus} for a round that earned something" if self.bonus else "")


def policy_of(settings: ChainSection) -> Policy:
    """ConfigError when nothing would ever be submitted."""
    if not settings.submit_every_rounds and not settings.submit_every_minutes:
        raise ConfigError(
            "Nothing would ever be submitted",
            "chain.submit_every_rounds and chain.submit_every_minutes are both 0",
            "Set one of them; the default is every round",
        )
    return Policy(
        settings.submit_every_rounds,
        settings.submit_every_minutes * 60.0,
        settings.participation_bonus,
    )


def _minutes(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:g} hours" if minutes >= 120 else f"{minutes:g} minutes"
