"""Tells two chains apart that have the same id and the same contract address.

A devnet that was deleted and made anew by the same owner has both in common with the old one, and
begins at round 0 again: its rounds would be taken for rounds that were trained long ago. What
differs is the first block. The rows of the old chain are renamed then, so that they stay, as rows
of a swarm that is lost.
"""

from __future__ import annotations

from core.chain import telling
from core.chain.ledger import LedgerStore
from core.errors import RefusedError


def meet(store: LedgerStore, swarm: str, first_block: str) -> str:
    """Note the first block of a swarm's chain; the name that the rows of another chain have from
    now on, empty when there were none. first_block: its hash, empty where no RPC tells it.

    A chain that was met before has its own rows back.
    """
    if not first_block:
        return ""
    with store.transaction() as db:
        known = db.execute(
            "SELECT first_block FROM swarm_origin WHERE swarm = ?", (swarm,)
        ).fetchone()
        db.execute("INSERT OR REPLACE INTO swarm_origin VALUES (?, ?)", (swarm, first_block))
        if known is None or known[0] == first_block:
            return ""
        lost = _aside(swarm, known[0])
        for old, new in ((swarm, lost), (_aside(swarm, first_block), swarm)):
            for table in ("ledger", "outbox", "ledger_sums"):
                db.execute(f"UPDATE {table} SET swarm = ? WHERE swarm = ?", (new, old))
        return lost


def _aside(swarm: str, first_block: str) -> str:
    return f"{swarm}@{first_block[2:10]}"


def tell(emit: telling.Emit, swarm: str, lost: str) -> None:
    """That the chain began anew, and what becomes of the rows."""
    error = RefusedError(
        f"The chain of swarm {swarm} began anew",
        "its first block is another one: the swarm's owner deleted the old chain",
        f"Nothing to do: what was trained for the old one is kept as {lost}; rounds of the new "
        "one are trained and counted from now on",
        code="ChainAnew",
    )
    telling.trouble(emit, error, level="warning")
