"""The parent's side of the sandboxed scorer: starts it, asks it, and replaces it when it dies.

Knows processes, frames and deadlines; knows nothing of what a good answer is, and runs nothing of
what it passes on. See `scorer_process` for the child. Thread-safe: one batch at a time.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import children, frames
from core.errors import WaggleError
from core.rollouts import TaskId
from core.training.scorer_process import MAX_ANSWER_CHARS

logger = logging.getLogger(__name__)

START_S = 120.0
ANSWER_S = 10.0
"""Wall time of one answer. The child's own CPU timers end it long before; this is for a child that
is stopped, swapped out or stuck in the kernel."""
BATCH_S = 30.0
MAX_DEATHS = 2
"""Children that one batch may cost; what is left of it then scores 0.0."""
_HEAD_BYTES = 4
_MAX_REPLY_BYTES = 4096

# Ends that are no answer's fault: an operator, a shutdown or the kernel's memory killer.
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)


@dataclass
class ScorerCounts:
    """What the scorer has been through since it was made. All only ever grow."""

    answers: int = 0
    timeouts: int = 0
    """Answers cut off: by the child's timers, by the kernel, or by the deadlines here."""
    fatal: int = 0
    """Answers that a child died of, otherwise than by its timers."""
    errors: int = 0
    """Answers on which the dataset's scorer raised."""
    crashes: int = 0
    """Children that died or had to be killed while they worked."""
    restarts: int = 0


class _ChildDied(Exception):
    """The child's end of the pipe closed."""


class _TooLate(Exception):
    """The child said nothing in time."""


class Scorer:
    """Scores answers in a child process that is locked before it sees one.

    size: the index range of the task set; datasets: parameters by name, the only ones that the
    child will rebuild tasks of. log: where the child's standard error goes.
    """

    def __init__(
        self,
        datasets: Mapping[str, Mapping[str, Any]],
        size: int,
        log: Path = Path(os.devnull),
        *,
        answer_s: float = ANSWER_S,
        batch_s: float = BATCH_S,
    ) -> None:
        self.counts = ScorerCounts()
        self._rules = json.dumps({"size": size, "datasets": datasets}, sort_keys=True)
        self._log = log
        self._answer_s = answer_s
        self._batch_s = batch_s
        self._lock = threading.Lock()
        self._child_lock = threading.Lock()
        self._child: _Child | None = None
        self._batch = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    def start(self) -> None:
        """Start the child, if there is none, without waiting for it. StorageError for the log."""
        with self._child_lock:
            if self._child is None and not self._closed:
                self._child = _Child(self._rules, self._log)

    def score(self, task: TaskId, answers: Sequence[str]) -> list[float]:
        """The dataset's own score of each answer, unclamped.

        0.0 for an answer on which the scorer raised, took too long or died, and for those that
        the batch's deadline left over; 0.0, unseen, for one that is longer than MAX_ANSWER_CHARS
        or not Unicode. An answer that is there twice is scored once.
        WaggleError when the child cannot be started, when it cannot rebuild the task, or after
        `close`.
        """
        distinct = list(dict.fromkeys(answer for answer in answers if _can_be_sent(answer)))
        with self._lock:
            values = dict(zip(distinct, self._score(task, distinct), strict=True))
            self.counts.answers += len(answers)
        return [values.get(answer, 0.0) for answer in answers]

    def close(self) -> None:
        """End the child. A `score` that is under way raises."""
        with self._child_lock:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _score(self, task: TaskId, answers: Sequence[str]) -> list[float]:
        deadline: float | None = None
        scores: list[float] = []
        pardoned = -1
        deaths = 0
        while len(scores) < len(answers):
            late = deadline is not None and time.monotonic() >= deadline
            if late or deaths >= MAX_DEATHS:
                left = len(answers) - len(scores)
                self.counts.timeouts += left
                return scores + [0.0] * left
            child = self._ready_child()
            if deadline is None:  # the first start is not counted
                deadline = time.monotonic() + self._batch_s
            began = len(scores)
            try:
                self._ask(child, task, answers[began:], scores, deadline)
            except _TooLate:
                self._bury(child, killed=True)
                self.counts.timeouts += 1
                deaths += 1
                scores.append(0.0)
            except _ChildDied:
                status = self._bury(child)
                position = len(scores)
                if position == len(answers):
                    continue
                if status in _FROM_OUTSIDE and pardoned != position:
                    pardoned = position  # not the answer's fault, as far as one can see: again
                    continue
                if status == -signal.SIGPROF:
                    self.counts.timeouts += 1
                else:
                    self.counts.fatal += 1
                deaths += 1
                scores.append(0.0)
        return scores

    def _ask(
        self,
        child: _Child,
        task: TaskId,
        answers: Sequence[str],
        scores: list[float],
        deadline: float,
    ) -> None:
        """Append to `scores` as the answers come back, in order."""
        self._batch += 1
        batch = self._batch
        message = [batch, task.dataset, task.seed, task.index, list(answers)]
        child.write(frames.encode(message), min(deadline, time.monotonic() + self._answer_s))
        for position in range(len(answers)):
            got = 0
            while got != batch:  # replies to a batch that was given up may still be in the pipe
                reply = child.read(min(deadline, time.monotonic() + self._answer_s))
                got, got_position, score, note = reply
            if got_position != position:
                child.process.kill()
                raise _ChildDied
            if note.startswith("task"):
                raise WaggleError(f"Task {task} cannot be scored", note)
            self.counts.timeouts += note == "time"
            self.counts.errors += note in ("error", "memory")
            scores.append(float(score))

    def _ready_child(self) -> _Child:
        """A child that has said that it is ready, started and waited for when needed."""
        for _ in range(2):
            self.start()
            child = self._child
            if child is None:
                raise WaggleError("The scorer is closed", "the node is stopping")
            try:
                child.wait_ready(time.monotonic() + START_S)
                return child
            except (_ChildDied, _TooLate):
                status = self._bury(child, killed=True)
        raise WaggleError(
            "The scorer process does not start",
            f"it ended with status {status} before it was ready",
            f"Its messages are in {self._log}",
        )

    def _bury(self, child: _Child, killed: bool = False) -> int:
        """Make sure that the child is gone; its exit status. The next batch starts another."""
        status = child.kill() if killed else child.reap()
        with self._child_lock:
            if self._closed:
                raise WaggleError("The scorer is closed", "the node is stopping")
            if self._child is child:
                self._child = None
        self.counts.crashes += 1
        self.counts.restarts += 1
        logger.warning("the scorer process ended with status %s; starting another", status)
        return status


def _can_be_sent(answer: str) -> bool:
    if len(answer) > MAX_ANSWER_CHARS:
        return False
    try:
        answer.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Child:
    """One scorer process with its pipes, read and written under deadlines (time.monotonic)."""

    def __init__(self, rules: str, log: Path) -> None:
        self.process: subprocess.Popen[bytes] = children.spawn(
            "core.training.scorer_process",
            [rules],
            log=log,
            inherit_env=False,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in = self.process.stdin.fileno()
        self._out = self.process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._buffer = b""
        self._is_ready = False

    def wait_ready(self, deadline: float) -> None:
        if not self._is_ready:
            said, filtered = self.read(deadline)
            self._is_ready = said == "ready"
            logger.debug("scorer %s ready, seccomp %s", self.process.pid, filtered)

    def write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._in, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._in, view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _ChildDied from error

    def read(self, deadline: float) -> Any:
        """The next reply. What does not look like one ends the child, as its death would."""
        while True:
            if len(self._buffer) >= _HEAD_BYTES:
                end = _HEAD_BYTES + int.from_bytes(self._buffer[:_HEAD_BYTES], "big")
                if end > _MAX_REPLY_BYTES:
                    self.process.kill()
                    raise _ChildDied
                if len(self._buffer) >= end:
                    body, self._buffer = self._buffer[_HEAD_BYTES:end], self._buffer[end:]
                    reply = frames.decode(body)
                    if reply[0] == "failed":
                        logger.error("the scorer process failed: %s", reply[1])
                        raise _ChildDied
                    return reply
            self._wait(self._out, select.POLLIN, deadline)
            try:
                part = os.read(self._out, 65536)
            except BlockingIOError:
                continue
            except OSError as error:
                raise _ChildDied from error
            if not part:
                raise _ChildDied
            self._buffer += part

    def reap(self) -> int:
        """The exit status of a child whose pipe closed; killed if it lingers."""
        try:
            return self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        self.process.kill()
        return self.process.wait(5.0)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _TooLate
