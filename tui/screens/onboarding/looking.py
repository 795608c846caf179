"""What onboarding asks of a coordinator and of a login, in words. Runs in threads, never draws.

Every call has a deadline. What they answer is foreign text: whoever shows it cleans it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from core.errors import ConfigError, TransientError, WaggleError
from core.schema import ChainSection
from core.texts import _
from core.urls import shown_url

CALL_S = 4.0
LOOK_S = 20.0
"""All of a look, however many RPCs are named."""


@dataclass(frozen=True)
class Seen:
    """A coordinator as it answered. rpcs: each address, without what is secret of it, with what is
    wrong there, or nothing."""

    chain_id: int
    round: int
    stage: int
    bootnodes: tuple[str, ...]
    rpcs: tuple[tuple[str, str], ...]


def coordinator_at(rpc_url: str, contract: str, chain_id: int) -> Seen:
    """Look at every RPC, then read the coordinator through the first one that is well.

    chain_id: the one that is expected; 0 takes that of the first RPC, and the others must have it
    too. RefusedError for another chain or none of its contracts, also where only one of several
    is wrong; TransientError when none answers.
    """
    from core.chain.lookup import chain_at
    from core.chain.readonly import ReadOnlyCoordinator

    rpcs: list[tuple[str, str]] = []
    silent: list[TransientError] = []
    for url in (each.strip() for each in rpc_url.split(",")):
        try:
            chain_id = chain_at(url, contract, chain_id, CALL_S)
            rpcs.append((shown_url(url), ""))
        except TransientError as error:
            rpcs.append((shown_url(url), error.why or error.what))
            silent.append(error)
    if len(silent) == len(rpcs):
        raise silent[0]
    settings = ChainSection(call_timeout_s=CALL_S, chain_id=chain_id)
    # Told above already which of them does not answer.
    coordinator = ReadOnlyCoordinator(rpc_url, contract, settings, tell=lambda error: None)
    try:
        round_, stage = coordinator.round_and_stage()
        listed = tuple(coordinator.bootnodes())
    finally:
        coordinator.close()
    return Seen(chain_id, round_, stage, listed, tuple(rpcs))


def owner_of(target: tuple[str, str], peer_id: str) -> str | None:
    """Whose account a peer id is registered to; None for nobody's yet. WaggleError."""
    from core.chain.lookup import registered_to

    return registered_to(*target, peer_id, CALL_S)


def owner_told(owner: str | None, mine: str, login: bool = False) -> tuple[bool, str]:
    """(whether rewards of this peer would count for `mine`, that in words)."""
    if owner is None:
        return True, _("this peer is new there: the first round registers it")
    if not mine:
        return True, _(
            "this peer is registered to {owner}; the login does not tell its account"
        ).format(owner=owner)
    if owner.lower() == mine.lower():
        if login:
            return True, _("this peer is registered to this login")
        return True, _("this peer is registered to this account")
    told = _("this peer is registered to {owner}, not to this account")
    if login:
        told = _("this peer is registered to {owner}, not to this login")
    return False, told.format(owner=owner)


def not_yours(owner: str | None, mine: str, login: bool) -> WaggleError:
    """Why rewards of this peer would be refused, and what can be done."""
    what = _("This peer is registered to {owner}: rewards from here would be refused")
    if mine:
        what = _("This peer is registered to {owner}: rewards from {account} would be refused")
    return WaggleError(
        what.format(owner=owner, account=mine),
        _("a peer id stays with the account that registered it first"),
        _("Sign in with the login that registered it, or take another identity")
        if login
        else _("Import the account that registered it, or take another identity"),
    )


@dataclass(frozen=True)
class Login:
    """account: whom it acts for; empty when its files do not tell. source: where its ORG_ID is
    from."""

    account: str
    source: str


def login_at(url: str, login_data: str, org_id: str) -> Login:
    """Find the ORG_ID, and ask the service whether it may submit for it.

    ConfigError when there is no ORG_ID, or no address; TransientError when the service does not
    answer or the sign-in is not finished.
    """
    from core.chain import login_data as data
    from core.chain.login_service import LoginService

    found = data.find(org_id, login_data)
    service = LoginService(url, found, CALL_S)
    try:
        service.await_activation(0.0, threading.Event())
    finally:
        service.close()
    return Login(found.account, found.source)


def login_known(login_data: str, org_id: str) -> Login | None:
    """As `login_at`, without asking the service; None when there is no login yet."""
    from core.chain import login_data as data

    try:
        found = data.find(org_id, login_data)
    except ConfigError:
        return None
    return Login(found.account, found.source)
