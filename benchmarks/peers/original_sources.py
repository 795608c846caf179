"""RL-Swarm's and GenRL's own sources, at the commits that their nodes were last released from.

Only what a node needs to reach its coordinator is taken out of the repositories, byte for byte.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

RL_SWARM = "https://github.com/gensyn-ai/rl-swarm.git"
RL_SWARM_COMMIT = "9c95410b1ac0d0a6005513c276b6b84f6db13bcd"
"""v0.7.0 and what came after it: the client, its ABI file, its configuration, its start script."""
RL_SWARM_PATHS = ("code_gen_exp", "hivemind_exp", "run_rl_swarm.sh")
GENRL = "https://github.com/gensyn-ai/genrl.git"
GENRL_COMMIT = "b5d179f94192a773b9c066c8c48c7c8931c6f0b4"
"""v0.1.4: the last one that has coordinators of its own, for wallets and for logins."""
GENRL_PATHS = ("src/genrl",)


def rl_swarm(folder: Path, source: str) -> Path:
    return _unpacked(folder / "original-rl-swarm", source, RL_SWARM_COMMIT, RL_SWARM_PATHS)


def genrl(folder: Path, source: str) -> Path:
    return _unpacked(folder / "original-genrl", source, GENRL_COMMIT, GENRL_PATHS)


def _unpacked(out: Path, source: str, commit: str, paths: tuple[str, ...]) -> Path:
    """The paths as they are in that commit. source: what `git clone` takes."""
    if (out / "complete").exists():
        return out
    repository, archive = out.with_suffix(".git"), out.with_suffix(".tar")
    if not repository.exists():
        clone = ["git", "clone", "--quiet", "--bare", source, str(repository)]
        subprocess.run(clone, check=True)
    take = ["git", "-C", str(repository), "archive", "-o", str(archive), commit, "--", *paths]
    subprocess.run(take, check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(out, filter="data")
    (out / "complete").touch()
    return out
