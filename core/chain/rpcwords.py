"""What an RPC's failures mean, in a person's words, and what to do about each.

Two tables: errors that a node of the chain answers with (JSON-RPC has no common codes for them,
so they are known by their words, as geth, reth/anvil, Nethermind, Besu and the hosted RPCs write
them), and statuses of the web server in front of it. It knows words only: it decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """One kind of error. words: a pattern that its message matches, in any case.

    elsewhere: it is this RPC's own trouble, so another one may answer.
    """

    kind: str
    words: str
    what: str
    next_step: str
    codes: tuple[int, ...] = ()
    elsewhere: bool = False


TROUBLES = (
    Trouble(
        "insufficient_funds",
        r"insufficient (funds|balance)|sender doesn.t have enough funds|upfront cost exceeds",
        "The account cannot pay for its transaction",
        "Send some ether to the account; what is due stays in the outbox",
    ),
    Trouble(
        "nonce_low",
        r"nonce (is )?too low|old ?nonce|invalid nonce.*lower|NONCE_EXPIRED|nonce.*already used",
        "Another transaction of this account was faster",
        "Nothing to do: the node takes the next number. Do not use the account in another wallet",
    ),
    Trouble(
        "nonce_high",
        r"nonce (is )?too high|nonce gap|gapped nonce|distance to next nonce",
        "An earlier transaction of this account is missing",
        "Nothing to do: the node sends the missing one again. Do not use the account in another "
        "wallet",
    ),
    Trouble(
        "known",
        r"already ?known|known transaction|already imported|ALREADY_?EXISTS|already in (the )?"
        r"(mempool|pool)|already exists",
        "The chain has this transaction already",
        "Nothing to do: the node waits for it",
    ),
    Trouble(
        "replacement_underpriced",
        r"replacement transaction underpriced|replacement.*(fee|gas price).*too low"
        r"|gas price too low to replace|REPLACEMENT_UNDERPRICED",
        "The chain holds another transaction with this number, which pays as much",
        "Nothing to do: the node offers more, up to chain.max_fee_gwei",
    ),
    Trouble(
        "fee_below_base",
        r"(max fee|fee ?cap|gas ?price|maxFeePerGas).{0,40}(less|lower) than.{0,20}base ?fee"
        r"|base ?fee.{0,30}(exceeds|higher)|transaction gas price below minimum",
        "The chain has become more expensive than the transaction offers",
        "Wait, or raise chain.max_fee_gwei",
    ),
    Trouble(
        "underpriced",
        r"transaction underpriced|tip (needed|too low|below)|gas tip cap.*minimum|fee_? ?too_? ?low"
        r"|gas price too low|maxPriorityFeePerGas.*(low|below)",
        "The chain's nodes want a higher fee than the transaction offers",
        "Raise chain.max_tip_gwei or chain.max_fee_gwei",
    ),
    Trouble(
        "tip_above_fee",
        r"(tip|priority fee).{0,30}(higher|greater|above|exceeds).{0,20}(fee ?cap|max ?fee)",
        "The offered tip is higher than the whole fee",
        "Set chain.max_tip_gwei lower than chain.max_fee_gwei",
    ),
    Trouble(
        "fee_capped",
        r"tx fee .*exceeds the configured cap",
        "The RPC takes no transaction that is so expensive",
        "Lower chain.max_fee_gwei, or take another RPC in chain.rpc_url",
        elsewhere=True,
    ),
    Trouble(
        "intrinsic_gas",
        r"intrinsic gas(?! too high)|gas floor|gas limit below",
        "The transaction was given less gas than its bytes cost on this chain",
        "Check that chain.rpc_url is an ordinary EVM chain; the node estimates again",
    ),
    Trouble(
        "block_gas",
        r"exceeds block gas limit|gas limit (is )?(too high|exceeds)|intrinsic gas too high"
        r"|exceeds.{0,20}gas (limit|cap)",
        "The transaction needs more gas than this chain allows",
        "Check that chain.contract is a SwarmCoordinator and that its chain is the right one",
    ),
    Trouble(
        "out_of_gas",
        r"out of gas|gas required exceeds",
        "The call ran out of gas",
        "Check that chain.contract is a SwarmCoordinator and that its chain is the right one",
    ),
    Trouble(
        "old_evm",
        r"NotActivated|(invalid|undefined|unknown) (opcode|instruction)|opcode.{0,30}not defined",
        "The chain's EVM is too old for the coordinator",
        "Take another chain: it must know the Cancun upgrade",
    ),
    Trouble(
        "wrong_signer",
        r"invalid (chain ?id|sender|signature)|chain ?id (mismatch|does not match)|incompatible "
        r"EIP-155",
        "The chain does not accept the signature: it is another chain than it said",
        "Check chain.rpc_url and chain.chain_id",
        elsewhere=True,
    ),
    Trouble(
        "tx_type",
        r"transaction type not supported|unsupported transaction type|type 2 .*not supported",
        "The chain does not take this kind of transaction",
        "Check that chain.rpc_url is an ordinary EVM chain",
    ),
    Trouble(
        "pool_full",
        r"tx ?pool is full|pool (is )?full|pool limit|too many (pending )?transactions",
        "The chain has more transactions waiting than it can hold",
        "Wait: the node sends again later",
        elsewhere=True,
    ),
    Trouble(
        "unauthorised",
        r"unauthori[sz]ed|invalid (api|project|access)[ -]?(key|id|token)|must be authenticated"
        r"|authentication|forbidden|permission denied",
        "The RPC refuses the key in its address",
        "Check the API key in chain.rpc_url, or take another RPC",
        codes=(-32001,),
        elsewhere=True,
    ),
    Trouble(
        "limited",
        r"rate ?limit|too many requests|limit exceeded|(request|daily|monthly|capacity|compute"
        r").{0,30}(limit|exceeded|exhausted)|exceeded.{0,40}(capacity|compute)"
        r"|throttl|slow down|quota",
        "The RPC allows fewer calls than this node makes",
        "Nothing to do when it is rare; else add a second address to chain.rpc_url (with a comma), "
        "or take an RPC with a higher limit",
        codes=(-32005, -32029, -32097, 429),
        elsewhere=True,
    ),
    Trouble(
        "pruned",
        r"missing trie node|pruned|state .{0,60}(not available|unavailable|is not kept)"
        r"|historical state|header not found|unknown block|old data not available|not kept",
        "The RPC does not have the state that was asked for",
        "Nothing to do when it is rare; else add another RPC to chain.rpc_url",
        codes=(-32004,),
        elsewhere=True,
    ),
    Trouble(
        "no_method",
        r"method.{0,80}(not found|not exist|not available|not supported|not allowed|disabled)"
        r"|unsupported method",
        "The RPC does not know a method that a node needs",
        "Take another RPC in chain.rpc_url: an ordinary Ethereum node or a hosted one",
        codes=(-32601,),
        elsewhere=True,
    ),
    Trouble(
        "syncing",
        r"syncing|not (yet )?synced|still (sync|start)|node is not ready|starting up",
        "The RPC's own node has not caught up with the chain",
        "Wait, or add another RPC to chain.rpc_url",
        elsewhere=True,
    ),
    Trouble(
        "slow",
        r"timed? ?out|timeout|deadline exceeded|took too long",
        "The RPC gave up on the call after its own time limit",
        "The node tries again; if it lasts, add another RPC to chain.rpc_url",
        codes=(-32002,),
        elsewhere=True,
    ),
    Trouble(
        "internal",
        r"internal (server )?error|temporar|unavailable|upstream|bad gateway|no response",
        "The RPC failed by itself",
        "The node tries again; if it lasts, add another RPC to chain.rpc_url",
        codes=(-32603,),
        elsewhere=True,
    ),
)
OTHER = Trouble(
    "other",
    "",
    "The chain answered with an error",
    "The node tries again; if it lasts, check chain.rpc_url",
)
_BY_WORDS = [(each, re.compile(each.words, re.I)) for each in TROUBLES]


def trouble(code: int, message: str) -> Trouble:
    """The kind of a JSON-RPC error: by its words, which say more, else by its code."""
    for each, pattern in _BY_WORDS:
        if pattern.search(message):
            return each
    return next((each for each in TROUBLES if code in each.codes), OTHER)


_SERVER = (
    "its server failed",
    "The node tries again; a second address in chain.rpc_url (with a comma) would step in",
)
_STATUSES: dict[int, tuple[str, str]] = {
    401: (
        "it wants a key that its address does not have, or not the right one",
        "Put the RPC's whole address with its API key into chain.rpc_url",
    ),
    403: (
        "it refuses this node: a wrong key, a blocked country, or a web filter in between",
        "Check the API key in chain.rpc_url, or take another RPC",
    ),
    404: ("there is no RPC at this path", "Check the part of chain.rpc_url after the host"),
    405: ("there is no RPC at this path", "Check the part of chain.rpc_url after the host"),
    407: (
        "the HTTP proxy wants a password",
        "Put user and password into HTTPS_PROXY, or name the host in NO_PROXY",
    ),
    413: ("it does not take so long a question", "Take another RPC in chain.rpc_url"),
    429: (
        "it allows fewer calls than this node makes",
        "Nothing to do when it is rare; else add a second address to chain.rpc_url (with a comma),"
        " or take an RPC with a higher limit",
    ),
}


def status_words(status: int) -> tuple[str, str]:
    """(why, next step) for an HTTP status that is not 200."""
    if 300 <= status < 400:
        why, step = "it sends us to another address", "Put that address into chain.rpc_url"
    elif status in _STATUSES:
        why, step = _STATUSES[status]
    elif status >= 500:
        why, step = _SERVER
    else:
        why, step = "it refused the call", "Check chain.rpc_url"
    return f"{why} (HTTP status {status})", step


WEB_PAGE = (
    "it answers with a web page, not with JSON",
    "Check the path of chain.rpc_url, and in a browser whether this network wants you to sign in",
)
NO_JSON = ("its answer is not JSON-RPC", "Check chain.rpc_url: it must be an Ethereum JSON-RPC")
