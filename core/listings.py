"""What `models`, `identity show` and `config show` print."""

from __future__ import annotations

import json

from core.config import Effective
from core.errors import WaggleError
from core.home import Home


def models(as_json: bool) -> int:
    """Print the catalogue with a verdict for the memory that is free now."""
    from core import catalogue

    free = catalogue.free_memory()
    rows = [(entry, catalogue.fit(entry.parameters, free)) for entry in catalogue.entries()]
    if as_json:
        data = [
            {
                "id": entry.id,
                "parameters": entry.parameters,
                "about": entry.about,
                "verdict": fit.verdict,
                "needed_bytes": fit.needed,
                "free_bytes": fit.free,
            }
            for entry, fit in rows
        ]
        print(json.dumps({"models": data}))
        return 0
    width = max((len(entry.id) for entry, _ in rows), default=0)
    for entry, fit in rows:
        print(f"{entry.id:<{width}}  {fit}")
        if entry.about:
            print(f"{'':<{width}}  {entry.about}")
    print("\nAny Hugging Face id or local path works as well: --set model.id=...")
    return 0


def identity(home: Home, as_json: bool) -> int:
    """Print who this node is. WaggleError when the home has no identity yet."""
    from core.chain.account import address_of
    from core.net.identity import load

    if not home.identity.exists():
        raise WaggleError(
            f"There is no identity in {home.path} yet",
            "",
            "It is made on the first start: run ./waggle",
        )
    known = load(home.identity)
    account = address_of(home.account)
    if as_json:
        data = {"peer_id": known.peer_id, "name": known.name, "account": account}
        print(json.dumps(data | {"path": str(home.identity)}))
        return 0
    print(f"name     {known.name}")
    print(f"peer id  {known.peer_id}")
    print(f"account  {account or 'none yet'}")
    print(f"file     {home.identity} (keep a copy: it is this node's name in the swarm)")
    return 0


def configuration(effective: Effective, as_json: bool) -> int:
    """Print every value, where it comes from, and what it means."""
    if as_json:
        rows = {
            key: {"value": value, "origin": origin.layer, "where": origin.where, "meaning": doc}
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
        print(f"  {name + ': ' + json.dumps(value, ensure_ascii=False):<44} # {origin}")
        print(f"      {doc}")
    return 0
