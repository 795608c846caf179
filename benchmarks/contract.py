"""Does the coordinator do what its model does, and what does it cost beside the original?

    .venv/bin/python benchmarks/contract.py [--original 0.6=DIR --original 0.4.3=DIR --modules DIR]
        [--steps 10000] [--peers 10000]

--original: a checkout of the original's contracts (it has src/SwarmCoordinator.sol), by version;
    --modules: a node_modules with solc, @openzeppelin/contracts and contracts-upgradeable. Each is
    compiled as its own configuration says (optimizer, 1,000,000 runs), put behind OpenZeppelin's
    ERC-1967 proxy as its own script does it, and sent the same transactions as ours, on the same
    EVM, each in a block of its own. Ratios are to the first version given.
--steps: random calls by ten accounts on contract and model, compared call by call, and every view
    and the boards at the end and every thousand steps. With --original the same calls go to the
    original of one stage beside the model, which shows that the model is the original's.
--peers: so many peers register and vote, then the views that read all of them are asked.

Prints tables and, as its last line, one JSON object. Nothing of the original goes anywhere.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from eth_abi import encode as abi_encode

from core.chain import codec
from core.chain.contract import deployment
from core.chain.evm import Evm
from tests.chain.bare_evm import BareEvm, cast
from tests.chain.coordinator_walk import ACCOUNTS, Pair, wander
from tests.chain.gas_calls import Meter, Step, a_first_vote, a_swarms_life, real, short

COMPILE = """
const fs = require("fs"), path = require("path");
const [modules, sources] = process.argv.slice(1);
const solc = require(path.resolve(modules, "solc"));
const read = (name) => ({contents: fs.readFileSync(
    path.join(name.startsWith("@") ? modules : sources, name), "utf8")});
const coordinator = "src/SwarmCoordinator.sol";
const proxy = "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
const output = JSON.parse(solc.compile(JSON.stringify({
    language: "Solidity",
    sources: {[coordinator]: {content: read(coordinator).contents},
              [proxy]: {content: read(proxy).contents}},
    settings: {evmVersion: "cancun", optimizer: {enabled: true, runs: 1000000},
               outputSelection: {"*": {"*": ["evm.bytecode.object"]}}},
}), {import: read}));
for (const each of output.errors || [])
    if (each.severity === "error") throw new Error(each.formattedMessage);
console.log(JSON.stringify({
    compiler: solc.version(),
    coordinator: output.contracts[coordinator].SwarmCoordinator.evm.bytecode.object,
    proxy: output.contracts[proxy].ERC1967Proxy.evm.bytecode.object,
}));
"""


def compiled(sources: Path, modules: Path) -> dict[str, str]:
    command = ["node", "-e", COMPILE, str(modules), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


class Original:
    """A version of the original, deployed as often as it is measured."""

    def __init__(self, version: str, sources: Path, modules: Path) -> None:
        self.version = version
        self.stages = 3 if version.startswith(("0.4", "0.5")) else 1
        self._code = compiled(sources, modules)
        self.compiler = self._code["compiler"]

    def deploy(self, meter: Meter) -> tuple[bytes, int]:
        """The proxy's address, and the gas of the three transactions of its script."""
        initialize = codec.encode("initialize", "0x" + meter.senders[0].hex())
        implementation, first = meter.deploy(bytes.fromhex(self._code["coordinator"]))
        first += meter.gas(0, implementation, initialize)
        arguments = ["0x" + implementation.hex(), initialize]
        code = bytes.fromhex(self._code["proxy"]) + abi_encode(["address", "bytes"], arguments)
        proxy, second = meter.deploy(code)
        return proxy, first + second

    def place(self, evm: BareEvm, owner: bytes) -> bytes:
        """The same without transactions; the proxy's address."""
        implementation = evm.create(owner, bytes.fromhex(self._code["coordinator"]))
        initialize = codec.encode("initialize", "0x" + owner.hex())
        arguments = ["0x" + implementation.hex(), initialize]
        code = bytes.fromhex(self._code["proxy"]) + abi_encode(["address", "bytes"], arguments)
        return evm.create(owner, code)


class Ours:
    """The committed artifact."""

    version, stages = "ours", 1

    def deploy(self, meter: Meter) -> tuple[bytes, int]:
        return meter.deploy(deployment("0x" + meter.senders[0].hex()))


def gas(kinds: list[Any]) -> dict[str, dict[str, Any]]:
    """Name of the ids -> label -> [gas of each kind]."""
    tables: dict[str, dict[str, Any]] = {}
    for title, name in (("peer ids of 46 characters", real), ("made-up names", short)):
        table: dict[str, list[int]] = {}
        for kind in kinds:
            for label, used in measured(kind, name):
                table.setdefault(label, []).append(used)
        tables[title] = table
    return tables


def measured(kind: Any, name: Any) -> Iterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory() as folder:
        evm = Evm(Path(folder))
        meter = Meter(evm, Path(folder))

        def fresh(steps: Iterator[Step]) -> dict[str, int]:
            return meter.measure(kind.deploy(meter)[0], steps)

        yield "deployment", kind.deploy(meter)[1]
        yield from fresh(a_swarms_life(kind.stages, name)).items()
        for winners in (1, 2, 8):
            yield from fresh(a_first_vote(winners, name)).items()
        evm.close()


def show(title: str, table: dict[str, list[int]], versions: list[str]) -> float:
    """Print it; the greatest ratio of ours to the first original."""
    print(f"\n{title}\n{'call':<44}{''.join(f'{v:>12}' for v in versions)}{'ratio':>9}")
    worst = 0.0
    for label, row in table.items():
        ratio = row[0] / row[1]
        worst = max(worst, ratio)
        print(f"{label:<44}{''.join(f'{used:>12,}' for used in row)}{ratio:>9.1%}")
    return worst


def walk(title: str, pair: Pair, steps: int, seed: int = 1) -> dict[str, Any]:
    """Model beside contract."""
    chance, done, started = random.Random(seed), Counter[str](), time.monotonic()
    while done.total() < steps:
        done += wander(pair, chance, min(1000, steps - done.total()))
        peers = [*pair.model.account_of, *(f"nobody {n}" for n in range(20))]
        rounds = [0, pair.model.round, *chance.sample(range(pair.model.round + 1), 3)]
        pair.agree(chance.sample(peers, min(len(peers), 100)), rounds)
    found = {
        "steps": done.total(),
        "taken": dict(sorted(done.items())),
        "refused": dict(pair.refused.most_common()),
        "events": len(pair.events),
        "rounds": pair.model.round,
        "peers": len(pair.model.account_of),
        "seconds": round(time.monotonic() - started, 1),
        "equal": True,  # agree() has raised otherwise
    }
    print(f"\nmodel and {title} after {found['steps']:,} steps: {found}")
    return found


def crowd(peers: int) -> dict[str, Any]:
    """The views that read every peer, when all have registered and voted, in any order."""
    people, chance = cast(11), random.Random(3)
    names = [real(f"peer {n}") for n in range(peers)]
    for number, name in enumerate(names):
        people[1 + number % 10].send("registerPeer", name)
    people[0].send("updateStageAndRound")
    for round_number in (0, 1):
        for number in chance.sample(range(peers), peers if round_number else peers // 2):
            # Most vote for one of a few, some for anybody.
            best = names[min(int(chance.paretovariate(0.7)), peers) - 1]
            winners = [best] if chance.random() < 0.8 else [best, *chance.sample(names, 2)]
            vote = (round_number, list(dict.fromkeys(winners)), names[number])
            people[1 + number % 10].send("submitWinners", *vote)
    found: dict[str, Any] = {"peers": peers}
    print(f"\nviews of a swarm of {peers:,} peers that all vote")
    for function, arguments in (
        ("voterLeaderboard", (0, 100)),
        ("winnerLeaderboard", (0, 100)),
        ("winnerLeaderboard", (0, 10)),
        ("getPeerVoteCount", (1, names[0])),
        ("getVoterVotes", (1, names[0])),
        ("getTotalWins", (names[0],)),
    ):
        started = time.process_time()
        used = people[0].call(codec.encode(function, *arguments)).gas
        seconds = round(time.process_time() - started, 2)
        label = f"{function}{arguments if function.endswith('board') else ''}"
        found[label] = {"gas": used, "seconds": seconds}
        print(f"{label:<32}{used:>12,} gas{seconds:>8.2f} s in py-evm")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--original", action="append", default=[], metavar="VERSION=DIR")
    parser.add_argument("--modules", type=Path, metavar="DIR")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--peers", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.original and arguments.modules is None:
        parser.error("--original needs --modules")
    found: dict[str, Any] = {}
    originals: list[Original] = []
    if arguments.original:
        named = (each.partition("=") for each in arguments.original)
        originals = [Original(version, Path(d), arguments.modules) for version, _, d in named]
        kinds = [Ours(), *originals]
        versions = [kind.version for kind in kinds]
        tables = gas(kinds)
        worst = {title: round(show(title, table, versions), 4) for title, table in tables.items()}
        found["gas"] = {"versions": versions, "tables": tables, "worst_ratio": worst}
        found["gas"]["compilers"] = sorted({each.compiler for each in originals})
    if arguments.steps:
        found["model"] = {"ours": walk("ours", Pair(), arguments.steps)}
        for each in originals:
            if each.stages == 1:  # what the model is a model of
                pair = Pair(cast(ACCOUNTS, each.place), restored=False)
                found["model"][each.version] = walk(each.version, pair, arguments.steps)
    if arguments.peers:
        found["crowd"] = crowd(arguments.peers)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
