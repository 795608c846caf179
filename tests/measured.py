"""What measuring gives on one machine: for tests that need figures, not the seconds it takes."""

from __future__ import annotations

from core.pace import Machine

MACHINE = Machine(
    threads=2,
    few=8,
    many=128,
    sample={"exact": (4e-10, 2.4e-9), "bfloat16": (1.2e-10, 5e-10), "int8": (3e-11, 4e-10)},
    update={"float32": 1.3e-11, "bfloat16": 3.4e-12},
    move=8e-12,
    fresh=4e-10,
    draw=4.7e-10,
    alone=1.9e-11,
    operation=2.6e-6,
)
"""Two cores of a server of 2024."""
