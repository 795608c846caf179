"""`waggle swarm members`: who may submit through the login proxy of this home."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.home import Home

if TYPE_CHECKING:
    from core.chain.members import Member, Members

NOBODY = "Nobody yet. `waggle swarm members --add NAME` makes a member."


def of(home: Home) -> Members:
    from core.chain.members import Members

    return Members(home.members, home.account)


def members(home: Home, *, add: str | None, remove: str | None, as_json: bool) -> int:
    """Print all members with their ORG_IDs, after one was added or removed. WaggleError."""
    home.create()
    known = of(home)
    if remove is not None:
        kept = known.remove(remove)
        if as_json:
            print(json.dumps({"removed": remove, "kept": str(kept)}))
        else:
            print(f"{remove} can no longer submit. The account is kept in {kept}.")
        return 0
    if add is not None:
        known.add(add)
    found = known.all()
    if as_json:
        print(json.dumps({"members": [_facts(each) for each in found]}))
        return 0
    if not found:
        print(NOBODY)
        return 0
    print(f"{'member':<16}  {'account':<42}  ORG_ID")
    for each in found:
        facts = _facts(each)
        print(f"{each.name:<16}  {facts['account']:<42}  {facts['org_id']}")
    if add is not None:
        print(f"\nGive {add} that ORG_ID in private: whoever has it submits in {add}'s name.")
    return 0


def _facts(member: Member) -> dict[str, str]:
    from core.chain.account import address_of

    account = address_of(member.account) or "none"
    return {"name": member.name, "account": account, "org_id": member.org_id}
