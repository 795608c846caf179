"""`waggle swarm deploy`: a coordinator of one's own on a chain elsewhere, owned by this account."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from core.config import Effective
from core.errors import ConfigError
from core.home import Home
from core.urls import shown_url

if TYPE_CHECKING:
    from core.chain.deploying import Deployed


def command(effective: Effective, home: Home, *, again: bool, as_json: bool) -> int:
    """Deploy it, print its address and what to write into the nodes' configuration. WaggleError."""
    from core.account.unlock import open_account
    from core.chain.deploying import deploy

    urls = [each.strip() for each in effective.config.chain.rpc_url.split(",") if each.strip()]
    if not urls:
        raise ConfigError(
            "It is not known where to deploy",
            "chain.rpc_url is empty",
            "Give --rpc URL; for a swarm on this machine no coordinator needs to be deployed:"
            " waggle run --profile solo makes one",
        )
    home.create()
    wallet = open_account(effective, home)

    def sent(tx_hash: str, contract: str) -> None:
        print(f"Sent {tx_hash}: the coordinator will be {contract}.", file=sys.stderr)

    made = deploy(urls[0], wallet, effective.config.chain, sent, again)
    if as_json:
        print(json.dumps({**asdict(made), "account": wallet.address}))
        return 0
    for line in _lines(made, wallet.address, urls):
        print(line)
    return 0


def _lines(made: Deployed, account: str, urls: list[str]) -> list[str]:
    cost = f"{made.fee_wei / 1e18:.6g} ether, {made.gas_used:,} gas" if made.fee_wei else "unknown"
    whole = all(shown_url(url) == url.rstrip("/") for url in urls)
    addresses = ",".join(urls) if whole else "(the address that you gave: it holds a key)"
    return [
        f"contract  {made.contract}",
        f"chain     {made.chain_id}, block {made.block}",
        f"owner     {account}",
        f"cost      {cost}",
        "",
        "Every node of the swarm needs in its config.yaml:",
        "",
        "chain:",
        f"  rpc_url: {addresses}",
        f'  contract: "{made.contract}"',
        f"  chain_id: {made.chain_id}",
        "",
        "The account owns the coordinator: it may move the rounds on, and give roles to others.",
    ]
