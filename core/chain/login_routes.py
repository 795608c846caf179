"""The original's login REST, answered for the members of this home: requests in, answers out.

Paths, bodies and status codes are those of modal-login/app/api in RL-Swarm: 200 {hash}; 400 {error}
with the name of the contract's error; 404 for an ORG_ID that nobody has; 500 for all else, also
for arguments that no contract call can be made of. Its routes for the browser and for the
prediction market are not here. It knows no HTTP and no chain: `login_server.py`, `login_desk.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from core import boundedjson
from core.chain.contract.refusals import REFUSALS
from core.chain.login_desk import Desk, Submission
from core.chain.members import Member, Members
from core.errors import RefusedError, WaggleError
from core.protocols import Coordinator

STATUS = "/api/get-api-key-status"
ROUTES = {
    "/api/register-peer": "register",
    "/api/submit-reward": "reward",
    "/api/submit-winner": "winner",
}
MAX_PEER_ID_BYTES = 1024
MAX_WINNERS = 1024
UNEXPECTED = "An unexpected error occurred"


@dataclass(frozen=True)
class Answer:
    """body: an object for JSON, or plain text."""

    status: int
    body: dict[str, Any] | str


@dataclass(frozen=True)
class Served:
    """One submission and what came of it, for a log. Texts in it come from a client."""

    member: str
    wanted: Submission
    status: int
    tx_hash: str
    error: str


class Routes:
    """Safe to use from several threads; `post` takes as long as a transaction takes."""

    def __init__(
        self,
        members: Members,
        connect: Callable[[Member], Coordinator],
        patience_s: float,
        told: Callable[[Served], None],
    ) -> None:
        """connect: the coordinator of a member, cheap when called again. told: hears of every
        submission of a member, in the thread that served it."""
        self._members = members
        self._connect = connect
        self._patience_s = patience_s
        self._told = told
        self._desks: dict[str, Desk] = {}
        self._lock = threading.Lock()

    def get(self, path: str, query: str) -> Answer:
        if path != STATUS:
            return Answer(404, {"error": "not found"})
        try:
            org_id = parse_qs(query, max_num_fields=10).get("orgId", [""])[-1]
        except ValueError:
            org_id = ""
        if not org_id:
            return Answer(400, {"json": {"error": "bad request"}})
        try:
            return Answer(200, "activated" if self._members.find(org_id) else "pending")
        except WaggleError as error:
            return Answer(500, {"json": {"error": str(error)}})

    def post(self, path: str, body: bytes) -> Answer:
        kind = ROUTES.get(path)
        if kind is None:
            return Answer(404, {"error": "not found"})
        try:
            fields = boundedjson.decode(body)
        except (ValueError, RecursionError):
            fields = None
        org_id = fields.get("orgId") if isinstance(fields, dict) else None
        if not isinstance(fields, dict) or not isinstance(org_id, str) or not org_id:
            error = "bad request" if kind == "register" else "bad request orgID"
            return Answer(400, {"error": error})
        try:
            member = self._members.find(org_id)
        except WaggleError as error:
            return _unexpected(error)
        if member is None:
            return Answer(404, {"error": "user not found"})
        try:
            wanted = _read(kind, fields)
        except ValueError as error:
            return Answer(500, {"error": UNEXPECTED, "original": str(error)})
        return self._submit(member, wanted)

    def _submit(self, member: Member, wanted: Submission) -> Answer:
        tx_hash, told = "", ""
        try:
            tx_hash = self._desk(member).submit(wanted)
            answer = Answer(200, {"hash": tx_hash})
        except RefusedError as error:
            told = str(error)
            if error.code in REFUSALS:
                messages = [error.what, error.why, error.next_step]
                answer = Answer(400, {"error": error.code, "metaMessages": messages})
            else:
                answer = _unexpected(error)
        except WaggleError as error:
            told = str(error)
            answer = _unexpected(error)
        self._told(Served(member.name, wanted, answer.status, tx_hash, told))
        return answer

    def _desk(self, member: Member) -> Desk:
        with self._lock:
            if member.org_id not in self._desks:
                self._desks[member.org_id] = Desk(lambda: self._connect(member), self._patience_s)
            return self._desks[member.org_id]


def _unexpected(error: WaggleError) -> Answer:
    return Answer(500, {"error": UNEXPECTED, "original": str(error)})


def _read(kind: str, fields: dict[str, Any]) -> Submission:
    """ValueError, naming the field, for what the contract's types cannot hold."""
    peer_id = _text("peerId", fields.get("peerId"))
    if kind == "register":
        return Submission(kind, peer_id)
    number = _number("roundNumber", fields.get("roundNumber"), 0, 2**256)
    if kind == "reward":
        stage = _number("stageNumber", fields.get("stageNumber"), 0, 2**256)
        value = _number("reward", fields.get("reward"), -(2**255), 2**255)
        return Submission(kind, peer_id, number, stage, value)
    winners = fields.get("winners")
    if not isinstance(winners, list) or len(winners) > MAX_WINNERS:
        raise ValueError(f"winners is not a list of at most {MAX_WINNERS} peer ids")
    chosen = tuple(_text("winners", each) for each in winners)
    return Submission(kind, peer_id, number, winners=chosen)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} is not a text") from error
    if size > MAX_PEER_ID_BYTES:
        raise ValueError(f"{name} is longer than {MAX_PEER_ID_BYTES} bytes")
    return value


def _number(name: str, value: Any, low: int, end: int) -> int:
    """A whole number, low <= it < end; 5.0 is one, too, because JavaScript knows no other."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < end:
        raise ValueError(f"{name} is not a whole number of the contract's range")
    return value
