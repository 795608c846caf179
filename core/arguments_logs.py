"""The grammar of `waggle logs`; what it prints is in `logs_report.py`."""

from __future__ import annotations

from core.arguments import Commands, command, positive


def add_logs(commands: Commands) -> None:
    logs = command(
        commands,
        "logs",
        "the logs of all processes of the node, in one time order",
        "works beside a running node, from its files, rotated ones included.\n\n"
        "examples:\n"
        "  waggle logs --level warning --since 2h\n"
        "  waggle logs --grep 'refused|timed out' --lines 20\n"
        "  waggle logs --follow --json | jq .text\n\n"
        "lines that belong to an entry (a traceback) are indented below it. a known error is\n"
        "followed by its cause and what to do.\n\n"
        "exit codes: 0, 1 there are no logs yet, or no such round, 2 an option that cannot be used",
    )
    logs.add_argument(
        "--level",
        choices=("debug", "info", "warning", "error"),
        default="debug",
        help="this one and worse",
    )
    logs.add_argument(
        "--grep", metavar="REGEX", default="", help="only entries in which this is found"
    )
    logs.add_argument(
        "--since", metavar="WHEN", default="", help="14:05, 2026-11-25 14:05, 10m (ago), round 240"
    )
    logs.add_argument("--log", metavar="NAME", default="", help="one log alone: node, net, 2/node")
    logs.add_argument(
        "--lines",
        type=positive,
        metavar="N",
        help="the last N entries (50, or all with --since)",
    )
    logs.add_argument("--follow", action="store_true", help="go on with what is new")
    logs.add_argument("--json", action="store_true", help="one JSON object for each entry")
