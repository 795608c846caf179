"""What `waggle swarm serve` says while it serves: lines for a person, or objects for a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from core.reports import clean

if TYPE_CHECKING:
    from core.chain.login_desk import Submission
    from core.chain.login_routes import Served

SHORT = 24


class Lines:
    """Safe to use from several threads; every line is flushed, and none has an ORG_ID."""

    def __init__(self, out: TextIO, as_json: bool) -> None:
        self._out = out
        self._as_json = as_json
        self._lock = threading.Lock()

    def service(self, status: str, detail: str) -> None:
        text = f"devnet and clock: {status}" + (f" ({detail})" if detail else "")
        self._say("service", text, status=status, detail=detail)

    def login(self, url: str, members: Sequence[str]) -> None:
        text = (
            f"login proxy: {url}/api/ for {', '.join(members)}\n"
            "  `waggle swarm members` shows the ORG_ID that RL-Swarm wants"
        )
        self._say("login", text, url=url, members=list(members))

    def wrote(self, folder: Path) -> None:
        self._say("login_data", f"login data written to {folder}", folder=str(folder))

    def ready(self, rpc_url: str, contract: str) -> None:
        from core.urls import shown_url

        where = shown_url(rpc_url)  # the rest of an address may hold an API key
        text = f"chain: {where}\ncoordinator: {contract}\nready; Ctrl+C ends it"
        self._say("ready", text, rpc=where, contract=contract)

    def ended(self) -> None:
        self._say("ended", "ended")

    def served(self, one: Served) -> None:
        """One submission: who, what, and its hash or why not."""
        outcome = one.tx_hash or one.error
        text = f"{time.strftime('%H:%M:%S')} {one.member}: {_told(one.wanted)}: {outcome}"
        wanted = one.wanted
        self._say(
            "submission",
            text,
            member=one.member,
            kind=wanted.kind,
            peer_id=wanted.peer_id,
            round=wanted.round,
            stage=wanted.stage,
            value=str(wanted.value),
            winners=list(wanted.winners),
            status=one.status,
            tx_hash=one.tx_hash,
            error=one.error,
        )

    def _say(self, event: str, text: str, **facts: Any) -> None:
        if self._as_json:
            text = json.dumps({"event": event, **facts})
        else:
            text = "\n".join(clean(line) for line in text.split("\n"))
        with self._lock:
            self._out.write(text + "\n")
            self._out.flush()


def _told(wanted: Submission) -> str:
    peer = _short(wanted.peer_id)
    if wanted.kind == "register":
        return f"register {peer}"
    if wanted.kind == "reward":
        return f"reward {wanted.value} of {peer} for round {wanted.round}, stage {wanted.stage}"
    voted = ", ".join(_short(each) for each in wanted.winners[:3]) or "nobody"
    more = f" and {len(wanted.winners) - 3} more" if len(wanted.winners) > 3 else ""
    return f"vote of {peer} in round {wanted.round} for {voted}{more}"


def _short(peer_id: str) -> str:
    """Peer ids come from clients: in one line, and not too long."""
    one_line = " ".join(peer_id.split())
    return one_line if len(one_line) <= SHORT * 2 else one_line[: SHORT * 2] + "..."
