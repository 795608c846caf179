"""The grammar of `swarm`: what the owner of a swarm runs for others.

Made from the pieces of `arguments.py`; what the commands do is in `core/swarm`.
"""

from __future__ import annotations

import argparse

from core.arguments import Commands, add_json, add_settings, command, group


def add_swarm(commands: Commands) -> None:
    """`swarm serve|members|deploy`."""
    inside = group(commands, "swarm", "what the owner of a swarm runs for others")
    serve = command(
        inside,
        "serve",
        "serve a swarm without training in it: devnet and round clock, and a login for RL-Swarm",
        "Devnet and clock are those of the swarm that this home hosts. They run already while its\n"
        "node does; else they are started here, and end with this command.\n\n"
        "--login-proxy answers like RL-Swarm's modal-login, so that its nodes join without any\n"
        "browser. Each ORG_ID (`waggle swarm members`) has an account of its own, which signs and\n"
        "pays. For a chain elsewhere give --rpc and --contract, or set them in config.yaml.\n"
        "examples:\n"
        "  waggle swarm serve --profile solo                 the swarm's services alone\n"
        "  waggle swarm serve --login-proxy                  with a login on localhost:3000\n"
        "  waggle swarm serve --login-proxy --login-data ~/rl-swarm/modal-login/temp-data\n"
        "                                                    what its start script waits for\n"
        "  waggle swarm serve --login-proxy --host 192.168.1.20\n"
        "                                                    for machines of this network, too\n\n"
        "It says when it is ready, and each submission in a line; with --json, one object a line.\n"
        "Ctrl+C or SIGTERM ends it.\n\n"
        "exit codes: 0 it was asked to end, 1 failed, 2 there is nothing to serve",
        group="swarm",
    )
    add_settings(serve, memory_too=False)
    serve.add_argument(
        "--login-proxy", action="store_true", help="answer like RL-Swarm's modal-login"
    )
    serve.add_argument(
        "--port", type=_port, metavar="N", help="of the login proxy (3000); 0 is any free one"
    )
    serve.add_argument(
        "--host",
        metavar="ADDRESS",
        help="IPv4 address or name at which others reach the login proxy; opens it there after "
        "asking, while the command runs",
    )
    serve.add_argument("--rpc", metavar="URL", help="the same as --set chain.rpc_url=URL")
    serve.add_argument("--contract", metavar="0x...", help="the same as --set chain.contract=0x...")
    serve.add_argument(
        "--login-data",
        metavar="DIR",
        help="keep RL-Swarm's login data there, for the member `home`; no key is in it",
    )
    serve.add_argument("--yes", "-y", action="store_true", help="do not ask")
    add_json(serve)
    members = command(
        inside,
        "members",
        "who may submit through the login proxy: name, account and ORG_ID of each",
        "Whoever has an ORG_ID submits in that member's name: hand it on like a password. A proxy\n"
        "that runs knows new members at once, and removed ones no longer. The member `home` is\n"
        "this home's own account; the proxy makes it when there is nobody else.\n"
        "examples:\n"
        "  waggle swarm members --add alice\n"
        "  waggle swarm members --remove alice      her account is kept aside\n\n"
        "exit codes: 0, 1, 2 there is no such member, or the name cannot be used",
        group="swarm",
    )
    change = members.add_mutually_exclusive_group()
    change.add_argument("--add", metavar="NAME", help="a new member with a new account")
    change.add_argument("--remove", metavar="NAME", help="take an ORG_ID out of use")
    add_json(members)
    deploy = command(
        inside,
        "deploy",
        "put a coordinator of your own onto any EVM chain",
        "Sends one transaction from this home's account, which needs some ether there and becomes\n"
        "the owner. An interrupted command, given again, waits for the same transaction.\n"
        "Prints the contract's address and what the nodes of the swarm need in their config.yaml.\n"
        "examples:\n"
        "  waggle swarm deploy --rpc https://rpc.example/v2/KEY\n"
        "  waggle swarm deploy --rpc http://127.0.0.1:8545 --json\n\n"
        "exit codes: 0 it is there, 1 failed, 2 it is not known where",
        group="swarm",
    )
    add_settings(deploy, memory_too=False)
    deploy.add_argument("--rpc", metavar="URL", help="the same as --set chain.rpc_url=URL")
    deploy.add_argument(
        "--again", action="store_true", help="another one, where one was deployed lately"
    )
    add_json(deploy)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)
