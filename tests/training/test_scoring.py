"""The scorer child against hostile answers, deaths and silence. Real datasets, real processes."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import WaggleError
from core.rollouts import TaskId
from core.training import gym
from core.training.scoring import MAX_DEATHS, Scorer
from core.training.tasks import UNSUITABLE
from tests.conftest import wait_until

SIZE = 100
DATASETS = (
    "binary_matrix",
    "chain_sum",
    "coin_flip",
    "countdown",
    "decimal_arithmetic",
    "n_queens",
    "number_sorting",
    "simple_integration",
    "spiral_matrix",
    "string_insertion",
)
SLOW = "1e300000000"
"""coin_flip's scorer makes a Fraction of it: ten to the power of that."""
PROBES = ("", "zzz", "12", "[[1,2],[3,4]]", "x**2 + C", '{"a":1}', "1/2", "9" * 30)


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    made = Scorer({name: {} for name in DATASETS}, SIZE)
    made.start()
    yield made
    made.close()


@pytest.fixture
def own_scorer() -> Iterator[Scorer]:
    made = Scorer({"chain_sum": {}, "coin_flip": {}}, SIZE, answer_s=5.0)
    yield made
    made.close()


def oracle(dataset: str, index: int = 3) -> str:
    return str(gym.build(dataset, 1000, SIZE, {})[index]["answer"])


def task(dataset: str, index: int = 3) -> TaskId:
    return TaskId(dataset, 1000, index)


def attacks(canary: Path) -> list[str]:
    """Answers that would leave a file behind if any part of them were ever run."""
    touch = f"__import__('os').system('touch {canary}')"
    path = f"__import__('pathlib').Path('{canary}').touch()"
    return [
        touch,
        path,
        f"[[{touch}]]",
        f"(lambda: {touch})()",
        f"[{path} for _ in range(2)]",
        f"open('{canary}', 'w').write('x')",
        f'exec("{path}")',
        f'eval("{path}")',
        f"().__class__.__base__.__subclasses__() and {touch}",
        f"__builtins__['__import__']('os').system('touch {canary}')",
        f"Symbol('x').func.__init__.__globals__['__builtins__']['eval'](\"{path}\")",
        f"sin(x) + {path}",
        f"x.subs(x, {path})",
        f'sympify("{path}")',
        f"Integer({path} or 1)",
        f"1 if {path} else 2",
        f"f'{{{path}}}'",
        f"'%s' % {touch}",
        f"{{{path}: 1}}",
        f"print({path})",
        f"\u200b{touch}",
        f"\x00{touch}",
        f"`touch {canary}`",
        f"$(touch {canary})",
        f"'; touch {canary}; '",
        f"cos\nos\nsystem\n(S'touch {canary}'\ntR.",
    ]


@pytest.mark.parametrize("dataset", DATASETS)
def test_hostile_answers_are_never_run(scorer: Scorer, dataset: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pid = scorer.pid
    scores = scorer.score(task(dataset), [*attacks(canary), oracle(dataset)])
    assert not canary.exists()
    assert max(scores[:-1]) < 1.0
    assert scores[-1] == 1.0
    assert pid in (None, scorer.pid), "the child died"


@pytest.mark.parametrize("dataset", ["binary_matrix", "n_queens", "spiral_matrix", "countdown"])
def test_the_library_alone_would_have_run_them(dataset: str, tmp_path: Path) -> None:
    """The control: these are the scorers' own `eval` and `parse_expr`, in this process."""
    canary = tmp_path / "canary"
    made = gym.build(dataset, 1000, SIZE, {})
    for answer in attacks(canary)[:2]:
        try:
            made.score_answer(answer, made[3])
        except (TypeError, ValueError):
            pass  # what comes of the value is not the point
    assert canary.exists()


@pytest.mark.parametrize(
    "answer",
    [
        "9**9**9",
        "9**9**9**9",
        "(" * 4000,
        "[" * 4000,
        "-" * 4000 + "1",
        "~" * 4000 + "1",
        "1+" * 2000 + "1",
        "((" * 90 + "1" + "))" * 90,
        "'a' * 10**10",
        "[0] * 10**10",
        "1 << 10**10",
        "9" * 4000,
        "1e999999999",
        "-1E+999999999999999999",
        "1E-999999999999999999",
        "nan",
        "inf",
        "sNaN",
        "\x00",
        "\x00" * 4000,
        "\U0010ffff" * 1000,
        "\u202e١٢٣",
        "٣",
        "exp(" * 60 + "x" + ")" * 60,
        "[[" + "1," * 1900 + "]]",
        '{"a":' * 500 + "1" + "}" * 500,
    ],
    ids=lambda answer: f"{len(answer)}-{answer[:12]!a}",
)
def test_bombs_cost_little_and_hurt_nobody(scorer: Scorer, answer: str) -> None:
    for dataset in DATASETS:
        began = time.monotonic()
        scores = scorer.score(task(dataset), [answer, oracle(dataset)])
        assert scores[1] == 1.0
        assert scores[0] < 1.0
        assert time.monotonic() - began < 10


def test_overlong_answers_are_not_looked_at(scorer: Scorer) -> None:
    answer = oracle("chain_sum")
    odd = [*(answer + " " * 10_000_000 + str(i) for i in range(8)), "\ud800", answer]
    assert scorer.score(task("chain_sum"), odd) == [0.0] * 9 + [1.0]


@settings(max_examples=60, deadline=None)
@given(
    dataset=st.sampled_from(DATASETS),
    answers=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
        | st.text("0123456789+-*/()[]{}'\" .,xeEC\\\n", max_size=200)
        | st.text("()[]*-~", max_size=2000),
        min_size=1,
        max_size=20,
    ),
)
def test_no_text_breaks_the_child(scorer: Scorer, dataset: str, answers: list[str]) -> None:
    crashes = scorer.counts.crashes
    scores = scorer.score(task(dataset), answers)
    assert len(scores) == len(answers)
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert scorer.counts.crashes == crashes


def test_a_slow_answer_costs_only_itself(own_scorer: Scorer) -> None:
    good = oracle("coin_flip")
    assert own_scorer.score(task("coin_flip"), [good, SLOW, "7", good]) == [1, 0, 0, 1]
    assert own_scorer.counts.timeouts == 1
    assert own_scorer.counts.crashes == 0


def test_many_slow_answers_are_given_up(own_scorer: Scorer) -> None:
    own_scorer.score(task("coin_flip"), ["1"])
    began = time.monotonic()
    assert own_scorer.score(task("coin_flip"), [f"{SLOW}{i}" for i in range(8)]) == [0.0] * 8
    assert own_scorer.counts.timeouts == 8
    assert time.monotonic() - began < 20


def test_killed_in_mid_batch_from_outside_nobody_loses(own_scorer: Scorer) -> None:
    good = oracle("coin_flip")
    own_scorer.score(task("coin_flip"), [good])
    first = own_scorer.pid
    assert first is not None
    busy_before = psutil.Process(first).cpu_times().user
    got: list[float] = []
    batch = ["7", SLOW, good]
    thread = threading.Thread(target=lambda: got.extend(own_scorer.score(task("coin_flip"), batch)))
    thread.start()
    wait_until(lambda: psutil.Process(first).cpu_times().user > busy_before + 0.05)
    os.kill(first, signal.SIGKILL)
    thread.join(60)
    assert got == [0.0, 0.0, 1.0]
    assert own_scorer.counts.crashes == own_scorer.counts.restarts == 1
    assert own_scorer.pid != first


def test_an_answer_that_ends_the_child_costs_only_itself(own_scorer: Scorer) -> None:
    """SIGPROF is how the kernel ends a child whose answer used up its hard limit of CPU time."""
    good = oracle("chain_sum")
    own_scorer.score(task("chain_sum"), [good])
    pid = own_scorer.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGPROF)
    threading.Timer(0.3, os.kill, (pid, signal.SIGCONT)).start()
    assert own_scorer.score(task("chain_sum"), ["1", good, "2"]) == [0.0, 1.0, 0.0]
    assert own_scorer.counts.crashes == own_scorer.counts.timeouts == 1


def test_a_silent_child_is_replaced() -> None:
    scorer = Scorer({"chain_sum": {}}, SIZE, answer_s=0.3)
    try:
        good = oracle("chain_sum")
        scorer.score(task("chain_sum"), [good])
        pid = scorer.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        scores = scorer.score(task("chain_sum"), ["1", good])
        assert scores == [0.0, 1.0]
        assert scorer.counts.timeouts == scorer.counts.restarts == 1
        assert not psutil.pid_exists(pid)
    finally:
        scorer.close()


def test_a_child_that_never_gets_ready_is_told_and_tried_again(own_scorer: Scorer) -> None:
    done = threading.Event()

    def murder() -> None:
        while not done.wait(0.001):
            pid = own_scorer.pid
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGSEGV)
                except ProcessLookupError:
                    pass

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        with pytest.raises(WaggleError, match="does not start"):
            own_scorer.score(task("chain_sum"), ["1"])
    finally:
        done.set()
        thread.join(5)
    assert own_scorer.score(task("chain_sum"), [oracle("chain_sum")]) == [1.0]


def test_a_batch_may_cost_few_children() -> None:
    scorer = Scorer({"coin_flip": {}}, SIZE, answer_s=0.05)  # every slow answer costs a child
    try:
        scorer.start()
        answers = [oracle("coin_flip"), *(f"{SLOW}{i}" for i in range(5))]
        assert scorer.score(task("coin_flip"), answers)[1:] == [0.0] * 5
        assert scorer.counts.crashes == MAX_DEATHS
    finally:
        scorer.close()


def test_the_child_dies_with_its_parent() -> None:
    import subprocess
    import sys

    from core.home import REPO_ROOT

    program = (
        "import sys\nfrom core.training.scoring import Scorer\nfrom core.rollouts import TaskId\n"
        "s = Scorer({'chain_sum': {}}, 100)\ns.score(TaskId('chain_sum', 1, 1), ['1'])\n"
        "print(s.pid, flush=True)\nsys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPO_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait(10)
    wait_until(lambda: not psutil.pid_exists(child))


def test_the_child_is_locked(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAGGLE_SECRET", "x")
    other = Scorer({"chain_sum": {}}, SIZE)
    try:
        other.score(task("chain_sum"), ["1"])
        process = psutil.Process(other.pid)
        assert "WAGGLE_SECRET" not in process.environ()
        assert process.num_threads() == 1
        assert process.memory_info().rss < 300 * 2**20
        if psutil.LINUX:
            assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
            assert process.rlimit(psutil.RLIMIT_NPROC) == (0, 0)
            assert process.rlimit(psutil.RLIMIT_AS)[1] <= 2**30
            status = Path(f"/proc/{other.pid}/status").read_text()
            assert "Seccomp:\t2" in status
            assert "NoNewPrivs:\t1" in status
            assert str(Path(f"/proc/{other.pid}/cwd").readlink()).endswith("(deleted)")
    finally:
        other.close()


def test_threads_share_one_child(scorer: Scorer) -> None:
    good = oracle("chain_sum")
    results: list[list[float]] = []

    def work() -> None:
        for _ in range(20):
            results.append(scorer.score(task("chain_sum"), ["1", good]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [[0.0, 1.0]] * 80


def test_a_dataset_outside_the_set_is_refused(scorer: Scorer) -> None:
    with pytest.raises(WaggleError, match="not in the task set"):
        scorer.score(task("word_sorting"), ["a", "b"])
    good = oracle("chain_sum")
    assert scorer.score(task("chain_sum"), ["x", good]) == [0.0, 1.0]


def test_parameters_that_the_library_refuses_are_told() -> None:
    scorer = Scorer({"chain_sum": {"min_terms": -5}}, SIZE)
    try:
        with pytest.raises(WaggleError, match="min_terms"):
            scorer.score(task("chain_sum"), ["1"])
    finally:
        scorer.close()


def test_closed_is_closed() -> None:
    scorer = Scorer({"chain_sum": {}}, SIZE)
    scorer.start()
    pid = scorer.pid
    scorer.close()
    scorer.close()
    assert pid is not None
    assert not psutil.pid_exists(pid)
    with pytest.raises(WaggleError, match="closed"):
        scorer.score(task("chain_sum"), ["1"])


@pytest.mark.slow
def test_every_dataset_scores_as_without_the_sandbox() -> None:
    """Oracle answers and plain probes get bit for bit what the library gives outside."""
    names = sorted(set(gym.reasoning_gym().factory.DATASETS) - set(UNSUITABLE))
    scorer = Scorer({name: {} for name in names}, SIZE)
    try:
        for name in names:
            made = gym.build(name, 4242, SIZE, {})
            entry = made[5]
            right = str(entry["answer"] or "")
            answers = [right, right + " ", f"{right} {right}", *PROBES]
            plain = []
            for answer in answers:
                try:
                    plain.append(float(made.score_answer(answer, entry)))
                except (TypeError, ValueError, LookupError, AttributeError):
                    plain.append(0.0)
            assert scorer.score(TaskId(name, 4242, 5), answers) == plain, name
        assert scorer.counts.crashes == 0
    finally:
        scorer.close()


@pytest.mark.slow
def test_a_hundred_thousand_strings(scorer: Scorer) -> None:
    """Pieces of code and of numbers in random order: no crash, no score out of range."""
    rng = random.Random(11)
    code = ["lambda ", "import ", "os", "exp(", "sin(", "x", "_", "\\", "\n", "\0", "é"]
    pieces = [*code, *"0123456789[](){},:.-~+/*'\"", "**", "1e9", "Symbol"]
    crashes = scorer.counts.crashes
    for number in range(800):
        answers = ["".join(rng.choices(pieces, k=rng.randint(1, 30))) for _ in range(128)]
        scores = scorer.score(task(DATASETS[number % len(DATASETS)], number % SIZE), answers)
        assert all(0.0 <= score <= 1.0 for score in scores)
    assert scorer.counts.crashes == crashes
