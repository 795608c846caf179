"""Foundry's anvil as a second opinion on what a chain is: a real EVM node that we did not write.

Found on the PATH; who uses it skips where there is none. Its accounts are public knowledge.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from core.chain import codec
from core.chain.contract import deployment
from core.chain.rpc import Rpc
from tests.conftest import wait_until

MISSING = "" if shutil.which("anvil") else "anvil (Foundry) is not on the PATH"
OWNER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""Of anvil's first account: it has ether on every anvil, and deploys the contract."""
CHAIN_ID = 31_337
START_S = 30.0
WITH_PARENT = '("$@" <&-; kill -9 0) & read -r nothing; kill -9 0'
"""Runs a command until it ends, or standard input closes, as it does when the parent dies, however
it dies. The whole group ends: from npm, `anvil` is a script that starts the node."""


class Anvil:
    """One anvil process on a free port. The owner's transactions come from its own account.

    options: further options of anvil, for example `--block-time 1`.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "anvil.log").open("ab")
        command = ["anvil", "--port", str(port), "--host", "127.0.0.1", *options]
        self._process = subprocess.Popen(
            ["sh", "-c", WITH_PARENT, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.port = 0
        threading.Thread(target=self._read, name="anvil", daemon=True).start()
        wait_until(lambda: self.port or self._process.poll() is not None, START_S)
        if not self.port:
            raise RuntimeError(f"anvil ended at once: {(folder / 'anvil.log').read_text()}")
        self.url = f"http://127.0.0.1:{self.port}"
        self.rpc = Rpc(self.url, 30.0)
        self.contract = ""

    def __enter__(self) -> Anvil:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        """To the end, so that a full pipe never holds it up."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.match(r"Listening on 127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))

    def close(self) -> None:
        self.rpc.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._log.close()

    def deploy(self) -> str:
        """A SwarmCoordinator from the committed artifact, owned by the first account; its
        address."""
        owner = Account.from_key(OWNER_KEY).address
        receipt = self.own("0x" + deployment(owner).hex(), to=None)
        self.contract = to_checksum_address(receipt["contractAddress"])
        return self.contract

    def advance(self) -> None:
        """Move the swarm's clock on by a round."""
        self.own("0x" + codec.encode("updateStageAndRound").hex(), to=self.contract)

    def own(self, data: str, to: str | None) -> dict[str, Any]:
        """Send a transaction of the owner and have it mined; its receipt. AssertionError when it
        failed."""
        owner = Account.from_key(OWNER_KEY)
        transaction = {
            "chainId": self.rpc.quantity("eth_chainId"),
            "nonce": self.rpc.quantity("eth_getTransactionCount", owner.address, "pending"),
            "value": 0,
            "data": data,
            "gas": 6_000_000,
            "maxFeePerGas": 100 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            **({"to": to} if to else {}),
        }
        raw = owner.sign_transaction(transaction).raw_transaction.to_0x_hex()
        tx_hash = self.rpc.call("eth_sendRawTransaction", raw)
        receipt: dict[str, Any] = wait_until(
            lambda: self.rpc.call("eth_getTransactionReceipt", tx_hash), 30
        )
        assert receipt["status"] == "0x1", receipt
        return receipt

    def give(self, account: str, wei: int = 10**19) -> None:
        self.rpc.call("anvil_setBalance", account, hex(wei))
