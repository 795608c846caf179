"""GenRL itself, where `benchmarks/genrl.py` has installed it: its bytes, and a swarm with it.

Waggle does not depend on GenRL, and a test run does not install it. What these tests find is also
held without it, by the bytes in `test_genrl.py` and the stock hivemind node of
`test_genrl_exchange.py`.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from core.home import REPO_ROOT
from core.net import genrl

WORK = Path(tempfile.gettempdir()) / "waggle-benchmarks"
GENRL = WORK / "gensyn-genrl-0.3.0"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (GENRL / "complete").exists(),
        reason="GenRL is not installed here; `python benchmarks/genrl.py` does that",
    ),
]

PACK = """
import json, sys
import hivemind
from hivemind.utils.timed_storage import get_dht_time
hivemind.get_dht_time = get_dht_time
import msgpack
from genrl.communication.communication import Payload
from genrl.misc_utils.utils import generate_md5_hash_id
from genrl.serialization.msgpack_utils import _msgpack_encode
from genrl.state.game_tree import WorldState
packer = msgpack.Packer(use_bin_type=True, default=_msgpack_encode)
for question, answer, metadata, actions in json.load(sys.stdin):
    environment = {"question": question, "answer": answer, "metadata": metadata}
    payload = Payload(WorldState(environment, None, None), actions, None)
    print(packer.pack({generate_md5_hash_id(question): [payload]}).hex())
"""


def some(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value."""
    text = "".join(chr(rng.choice((65, 233, 8594, 128_029))) for _ in range(rng.randrange(40)))
    plain = (None, True, rng.randrange(-(2**40), 2**40), rng.random(), text)
    match rng.randrange(7 if depth < 3 else 5):
        case 5:
            return [some(rng, depth + 1) for _ in range(rng.randrange(20))]
        case 6:
            return {f"{text}{i}": some(rng, depth + 1) for i in range(rng.randrange(20))}
        case kind:
            return plain[kind]


def test_our_bytes_are_those_of_its_serialiser() -> None:
    rng = random.Random(4)
    cases = [
        (f"{some(rng)}", f"{some(rng)}", {"x": some(rng), "y": some(rng)}, ["a", f"{some(rng)}"])
        for _ in range(300)
    ]
    made = subprocess.run(
        [str(GENRL / "bin" / "python"), "-c", PACK],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert made.stdout.split() == [genrl.encode([genrl.Said(*case)]).hex() for case in cases]


@pytest.mark.timeout(500)
def test_a_genuine_node_and_ours_train_on_each_others_rollouts(tmp_path: Path) -> None:
    """In a network namespace where there is one: GenRL listens on every address of its host."""
    command = [sys.executable, "benchmarks/genrl.py", "--rounds", "8", "--work", str(WORK)]
    command += ["--keep", str(tmp_path / "kept")]
    alone = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if shutil.which("unshare") and not subprocess.run([*alone, "true"], check=False).returncode:
        command = alone + command
    done = subprocess.run(command, capture_output=True, text=True, timeout=480, cwd=REPO_ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for side in ("waggle", "genrl"):
        assert 0 < found[side]["used"] <= found[side]["heard"]
    assert not found["waggle"]["signed"]
    assert set(found["waggle"]["refused"]) <= {"no_signal", "quota", "held_out", "duplicate"}
