"""What `waggle rewards` prints: from trained to credited, this side beside the coordinator's."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.reports import ago, clean, print_json
from core.rewards_check import Checked, check
from core.rewards_figures import Choice, Figures, collect
from core.rewards_json import data
from core.rewards_words import (
    COUNTERS,
    MEANINGS,
    STAGES,
    differs,
    ether,
    reward_difference,
    rounds_left,
    short,
    vote_difference,
)

if TYPE_CHECKING:
    from core.chain.ledger_pages import Round
    from core.chain.ledger_rows import OutboxRow

WIDTH = 80
MANY = 10_000
NOTHING = "Nothing is recorded here yet: a round is, as soon as it is trained."


def rewards(
    home: Home, load: Callable[[], Effective], choice: Choice, ask: bool, as_json: bool
) -> int:
    """Print it all. load: the configuration, only needed to ask the coordinator anew.

    0; 1 when `ask` was wanted and it could not be asked, or says that nothing counts.
    """
    figures = collect(home, choice)
    if figures is None:
        print_json({"trained": 0, "rounds": []}) if as_json else print(NOTHING)
        return 0
    checked: Checked | None = None
    error: WaggleError | None = None
    if ask:
        try:
            checked = check(home, load, figures)
            figures = checked.figures
        except WaggleError as said:
            error = said
    owner = checked.owner if checked is not None else figures.owner
    if as_json:
        print_json(data(figures, checked, error))
    else:
        _print(figures, choice, checked, error, owner)
    return 1 if error is not None or (ask and differs(figures.account, owner or "")) else 0


def _print(
    figures: Figures,
    choice: Choice,
    checked: Checked | None,
    error: WaggleError | None,
    owner: str | None,
) -> None:
    if choice.round is not None:
        _one_round(figures, choice.round)
        return
    _stages(figures)
    print()
    _sides(figures)
    print()
    for name, text in _facts(figures, checked, owner):
        _told(name, text)
    if error is not None:
        _told("not asked", str(error))
    _table(figures.rounds, choice)


def _stages(figures: Figures) -> None:
    totals = figures.totals
    bonus = f", {totals.bonus} of it for taking part" if totals.bonus else ""
    print(f"{'':<11}{'rewards':>8}{'votes':>7}{'worth':>9}")
    _stage("trained", totals.rounds, None, totals.reward, f"rounds{bonus}")
    for stage in STAGES:
        if stage == "waiting":
            rewards, votes, worth = totals.waiting, None, totals.waiting_reward
        else:
            rewards, votes = (totals.count(stage, kind=kind) for kind in ("reward", "winner"))
            worth = totals.value.get(stage, 0)
        if rewards or votes or stage == "credited":
            _stage(stage, rewards, votes, worth, MEANINGS[stage] + _when(figures, stage))


def _stage(name: str, rewards: int, votes: int | None, worth: int, meaning: str) -> None:
    shown = "" if votes is None else str(votes)
    _told(f"{name:<11}{rewards:>8}{shown:>7}{worth:>9}", meaning, 37)


def _when(figures: Figures, stage: str) -> str:
    totals, counted = figures.totals, figures.counted
    if stage == "waiting" and counted is not None and counted.next_submission:
        return f", at the latest {_in(counted.next_submission)}"
    if stage == "pending" and totals.next_try is not None:
        return f"; next attempt {_in(max(totals.next_try, figures.line.next_try))}"
    return ""


def _sides(figures: Figures) -> None:
    read, totals = figures.counters, figures.totals
    asked = f"coordinator, {ago(read.time)}" if read else "coordinator: not asked yet"
    print(f"{'':<15}{'here':>10}  {asked}")
    votes = totals.count(*STAGES[1:], kind="winner")
    rows: list[tuple[str, int | None, int | None, list[tuple[int, str]]]] = [
        (
            *("reward", totals.reward, read.total_reward if read else None),
            reward_difference(totals, read) if read else [],
        ),
        (
            *("participation", votes, read.participation if read else None),
            vote_difference(totals, read) if read else [],
        ),
        ("wins", None, read.wins if read else None, []),
    ]
    for name, mine, theirs, why in rows:
        here = "-" if mine is None else str(mine)
        print(f"{name:<15}{here:>10}  {'-' if theirs is None else theirs:>11}")
        for amount, reason in why:
            _told("", f"{amount:+d}: {reason}", 40)
    print()
    for name, meaning in COUNTERS.items():
        _told(name, meaning)


def _facts(figures: Figures, checked: Checked | None, owner: str | None) -> list[tuple[str, str]]:
    out = [("peer", figures.peer_id), ("swarm", figures.swarm)]
    out.append(("identity", _identity(figures, owner)))
    if figures.counted is not None:
        out.append(("policy", figures.counted.policy))
    out.append(("gas", _gas(figures)))
    line = figures.line
    if not line.is_open():
        tried = f"since {ago(line.since)}, tried {line.failures} times"
        told = str(WaggleError(line.what, line.why, line.next_step))
        out.append(("trouble", f"{told} ({tried}; next attempt {_in(line.next_try)})"))
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
    return [(name, clean(text)) for name, text in out]


def _identity(figures: Figures, owner: str | None) -> str:
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


def _gas(figures: Figures) -> str:
    totals, read = figures.totals, figures.counters
    spent = f"{ether(totals.fee_wei)} ether spent for {totals.gas_used} gas"
    left = rounds_left(read)
    if read is None or left is None:
        return spent
    many = f"{left}" if left < MANY else f"more than {MANY}"
    return (
        f"{spent}; {ether(read.balance_wei)} ether left, for {many} submissions with their votes"
        f" at {ether(read.round_cost_wei)}"
    )


def _table(rounds: list[Round], choice: Choice) -> None:
    if not rounds:
        print("\nNo round failed." if choice.failed else "")
        return
    print(f"\n{'round':>8} {'earned':>7} {'bonus':>5}  {'reward':<10} {'vote':<10} receipt")
    for each in rounds:
        row, vote = each.row, each.vote.status if each.vote else "-"
        receipt = ""
        if each.reward is not None:
            with_round = each.reward.round
            receipt = short(each.reward.tx_hash, 10, 6)
            if with_round != row.round:
                receipt = f"with round {with_round}"
        print(
            f"{row.round:>8} {row.reward:>7} {row.bonus or '':>5}  {each.status:<10} {vote:<10} "
            f"{clean(receipt)}".rstrip()
        )
        for error in dict.fromkeys(r.error for r in (each.reward, each.vote) if r and r.error):
            _told("", clean(error), 10)


def _one_round(figures: Figures, number: int) -> None:
    if not figures.rounds:
        print(f"Round {number} is not in the ledger: not trained here, or so old that only its")
        print("sum is kept.")
        return
    for each in figures.rounds:
        row = each.row
        stage = f", stage {row.stage}" if row.stage else ""
        print(f"round {row.round}{stage}, trained {ago(row.time)}")
        bonus = f" and {row.bonus} for taking part" if row.bonus else ""
        _told("earned", f"{row.reward}{bonus}; mean reward {row.reward_mean:.3f}")
        _told("winners", clean(", ".join(row.winners) or "nobody: no vote"))
        _submission("reward", each.reward, f"waiting: {MEANINGS['waiting']}")
        if each.vote is not None or row.winners:
            _submission("vote", each.vote, "none: one vote goes with each submission")


def _submission(name: str, row: OutboxRow | None, without: str) -> None:
    if row is None:
        _told(name, without)
        return
    value = f"{row.value} for round {row.round}: " if row.kind == "reward" else ""
    _told(name, f"{value}{row.status}, {MEANINGS[row.status]}")
    times = "once" if row.attempts == 1 else f"{row.attempts} times"
    sent = f"sent {times}" if row.attempts else "not sent from here"
    again = f"; next attempt {_in(row.next_try)}" if row.is_open else ""
    _told("", f"{sent}, last change {ago(row.updated)}{again}")
    for tx_hash in row.hashes or ((row.tx_hash,) if row.tx_hash else ()):
        mined = row.block and tx_hash == row.tx_hash
        print(f"{'  mined' if mined else '  sent as':<13} {clean(tx_hash)}")
    if row.block:
        fee = f", fee {ether(row.fee_wei)} ether" if row.fee_wei else ""
        _told("", f"block {row.block}, gas {row.gas_used or 'not known'}{fee}")
    if row.error:
        code = f"{row.code}: " if row.code else ""
        _told("", clean(f"{code}{row.error}"))


def _told(name: str, text: str, indent: int = 15) -> None:
    """`name`, then the text beside it, wrapped."""
    lead = f"{name:<{indent}}"
    wrapped = textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))
    print("\n".join(wrapped) if wrapped else lead.rstrip())


def _in(then: float) -> str:
    left = then - time.time()
    if left <= 1:
        return "now"
    return "in " + ago(2 * time.time() - then).removesuffix(" ago")
