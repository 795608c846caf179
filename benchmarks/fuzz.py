"""A million hostile inputs into everything that decodes or admits what strangers send.

    .venv/bin/python benchmarks/fuzz.py [--inputs 1000000] [--only wire.decode] [--engine atheris]

Inputs are mutations of good and of hostile ones, structured msgpack garbage, and noise. An input
that is refused at a place, or by a way to it, where none was refused before joins the pool that
mutations are made from: so the search goes where the code goes. With `--engine atheris` libFuzzer
guides it by the coverage of every branch instead (`pip install atheris`; some times slower).

Each target runs in a process of its own whose memory the kernel bounds, so that a crash of the
interpreter, or an allocation that follows a length from the input, is a finding with its input, and
not the end of the run. Finding: an exception that is no refusal, a broken promise, a death, one
input that takes longer than SLOW_S. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import mmap
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzz_inputs import MAX_INPUT, Maker

SLOW_S = 1.0
HANG_S = 60.0
"""So long without an end of 500 inputs is a hang: the process is ended with all its stacks."""
FIGURES = (
    *("inputs", "seconds", "inputs_per_s", "refused", "ways", "slowest_ms", "slow"),
    *("rss_early_mib", "rss_mib"),
)
HEADROOM_BYTES = 512 * 2**20
"""Memory that a target may map beyond what it has at its start."""


# --- one target, in a process of its own ------------------------------------------------------


def fuzz(name: str, inputs: int, seed: int, scratch: Path) -> dict[str, Any]:
    """Run one target; its figures. The input at hand stands in `scratch`, length first."""
    from fuzz_targets import make

    target = make(name)
    maker = Maker(target.seeds, random.Random(f"{name}/{seed}"))
    note = _notebook(scratch)
    _bound_memory()
    for data in target.seeds:  # caches fill and lazy imports happen before anything is measured
        _try(target, data)
    seen: set[Any] = set()
    findings: dict[str, str] = {}
    refused = slow = 0
    slowest_s = rss_early_mib = 0.0
    began = time.perf_counter()
    for number in range(inputs):
        if number % 500 == 0:
            faulthandler.dump_traceback_later(HANG_S, exit=True)
        if number == inputs // 5:
            rss_early_mib = _rss_mib()
        data = maker()
        note(data)
        start = time.perf_counter()
        outcome, finding = _try(target, data)
        took_s = time.perf_counter() - start
        refused += outcome[0] != "ok"
        if took_s > slowest_s:
            slowest_s = took_s
        if took_s > SLOW_S:
            slow += 1
            findings.setdefault(f"slow: {outcome}", f"{took_s:.1f} s: {data[:2000].hex()}")
        if finding:
            findings.setdefault(finding, data[:2000].hex())
        if outcome not in seen:
            seen.add(outcome)
            maker.keep(data)
    seconds = time.perf_counter() - began
    faulthandler.cancel_dump_traceback_later()
    return {
        "inputs": inputs,
        "seconds": seconds,
        "inputs_per_s": inputs / seconds,
        "refused": refused,
        "ways": len(seen),
        "slowest_ms": slowest_s * 1000,
        "slow": slow,
        "rss_early_mib": rss_early_mib,
        "rss_mib": _rss_mib(),
        "findings": findings,
    }


def _try(target: Any, data: bytes) -> tuple[tuple[Any, ...], str]:
    """Where it ended, as lines of this project's code; and what is wrong with that, or ""."""
    try:
        got = target.run(data)
    except target.refusals as error:
        return (type(error).__name__, *_lines(error)), ""
    except Exception as error:  # noqa: BLE001 - finding these is the purpose
        told = "".join(traceback.format_exception(error)[-4:])
        return ("finding", *_lines(error)), f"{type(error).__name__}: {told[-1500:]}"
    way = min(len(got), 4) if isinstance(got, (list, tuple)) else got
    return ("ok", way if isinstance(way, (int, frozenset)) else None), ""


def _lines(error: BaseException) -> tuple[int, ...]:
    lines = []
    each: BaseException | None = error
    while each is not None:
        step = each.__traceback__
        while step is not None:
            lines.append(step.tb_lineno)
            step = step.tb_next
        each = each.__cause__
    return tuple(lines[-12:])


def _notebook(path: Path) -> Callable[[bytes], None]:
    path.write_bytes(bytes(MAX_INPUT + 4))
    with path.open("r+b") as file:
        view = mmap.mmap(file.fileno(), 0)

    def note(data: bytes) -> None:
        view[4 : 4 + len(data)] = data
        view[:4] = struct.pack(">I", len(data))

    return note


def _bound_memory() -> None:
    fields = Path("/proc/self/statm").read_text().split() if sys.platform == "linux" else []
    if fields:
        mapped = int(fields[5]) * resource.getpagesize()
        limit = mapped + HEADROOM_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _rss_mib() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss / 2**20)


# --- libFuzzer --------------------------------------------------------------------------------


def fuzz_with_atheris(name: str, inputs: int, seed: int) -> None:
    """Does not return: libFuzzer ends the process, and says on stderr what it did."""
    import atheris

    with atheris.instrument_imports(include=["core", "msgpack"]):
        from fuzz_targets import make
    target = make(name)
    folder = Path(tempfile.mkdtemp(prefix="waggle-corpus-"))
    for number, data in enumerate(target.seeds):
        _try(target, data)
        (folder / str(number)).write_bytes(data[:MAX_INPUT])

    def one(data: bytes) -> None:
        try:
            target.run(data)
        except target.refusals:
            pass

    flags = [f"-runs={inputs}", f"-seed={seed + 1}", f"-max_len={MAX_INPUT}", "-timeout=10"]
    flags += ["-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={folder}/crash-"]
    atheris.Setup([sys.argv[0], *flags, str(folder)], one)
    atheris.Fuzz()


def read_libfuzzer(said: str, status: int, seconds: float) -> dict[str, Any]:
    def number(pattern: str) -> float:
        found = re.findall(pattern, said)
        return float(found[-1]) if found else 0.0

    inputs = number(r"stat::number_of_executed_units:\s*(\d+)")
    findings = {} if status == 0 else {f"ended with status {status}": said[-3000:]}
    return {
        "inputs": int(inputs),
        "seconds": seconds,
        "inputs_per_s": inputs / seconds,
        "ways": int(number(r" ft: (\d+)")),
        "slowest_ms": 1000 * number(r"stat::slowest_unit_time_sec:\s*(\d+)"),
        "slow": 0,
        "rss_early_mib": 0.0,
        "rss_mib": number(r"stat::peak_rss_mb:\s*(\d+)"),
        "findings": findings,
    }


# --- all --------------------------------------------------------------------------------------


def run_child(name: str, inputs: int, options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.NamedTemporaryFile(prefix="waggle-fuzz-input-") as scratch:
        run = subprocess.run(
            [
                *(sys.executable, __file__, "--child", name, "--inputs", str(inputs)),
                *("--engine", options.engine, "--seed", str(options.seed)),
                *("--scratch", scratch.name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if options.engine == "atheris":
            return read_libfuzzer(run.stderr + run.stdout, run.returncode, time.monotonic() - began)
        if run.returncode == 0:
            figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
            return figures
        noted = Path(scratch.name).read_bytes()
        data = noted[4 : 4 + int.from_bytes(noted[:4], "big")]
    death = f"the process ended with status {run.returncode}: {run.stderr[-1500:]}"
    return {**dict.fromkeys(FIGURES, 0), "findings": {death: data[:4000].hex()}}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--only", help="one target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("own", "atheris"), default="own")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child and options.engine == "atheris":
        fuzz_with_atheris(options.child, options.inputs, options.seed)
    if options.child:
        figures = fuzz(options.child, options.inputs, options.seed, options.scratch)
        print(json.dumps(figures), flush=True)
        return 0

    from fuzz_targets import SHARES

    if options.only is not None and options.only not in SHARES:
        parser.error(f"there is no target {options.only}; there are {', '.join(SHARES)}")
    shares = {options.only: 1.0} if options.only else SHARES
    print(f"{'':24}{'inputs':>10}{'a second':>10}{'ways':>7}{'slowest ms':>12}{'RSS MiB':>15}")
    runs = {}
    for name, share in shares.items():
        run = runs[name] = run_child(name, max(1, round(options.inputs * share)), options)
        print(
            f"{name:24}{run['inputs']:10}{run['inputs_per_s']:10.0f}{run['ways']:7}"
            f"{run['slowest_ms']:12.1f}{run['rss_early_mib']:8.0f} ->{run['rss_mib']:4.0f}",
            flush=True,
        )
        for finding, data in run["findings"].items():
            print(f"    {finding}\n    input: {data}", flush=True)
    total = sum(run["inputs"] for run in runs.values())
    findings = sum(len(run["findings"]) for run in runs.values())
    print(json.dumps({"benchmark": "fuzz", "inputs": total, "findings": findings, "targets": runs}))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
