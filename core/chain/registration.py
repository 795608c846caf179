"""Binds the peer id to this node's account, and says what is wrong when it is bound to another."""

from __future__ import annotations

import time

from core.chain import telling
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import REORGANISED, OutboxRow
from core.chain.sender import NOT_OURS, Sender
from core.errors import RefusedError, TransientError
from core.protocols import Coordinator


def ensure(
    store: LedgerStore, sender: Sender, emit: telling.Emit, coordinator: Coordinator, peer_id: str
) -> str:
    """Register the peer, unless it is; the owner, which is this account.

    RefusedError when the peer id is another account's: nothing is sent then, and no row is lost.
    TransientError while it cannot be registered.
    """
    row, fresh = store.ensure_registration(coordinator.swarm, peer_id)
    if fresh:
        telling.row(emit, row)
    owner = coordinator.owner_of(peer_id)
    sender.heard = True
    if owner is None:
        if not row.is_open:
            told = "The coordinator does not know this peer any more."
            row = telling.row(emit, store.take_back(row, told, REORGANISED))
        if row.next_try <= time.time():
            row = sender.send(coordinator, row)
        owner = coordinator.owner_of(peer_id)
    if owner is None:
        raise TransientError(
            "The peer is not registered with the coordinator yet",
            row.error or f"transaction {row.tx_hash} is not mined yet",
            "The node tries again; its rounds are kept",
        )
    if owner.lower() != coordinator.account.lower():
        raise _stranger(store, emit, coordinator, row, owner)
    if row.is_open or row.status == "failed":
        sender.found(coordinator, row)
    return owner


def _stranger(
    store: LedgerStore, emit: telling.Emit, coordinator: Coordinator, row: OutboxRow, owner: str
) -> RefusedError:
    mend = (
        "Sign in with the login that registered it"
        if coordinator.kind == "login"
        else "Restore the account folder that belongs to this identity"
    )
    error = RefusedError(
        f"Peer {row.peer_id} belongs to account {owner} in this swarm",
        f"a peer id is bound to the first account that registered it; this node's is "
        f"{coordinator.account}",
        f"{mend}, or start with a new identity; what is due stays in the outbox",
        code=NOT_OURS,
    )
    if row.status != "failed":
        telling.row(emit, store.fail(row, str(error), error.code))
    return error


def read_only() -> RefusedError:
    """Why nothing is sent by a coordinator that cannot submit."""
    return RefusedError(
        "Nothing is submitted: this node only reads from its coordinator",
        "chain.coordinator is read-only; what it trains is kept in the ledger",
        "Set chain.coordinator to wallet or login, and the rounds that wait are submitted",
        code="ReadOnly",
    )
