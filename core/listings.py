"""What `models` and `config show` print."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.config import Effective, settings
from core.errors import WaggleError
from core.home import Home
from core.pace import Pace, of_plan, told
from core.redact import HIDDEN
from core.urls import shown_urls

if TYPE_CHECKING:
    from core.catalogue import Entry
    from core.memory import Plan

ROUNDS = (
    "A round is measured here, with answers as long as they may be; shorter ones take less. Other\n"
    "nodes and other programs on this machine make it longer."
)


def models(effective: Effective, home: Home, as_json: bool) -> int:
    """Print the catalogue: how each model would be trained here, what that needs, and how long a
    round would take, which is measured first."""
    from core import catalogue, free_memory, memory, pools

    config = effective.config
    device = free_memory.device_of(config)
    free = free_memory.budget(config, device)
    found = catalogue.entries()
    chosen = pools.settle(effective, home, keep=False).config.model.id
    if chosen not in {entry.id for entry in found}:
        found.append(catalogue.Entry(chosen, catalogue.shape_of(chosen), "chosen here"))
    rows = [(entry, catalogue.plan_of(entry, effective, free, device)) for entry in found]
    paces, unmeasured = _paces(effective, rows, device)
    if as_json:
        data = [_model_facts(entry, plan, paces.get(entry.id)) for entry, plan in rows]
        lots = {pool.name: pool.members(_gpu_bytes(device)) for pool in pools.pools().values()}
        head = {"device": device, "free_bytes": free, "nodes": config.swarm.nodes}
        head["unmeasured"] = unmeasured
        print(json.dumps({**head, "models": data, "pools": lots}))
        return 0
    shared = f", shared by {config.swarm.nodes} nodes" if config.swarm.nodes > 1 else ""
    print(f"{memory.gib(free)} GiB free for a node on {device}{shared}\n")
    table = [("model", "size", "would be trained", "needs GiB", "a round", "verdict")]
    for entry, plan in rows:
        need = memory.gib(plan.needed) if plan.recipe else ""
        pace = paces.get(entry.id)
        lasts = told(pace.seconds) if pace else "-"
        how = str(plan.recipe or "")
        table.append((entry.id, size(entry.parameters), how, need, lasts, plan.verdict))
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[5]]))
    print(f"\n{unmeasured or ROUNDS}")
    for pool in pools.pools().values():
        names = ", ".join(pool.members(_gpu_bytes(device)))
        print(f"\n{pool.name}: {pool.about}\n  {names}")
    print("\nChoose with --set model.id=...; any Hugging Face id or local path works as well.")
    return 0


def _paces(
    effective: Effective, rows: list[tuple[Entry, Plan]], device: str
) -> tuple[dict[str, Pace], str]:
    """(how long a round would take, by model; why nothing was measured, or nothing)."""
    from core import catalogue, measuring

    if not any(plan.fits for _, plan in rows):
        return {}, ""
    try:
        machine = measuring.SESSION.machine(device)
    except WaggleError as error:
        return {}, str(error)
    found = {
        entry.id: of_plan(
            plan, entry.shape, catalogue.for_model(effective, entry.id), machine, entry.usual
        )
        for entry, plan in rows
    }
    return {model: pace for model, pace in found.items() if pace is not None}, ""


def size(parameters: int) -> str:
    """`494 M`; `1.5 B` from a thousand million on; empty when it is not known."""
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def _gpu_bytes(device: str) -> int:
    from core import free_memory

    gpu = free_memory.gpu() if device == "cuda" else None
    return gpu.total if gpu else 0


def _model_facts(entry: Entry, plan: Plan, pace: Pace | None) -> dict[str, object]:
    return {
        "id": entry.id,
        "parameters": entry.parameters,
        "about": entry.about,
        "gated": entry.gated,
        "verdict": plan.verdict,
        "recipe": asdict(plan.recipe) if plan.recipe else None,
        "peak_bytes": plan.peak,
        "needed_bytes": plan.needed,
        "free_bytes": plan.free,
        "peak_phase": plan.phase,
        "parts_bytes": dict(plan.parts),
        "advice": plan.advice,
        "round_s": round(pace.seconds, 2) if pace else None,
    }


def _told(key: str, value: Any) -> Any:
    """What may be printed of a setting."""
    if value and settings()[key].metadata["secret"]:
        return HIDDEN
    return shown_urls(value) if key == "chain.rpc_url" else value


def configuration(effective: Effective, as_json: bool) -> int:
    """Print every value but secrets, where it comes from, and what it means."""
    if as_json:
        rows = {
            key: {
                "value": _told(key, value),
                "origin": origin.layer,
                "where": origin.where,
                "meaning": doc,
            }
            for key, value, origin, doc in effective.items()
        }
        print(json.dumps({"profile": effective.profile, "settings": rows}))
        return 0
    print(f"profile {effective.profile}")
    section = ""
    for key, value, origin, doc in effective.items():
        head, name = key.split(".")
        if head != section:
            section = head
            print(f"\n{section}:")
        told = json.dumps(_told(key, value), ensure_ascii=False)
        print(f"  {name + ': ' + told:<44} # {origin}")
        print(f"      {doc}")
    return 0
