"""What a known error in a log means, and what to do: a table of patterns, a sentence each.

From what people who run such nodes meet most often. Pure; patterns are plain, run in linear time
and see a bounded text. The first that fits is told.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from core.texts import _

MAX_TEXT = 4000


class Hint(NamedTuple):
    code: str
    cause: str
    next_step: str


class Rule(NamedTuple):
    code: str
    pattern: re.Pattern[str]
    cause: str
    next_step: str


def _rule(code: str, pattern: str, cause: str, next_step: str) -> Rule:
    return Rule(code, re.compile(pattern, re.IGNORECASE), cause, next_step)


RULES: tuple[Rule, ...] = (
    _rule(
        "gpu_memory",
        r"cuda out of memory|outofmemoryerror|mps backend out of memory"
        r"|cublas_status_alloc_failed",
        _("the graphics memory is full"),
        _(
            "close other programs on the GPU, or set a limit with --max-vram; waggle models says"
            " what fits"
        ),
    ),
    _rule(
        "memory",
        r"\bmemoryerror\b|cannot allocate memory|std::bad_alloc|out of memory: killed",
        _("the memory of this machine is full"),
        _("choose a smaller model or set --max-ram; waggle models says what fits"),
    ),
    _rule(
        "disk_full",
        r"no space left on device|disk quota exceeded|database or disk is full",
        _("the disk is full"),
        _("free some space; the node goes on by itself, and nothing that was saved is lost"),
    ),
    _rule(
        "too_many_files",
        r"too many open files",
        _("this user may not open more files"),
        _("raise the limit with ulimit -n 4096, then start the node again"),
    ),
    _rule(
        "database_locked",
        r"database is locked",
        _("another program holds the node's database"),
        _("close whatever else has node.db open"),
    ),
    _rule(
        "bootnodes",
        r"none of the initial.?peers|no bootnode (?:answers|answered)|failed to connect to"
        r" bootstrap|all bootnodes",
        _(
            "no bootnode answers: they are down, their addresses are old, or this network blocks"
            " them"
        ),
        _("the node trains alone meanwhile; waggle doctor net tells which of them is reachable"),
    ),
    _rule(
        "clock",
        r"clock (?:skew|is (?:wrong|off))|timestamp .{0,40}(?:future|expired)"
        r"|local time must be .{0,20}synchroni",
        _("the clock of this machine differs from that of its peers"),
        _("switch on time synchronisation: timedatectl set-ntp true"),
    ),
    _rule(
        "daemon",
        r"daemon failed to start|libp2p daemon did not start",
        _("the libp2p daemon was too slow or its port is taken"),
        _("it is tried again by itself; net.log has its own words. The identity is not at fault"),
    ),
    _rule(
        "port",
        r"address already in use",
        _("another program listens on that port"),
        _("stop it, or choose another port in the configuration"),
    ),
    _rule(
        "peer_registered",
        r"peeridalreadyregistered|invalidvoterpeerid|invalid_voter_peer_id",
        _("this peer id is registered to another account"),
        _("use the account that registered it; waggle identity verify names it"),
    ),
    _rule(
        "round_number",
        r"invalidroundnumber|invalidstagenumber",
        _("the coordinator is at another round or stage"),
        _("nothing to do: the node reads the round again before it sends"),
    ),
    _rule(
        "submitted_already",
        r"rewardalreadysubmitted|alreadysubmitted|winneralreadyvoted",
        _("the coordinator has it already"),
        _("nothing to do: it counts once"),
    ),
    _rule(
        "no_funds",
        r"insufficient funds|insufficient balance for",
        _("the account cannot pay for a transaction"),
        _("send a little of the chain's coin to the account; waggle account show has its address"),
    ),
    _rule(
        "rpc_limit",
        r"\b429\b.{0,60}too many requests|too many requests|rate limit",
        _("a server asks for fewer requests"),
        _("the node waits and tries again; a second RPC address spreads the load"),
    ),
    _rule(
        "login",
        r"login (?:service|proxy) (?:does not answer|refused)|get-api-key-status|not activated",
        _("the login service has not accepted this account"),
        _("open its page once more and log in; nothing that waits to be sent is lost"),
    ),
    _rule(
        "proxy",
        r"proxyerror|502 bad gateway|tunnel connection failed",
        _("a proxy stands in the way"),
        _("see HTTP_PROXY and HTTPS_PROXY; local addresses belong into NO_PROXY"),
    ),
    _rule(
        "hub_token",
        r"401 client error.{0,200}huggingface|invalid (?:user )?token|gated repo"
        r"|you must be authenticated to access",
        _("Hugging Face refuses this token or this model"),
        _("accept the model's terms on its page and give a token that may read it (HF_TOKEN)"),
    ),
    _rule(
        "names",
        r"temporary failure in name resolution|name or service not known|getaddrinfo failed",
        _("names cannot be resolved: no network, or no DNS"),
        _("see whether this machine is online; the node goes on with what it has"),
    ),
    _rule(
        "refused",
        r"connection refused|errno 111|connectionrefusederror",
        _("nothing listens at that address"),
        _("see whether the other side runs, and whether address and port are right"),
    ),
    _rule(
        "kernel_kill",
        r"ended with status -9|exit(?:ed)? (?:code|status) 137|signal 9\b",
        _("the system killed a process, most often because memory was short"),
        _("choose a smaller model or set --max-ram; waggle models says what fits"),
    ),
    _rule(
        "dtype",
        r"doesn.t support bf16|bfloat16 is not supported|not implemented for 'half'",
        _("this processor cannot compute in that number format"),
        _("leave model.dtype at auto"),
    ),
    _rule(
        "gpu_kernel",
        r"no kernel image is available",
        _("this build of PyTorch does not know this GPU"),
        _("install the PyTorch wheel for its CUDA version, or set model.device=cpu"),
    ),
)


def hint_for(text: str) -> Hint | None:
    """The cause of an error, if it is a known one. text: an entry of a log; its start is read."""
    text = text[:MAX_TEXT]
    for rule in RULES:
        if rule.pattern.search(text):
            return Hint(rule.code, rule.cause, rule.next_step)
    return None
