"""The scorer child: `python -m core.training.scorer_process RULES`, RULES being JSON.

RULES is `{"size": N, "datasets": {NAME: PARAMS}}`: the only tasks that exist here. The process
imports reasoning-gym, warms up on its own answers, locks itself (see `sandbox`) and only then reads
a frame. A frame is `[batch, dataset, seed, index, [answer, ...]]`; for each answer, in order, one
frame `[batch, position, score, note]` goes back as soon as it is known, so that whoever kills the
process knows which answer it died of. note: "" or why the score is 0.0 (`time`, `memory`, `error`,
`task: ...` when the task cannot be rebuilt). The task is rebuilt here: nothing but the answers is
foreign. A score is the dataset's own, not clamped and not judged. Once locked, it cannot write its
log either: what there is to say travels in notes and in the exit status.

Two timers guard each answer: CPU time of `SOFT_S` raises inside the scorer; of `HARD_S` the kernel
ends the process, even in the middle of a computation in C.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from core import children, frames
from core.training import gym, sandbox, seccomp

SOFT_S = 0.5
HARD_S = 1.5
MAX_SLOW = 2
"""After so many answers that took too long, the others of the batch are not tried: whoever sends
slow ones pays with all of them."""
MAX_ANSWER_CHARS = 4096


class TooSlow(BaseException):
    """The answer used its time up. Not an Exception, so that scorers do not swallow it."""


def main() -> NoReturn:
    out = os.fdopen(children.claim_stdout(), "wb", buffering=0)
    rules = json.loads(sys.argv[1])
    scorer = _Scorer(rules["datasets"], rules["size"])
    gym.reasoning_gym()
    sandbox.replace_evaluators()
    scorer.warm_up()
    signal.signal(signal.SIGVTALRM, _too_slow)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    sandbox.enter_empty_folder()
    sandbox.scrub_environment()
    sandbox.limit_resources()
    filtered = seccomp.install()
    sandbox.silence()
    sandbox.install_audit_hook()
    try:
        frames.write(out, ["ready", filtered])
        while True:
            _serve(scorer, out)
    except (EOFError, BrokenPipeError):
        os._exit(0)
    except Exception as error:  # noqa: BLE001 - the log is out of reach; the parent is not
        frames.write(out, ["failed", f"{type(error).__name__}: {error}"[:500]])
        os._exit(1)


def _serve(scorer: _Scorer, out: BinaryIO) -> None:
    batch, dataset, seed, index, answers = frames.read(sys.stdin.buffer)
    for position, (score, note) in enumerate(scorer.answers(dataset, seed, index, answers)):
        frames.write(out, [batch, position, score, note])


class _Scorer:
    """Scores answers to the tasks of one task set."""

    def __init__(self, datasets: dict[str, dict[str, Any]], size: int) -> None:
        self._params = datasets
        self._size = size
        self._entry = functools.lru_cache(maxsize=256)(self._make_entry)
        self._dataset = functools.lru_cache(maxsize=32)(self._make_dataset)

    def warm_up(self) -> None:
        """Score the right answer of one task of every dataset, so that lazy imports are done."""
        for name in self._params:
            try:
                dataset, entry = self._entry(name, 0, 0)
                dataset.score_answer(entry["answer"], entry)
            except Exception as error:  # noqa: BLE001 - library code; `answers` will say `task`
                print(f"warm-up of {name}: {type(error).__name__}: {error}", file=sys.stderr)

    def answers(
        self, name: str, seed: int, index: int, answers: list[str]
    ) -> Iterator[tuple[float, str]]:
        """(score, note) of each answer, one by one."""
        try:
            dataset, entry = self._entry(name, seed, index)
        except Exception as error:  # noqa: BLE001 - library code on a task of our own
            note = f"task: {type(error).__name__}: {error}"[:200]
            yield from [(0.0, note)] * len(answers)
            return
        slow = 0
        for answer in answers:
            scored = self._score(dataset, entry, answer) if slow < MAX_SLOW else (0.0, "time")
            slow += scored[1] == "time"
            yield scored

    def _score(self, dataset: Any, entry: dict[str, Any], answer: str) -> tuple[float, str]:
        if len(answer) > MAX_ANSWER_CHARS:
            return 0.0, "error"
        try:
            try:
                signal.setitimer(signal.ITIMER_PROF, HARD_S)
                signal.setitimer(signal.ITIMER_VIRTUAL, SOFT_S, SOFT_S)
                sandbox.enter_foreign_text()
                return float(dataset.score_answer(answer, entry)), ""
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except TooSlow:
            return 0.0, "time"
        except MemoryError:
            return 0.0, "memory"
        except BaseException:  # noqa: BLE001 - whatever a scorer raises on foreign text is a 0
            return 0.0, "error"
        finally:
            # Again, for the case that the alarm came in the middle of the first.
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            sandbox.leave_foreign_text()

    def _make_entry(self, name: str, seed: int, index: int) -> tuple[Any, dict[str, Any]]:
        if name not in self._params:
            raise KeyError(f"{name} is not in the task set")
        dataset = self._dataset(name, seed)
        return dataset, dataset[index]

    def _make_dataset(self, name: str, seed: int) -> Any:
        return gym.build(name, seed, self._size, self._params[name])


def _too_slow(_number: int, _frame: object) -> None:
    raise TooSlow


if __name__ == "__main__":
    main()
