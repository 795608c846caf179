"""The list of models and its verdicts."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from core import catalogue

GB = 10**9


def test_every_entry_is_read_in_order() -> None:
    found = catalogue.entries()
    assert found[0].id == "waggle-tiny"
    assert all(entry.parameters > 0 for entry in found[1:])


@pytest.mark.parametrize(
    ("parameters", "free", "verdict"),
    [(1_000_000, 4 * GB, "fits"), (500_000_000, 12 * GB, "tight"), (10**9, 4 * GB, "too large")],
)
def test_verdict(parameters: int, free: int, verdict: str) -> None:
    fit = catalogue.fit(parameters, free)
    assert fit.verdict == verdict
    assert str(fit).startswith(verdict)


def test_an_unknown_size_is_no_verdict() -> None:
    assert catalogue.fit(0, 4 * GB).verdict == "unknown"


def test_parameters_are_read_from_headers(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + b"\0" * 48
    )
    assert catalogue.parameters_of(str(tmp_path)) == 12


@pytest.mark.parametrize("data", [b"", b"\xff" * 64, struct.pack("<Q", 2) + b"[]"])
def test_a_damaged_header_has_no_size(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    assert catalogue.parameters_of(str(tmp_path)) == 0


def test_free_memory_is_a_sane_figure() -> None:
    assert 0 < catalogue.free_memory() < 2**50
