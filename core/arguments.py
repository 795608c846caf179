"""The grammar of the command line: commands, options, help. What they do is in `cli.py`.

Options stand before or behind the command; of two spellings of one option the later wins, but
for --set, which adds up.
"""

from __future__ import annotations

import argparse
import re

from core import __version__

Commands = argparse._SubParsersAction  # argparse keeps the type of add_subparsers to itself

EPILOG = """\
examples:
  waggle                                   the console; asks a few questions on the first start
  waggle run --headless --rounds 300       train 300 rounds, one line each
  waggle run --profile trio                three nodes on this machine, in one swarm
  waggle invite --host 192.168.1.20        let others join the swarm that runs here
  waggle join waggle://...                 join theirs
  waggle status --json                     how the node is, for a script
  waggle --home /data/second               a second node on this machine

settings, later ones win: defaults, profile, config.yaml in the home, WAGGLE__SECTION__KEY in the
environment, --set section.key=value. `waggle config show` tells where each value comes from.

exit codes: 0 done, 1 failed (a sentence says why), 2 wrong usage or configuration,
130 interrupted, 141 output closed. `waggle status --help` and `waggle doctor --help` have more.
"""


def build_parser() -> argparse.ArgumentParser:
    from core.arguments_account import add_account
    from core.arguments_chain import add_swarm
    from core.arguments_logs import add_logs
    from core.arguments_peers import add_peers
    from core.arguments_rewards import add_rewards
    from core.arguments_swarm import add_host, add_identity, add_invites

    parser = argparse.ArgumentParser(
        prog="waggle",
        description="A node of a decentralised reinforcement-learning swarm, and its console.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"waggle {__version__}")
    _add_common(parser, top=True)
    add_settings(parser, top=True)
    parser.set_defaults(command="console")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = command(
        commands,
        "run",
        "run a node: in the console, or without one (--headless)",
        "examples:\n"
        "  waggle run --headless --profile solo --rounds 300 --json\n"
        "  waggle run --headless --supervise        restarts the node when it crashes\n"
        "  waggle run --set game.groups=8 --seed 1\n\n"
        "with --json, standard output carries one event a line and nothing else.\n"
        "Ctrl+C ends at the round boundary; a second one, or SIGTERM, at once.\n\n"
        "exit codes: 0 the rounds are done or it was asked to stop, 1 failed, 2 configuration",
    )
    add_settings(run)
    run.add_argument("--headless", action="store_true", help="no console: a line for each round")
    run.add_argument("--rounds", type=positive, metavar="N", help="end after N rounds")
    run.add_argument("--json", action="store_true", help="one event a line, as JSON")
    run.add_argument("--seed", type=natural, metavar="N", help="the same as --set training.seed=N")
    run.add_argument("--supervise", action="store_true", help="start it again when it crashes")
    _add_bootnodes(run)
    add_host(run)
    run.add_argument("--child", action="store_true", help=argparse.SUPPRESS)

    status = command(
        commands,
        "status",
        "the verdict: is the node healthy, is it learning, does it count",
        "works beside a running node, from its journal.\n\n"
        "exit codes: 0 healthy, starting or paused; 3 degraded; 4 down; 1 no journal to read",
    )
    add_rewards(commands)
    add_peers(commands)
    add_logs(commands)
    models = command(
        commands,
        "models",
        "models to choose from, whether each fits here, and how long a round takes",
        "any Hugging Face id or local path works as well: --set model.id=...\n"
        "with --max-ram 6G: as it would be on a smaller machine\nexit codes: 0, 1, 2",
    )
    add_settings(models)
    for reporter in (status, models):
        add_json(reporter)

    evaluation = command(
        commands,
        "eval",
        "held-out evaluation of the current checkpoint",
        "on seeds that no training ever sees; works beside a running node.\n"
        "example: waggle eval --tasks 200 --samples 4 --json\nexit codes: 0, 1, 2",
    )
    add_settings(evaluation)
    add_json(evaluation)
    evaluation.add_argument("--tasks", type=positive, metavar="N", help="how many tasks")
    evaluation.add_argument("--samples", type=positive, metavar="N", help="samples for each task")
    evaluation.add_argument("--seed", type=natural, metavar="N", help="seed of tasks and sampling")

    export = command(
        commands,
        "export",
        "write a checkpoint as a Hugging Face folder, to use or to share",
        "the newest whole checkpoint, unless another is named; an adapter is merged into its\n"
        "base. works beside a running node.\n"
        "example: waggle export my-model && hf upload me/my-model my-model\n\n"
        "exit codes: 0 the folder is whole, 1 nothing was changed (a sentence says why)",
    )
    export.add_argument("folder", metavar="FOLDER", help="where to write; new or empty")
    export.add_argument(
        "--checkpoint",
        metavar="N|PATH",
        default="",
        help="the one saved in round N, or the folder of a checkpoint",
    )
    export.add_argument("--force", action="store_true", help="replace a model folder that is there")
    add_json(export)

    add_identity(commands)
    add_account(commands)
    add_invites(commands)
    add_swarm(commands)
    config = group(commands, "config", "the configuration")
    show = command(
        config,
        "show",
        "every value with its origin",
        "exit codes: 0, 2 it cannot be used",
        group="config",
    )
    add_settings(show)
    add_json(show)

    doctor = command(
        commands,
        "doctor",
        "check this machine, this home, and with `net` the way into the swarm",
        "waggle doctor        everything that can be seen at a glance\n"
        "waggle doctor net    knocks at the bootnodes, is dialled back, compares clocks; half a\n"
        "                     minute at most; beside a running node, what that one found\n\n"
        "exit codes: 0 all is well, 1 something is not; each line says what to do",
    )
    doctor.add_argument("part", nargs="?", choices=("net",), help="look at this closely")
    add_settings(doctor)
    _add_bootnodes(doctor)
    add_json(doctor)
    command(
        commands,
        "test",
        "run the test suite (options go to pytest)",
        "example: waggle test tests/test_config.py -k origin\nexit codes: those of pytest",
    )
    return parser


def command(
    commands: Commands,
    name: str,
    summary: str,
    epilog: str,
    group: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    parser.set_defaults(command=f"{group} {name}".strip())
    return parser


def group(commands: Commands, name: str, about: str) -> Commands:
    """about: the line of the overview, and perhaps more for the group's own help."""
    parser = commands.add_parser(
        name,
        help=about.splitlines()[0],
        description=about[0].upper() + about[1:],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add_common(parser: argparse.ArgumentParser, top: bool = False) -> None:
    """Options that may stand before or behind the command; the later one wins."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument(
        "--home", metavar="DIR", default=default(None), help="the node's folder ($WAGGLE_HOME)"
    )
    parser.add_argument(
        "--debug", action="store_true", default=default(False), help="show tracebacks"
    )


def add_settings(
    parser: argparse.ArgumentParser, top: bool = False, memory_too: bool = True
) -> None:
    """memory_too: the command looks at how much memory a node may use."""
    parser.add_argument(
        "--profile",
        metavar="P",
        default=None if top else argparse.SUPPRESS,
        help="solo, trio, join, or the path of a YAML file",
    )
    parser.add_argument(
        "--set",
        dest="set_before" if top else "set",
        metavar="A.B=C",
        action="append",
        default=[] if top else argparse.SUPPRESS,
        help="set one value; may be repeated",
    )
    if not memory_too:
        return
    for name, memory in (("--max-ram", "memory"), ("--max-vram", "GPU memory")):
        parser.add_argument(
            name,
            metavar="SIZE",
            type=_gib,
            default=None if top else argparse.SUPPRESS,
            help=f"{memory} that a node may use, like 6G or 6.5",
        )


def _add_bootnodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bootnode",
        metavar="MADDR",
        action="append",
        default=[],
        help="one more node to join through, as a multiaddr with /p2p/; may be repeated",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _gib(text: str) -> float:
    """GiB of `6`, `6.5`, `6G`, `6GiB`, `6144M`; GB and MB are decimal."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(GiB|G|MiB|M|GB|MB|)", text, re.IGNORECASE)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 6G, 6.5 or 6144M")
    units = {"gb": 1e9 / 2**30, "m": 2**-10, "mib": 2**-10, "mb": 1e6 / 2**30}
    return float(found[1]) * units.get(found[2].lower(), 1.0)


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)
