"""A small model's memory is kept from round to round; a large one's is given back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from core.home import REPO_ROOT

PAGES = 2048

SCRIPT = """
import resource
import torch
from core.training.allocator import tune

tune({size})
def work():
    torch.ones(1 << 20)  # 4 MiB, freed at once
for _ in range(50):  # until the heap has grown to what is needed
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_a_small_model_touches_no_new_pages():
    command = [sys.executable, "-c", SCRIPT.format(size=1 << 20)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPO_ROOT)
    assert int(ran.stdout) < PAGES


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_memory_beside_a_large_model_is_given_back():
    from core.training.allocator import SMALL_MODEL, trim

    blocks = [ctypes.create_string_buffer(b"x" * 60_000, 60_000) for _ in range(3000)]
    last = ctypes.create_string_buffer(b"x", 60_000)
    assert last.value == b"x"
    full = _resident_mib()
    del blocks
    trim(SMALL_MODEL - 1)
    kept = _resident_mib()
    trim(SMALL_MODEL)
    assert _resident_mib() <= min(kept, full - 100)


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
