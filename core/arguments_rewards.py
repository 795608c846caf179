"""The grammar of `rewards`. Made from the pieces of `arguments.py`."""

from __future__ import annotations

from core.arguments import Commands, add_json, add_settings, command, natural, positive

SHOWN = 20


def add_rewards(commands: Commands) -> None:
    """`rewards`."""
    rewards = command(
        commands,
        "rewards",
        "what counts: trained, submitted, confirmed, credited, and what the coordinator says",
        "reads the ledger itself, beside a running node or without one. the coordinator's\n"
        "figures are those that the node read last; --check asks it now, for 15 seconds at\n"
        "most.\n"
        "examples:\n"
        "  waggle rewards                the sums, why they differ, and the newest rounds\n"
        "  waggle rewards --round 124    all that is known of one round, receipts in full\n"
        "  waggle rewards --failed       only rounds with a submission in trouble, and why\n"
        "  waggle rewards --check        whose this peer is, and what is there, as of now\n\n"
        "exit codes: 0; 1 with --check: it could not be asked, or the peer is another account's",
    )
    add_settings(rewards, memory_too=False)
    add_json(rewards)
    rewards.add_argument("--check", action="store_true", help="ask the coordinator now")
    rewards.add_argument("--round", type=natural, metavar="N", help="one round in full")
    rewards.add_argument("--failed", action="store_true", help="only rounds in trouble")
    rewards.add_argument(
        "--limit", type=positive, metavar="N", default=SHOWN, help=f"newest rounds ({SHOWN})"
    )
