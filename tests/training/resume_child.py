"""A node's training loop in a process that may be killed: rounds, each saved, resumed at start.

Run as `python -m tests.training.resume_child MODEL_FOLDER`. It imports and loads
everything once, then forks a process for each line `FOLDER ROUNDS` on its standard input; so a
kill costs no new start. It answers `pid N` and, when that process has ended, `status N` (as
os.wait gives it).
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

KEEP = 2


def train(config, loaded, folder: Path, rounds: int) -> None:
    from core.training.engine import TorchEngine
    from core.training.store import CheckpointStore
    from tests.training.conftest import VowelGame, play

    def damaged(error):
        raise error

    engine = TorchEngine(config, loaded)
    store = CheckpointStore(folder, KEEP)
    extra = store.resume(engine, damaged) or {"round": -1}
    for number in range(int(str(extra["round"])) + 1, rounds):
        play(engine, VowelGame(), [number])
        store.save(engine, number, {"round": number, "stage": 0})


def main() -> None:
    import core.training.engine  # noqa: F401 - what takes long, once for all that are forked
    from core.training.models import load_model
    from tests.training.conftest import make_config

    config = make_config(Path(sys.argv[1]))
    loaded = load_model(config.model)
    for line in sys.stdin:
        folder, rounds = line.rsplit(maxsplit=1)
        pid = os.fork()
        if pid == 0:
            try:
                train(config, loaded, Path(folder), int(rounds))
            except BaseException:  # noqa: BLE001 - told to the test, and never back into this loop
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print("pid", pid, flush=True)
        print("status", os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main()
