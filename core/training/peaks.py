"""What this process takes of the machine's memory, now and at its most."""

from __future__ import annotations

import sys

import torch


def memory_metrics(device: torch.device) -> dict[str, float]:
    """Resident memory now and at its peak, and on a GPU the peak of what tensors took; in MiB."""
    import resource

    import psutil

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = {
        "rss_mib": psutil.Process().memory_info().rss / 2**20,
        # Linux counts in KiB, macOS in bytes.
        "peak_rss_mib": peak / 2**20 if sys.platform == "darwin" else peak / 2**10,
    }
    if device.type == "cuda":
        out["peak_vram_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
    return out
