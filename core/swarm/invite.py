"""An invite: all that a node needs to join a swarm, in one line that its owner has signed.

`waggle://` and base64url of a zlib stream of msgpack `[1, body, public key, signature]`. The body
is a msgpack map with the fields of `Invite`; the signature is over `waggle invite 1`, a zero byte
and the body, made with the owner's peer key. Sizes are checked before anything is unpacked.

Pure: how a signature is made and checked, and what the rules' digest is, is given by the caller.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

import msgpack

from core.errors import WaggleError

SCHEME = "waggle://"
VERSION = 1
MAX_TEXT = 32 * 1024
MAX_BYTES = 128 * 1024
"""Of the unpacked stream: a task set has a few KB."""
MAX_BOOTNODES = 16
DAY_S = 86_400
CLOCK_SLACK_S = 3600
SIGNED = b"waggle invite 1\0"

AGREED = (
    "swarm.genrl",
    "game.groups",
    "game.generations",
    "sampling.max_new_tokens",
    "sampling.stop_at_answer",
)
"""Settings that all nodes of a swarm must have alike, so that they admit one another's groups."""

Setting = bool | int | float | str
Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes, bytes], bool]
"""verify(public key, signature, data)"""
PeerIdOf = Callable[[bytes], str]

MULTIADDR = re.compile(
    r"/(ip4|ip6|dns4|dns6|dns)/[A-Za-z0-9.:_-]{1,253}/(tcp|udp)/\d{1,5}(/[a-z0-9-]{1,20})*"
    r"/p2p/[A-Za-z0-9]{20,100}"
)


@dataclass(frozen=True)
class Invite:
    """What an invite says. issued, expires: Unix seconds. owner: peer id of who signed it.

    tasks: the task set as YAML. settings: the values of `AGREED`. rules_digest: of the tasks, as
    the owner's Waggle computed it. reasoning_gym, waggle: the owner's versions.
    """

    swarm: str
    rpc_url: str
    contract: str
    chain_id: int
    bootnodes: tuple[str, ...]
    tasks: str
    settings: Mapping[str, Setting]
    rules_digest: str
    reasoning_gym: str
    waggle: str
    issued: int
    expires: int
    owner: str


def encode(invite: Invite, public_key: bytes, sign: Sign) -> str:
    """The text of an invite, signed. ValueError when it would not be accepted."""
    values = asdict(invite) | {"bootnodes": list(invite.bootnodes)}
    del values["owner"]  # follows from the key
    body = msgpack.packb(values)
    data = msgpack.packb([VERSION, body, public_key, sign(SIGNED + body)])
    text = SCHEME + base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")
    _invite(body, invite.owner)
    if len(data) > MAX_BYTES or len(text) > MAX_TEXT:
        raise ValueError("the task set is too large for an invite")
    return text


def decode(text: str, verify: Verify, peer_id_of: PeerIdOf) -> Invite:
    """What the text says, once its signature holds. WaggleError with the reason otherwise.

    White space is ignored, and so are lines that begin with #: text that was wrapped by a mail or
    a terminal is understood.
    """
    version, body, key, signature = _outer(_unpacked(text))
    if version != VERSION:
        raise WaggleError(
            "This invite has a format that this Waggle does not know",
            f"it is version {version}, known is {VERSION}",
            "Bring this Waggle and the owner's to the same release",
        )
    if not verify(key, signature, SIGNED + body):
        raise WaggleError(
            "This invite was changed after its owner made it",
            "its signature does not fit",
            "Do not use it; ask the owner for it again, in a way that you trust",
        )
    try:
        return _invite(body, peer_id_of(key))
    except ValueError as error:
        raise WaggleError(
            "This invite cannot be used",
            str(error),
            "Bring this Waggle to the owner's release, or ask the owner to make it again",
        ) from error


def require_valid(
    invite: Invite, now: float, rules_digest_of: Callable[[str], str], reasoning_gym: str
) -> None:
    """WaggleError when the invite is out of date, or this Waggle would make other tasks.

    rules_digest_of: the digest of a task set's YAML as it is computed here.
    """
    if now >= invite.expires:
        days = (now - invite.expires) / DAY_S
        past = f"{days:.0f} days ago" if days >= 1.5 else "within the last day"
        raise WaggleError("This invite is no longer valid", f"it expired {past}", ASK)
    if invite.issued > now + CLOCK_SLACK_S:
        raise WaggleError(
            "This invite is from the future",
            f"it was made {(invite.issued - now) / 3600:.0f} hours from now by this clock",
            "Set the clock of this machine (or let the owner see to theirs)",
        )
    if invite.reasoning_gym != reasoning_gym:
        raise WaggleError(
            "This swarm's tasks would come out differently here",
            f"it uses reasoning-gym {invite.reasoning_gym}, here is {reasoning_gym}",
            f"Use the owner's release of Waggle, {invite.waggle}",
        )
    if rules_digest_of(invite.tasks) != invite.rules_digest:
        raise WaggleError(
            "This swarm's rules are not the same here",
            "its tasks have another digest than the owner's Waggle computed",
            f"Use the owner's release of Waggle, {invite.waggle}",
        )


ASK = "Ask the owner of the swarm for a new one"


def normalised(text: str) -> str:
    """The invite in a text, without what mails, terminals and files add to it."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return "".join("".join(lines).split()).strip("<>\"'`")


def _unpacked(text: str) -> bytes:
    """The msgpack inside. WaggleError when it is no invite, cut off or damaged."""
    if len(text) > 2 * MAX_TEXT:
        raise _no_invite("it is far too long")
    text = normalised(text)
    if not text.startswith(SCHEME):
        raise _no_invite(f"it does not begin with {SCHEME}")
    code = text.removeprefix(SCHEME)
    if len(text) > MAX_TEXT:
        raise _no_invite("it is far too long")
    try:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", code):
            raise ValueError("it has signs that no invite has")
        packed = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        stream = zlib.decompressobj()
        data = stream.decompress(packed, MAX_BYTES)
        if not stream.eof or stream.unused_data or stream.unconsumed_tail:
            raise ValueError("it ends too early, or goes on too long")
    except (ValueError, binascii.Error, zlib.error) as error:
        raise _damaged() from error
    return data


def _outer(data: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Version, body, key and signature; of another version only the version is known."""
    parts = _loads(data)
    if isinstance(parts, list) and parts and type(parts[0]) is int and parts[0] != VERSION:
        return parts[0], b"", b"", b""
    if not (
        isinstance(parts, list)
        and len(parts) == 4
        and parts[0] == VERSION
        and all(isinstance(part, bytes) for part in parts[1:])
    ):
        raise _damaged()
    return parts[0], parts[1], parts[2], parts[3]


def _loads(data: bytes) -> Any:
    """One msgpack value. The decoder bounds its own nesting, and lengths by what is there."""
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise _damaged() from error


def _invite(body: bytes, owner: str) -> Invite:
    """Check every field. ValueError names the first one that cannot be used."""
    found = _loads(body)
    names = {field.name for field in fields(Invite)} - {"owner"}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError("it has other fields than this Waggle knows")
    for name, (kind, longest) in _KINDS.items():
        _check_field(name, found[name], kind, longest)
    if not _is_url(found["rpc_url"]):
        raise ValueError("its rpc_url is no http address")
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", found["contract"]):
        raise ValueError("its contract is no address")
    if not re.fullmatch(r"[0-9a-f]{64}", found["rules_digest"]):
        raise ValueError("its rules_digest is none")
    if not found["issued"] < found["expires"]:
        raise ValueError("it ends before it begins")
    bootnodes = found["bootnodes"]
    if not (
        0 < len(bootnodes) <= MAX_BOOTNODES
        and all(isinstance(b, str) and MULTIADDR.fullmatch(b) for b in bootnodes)
    ):
        raise ValueError("its bootnodes are no multiaddrs")
    _check_settings(found["settings"])
    return Invite(**{**found, "bootnodes": tuple(bootnodes)}, owner=owner)


_KINDS: dict[str, tuple[type[Any], int]] = {
    "swarm": (str, 64),
    "rpc_url": (str, 500),
    "contract": (str, 42),
    "chain_id": (int, 0),
    "bootnodes": (list, 0),
    "tasks": (str, 100_000),
    "settings": (dict, 0),
    "rules_digest": (str, 64),
    "reasoning_gym": (str, 40),
    "waggle": (str, 40),
    "issued": (int, 0),
    "expires": (int, 0),
}
"""Type and longest text of every field."""


def _check_field(name: str, value: Any, kind: type[Any], longest: int) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"its {name} is missing or malformed")
    if isinstance(value, str):
        if not 0 < len(value) <= longest:
            raise ValueError(f"its {name} is empty or too long")
        if name != "tasks" and not value.isprintable():
            raise ValueError(f"its {name} has control characters")
    if isinstance(value, int) and not 0 <= value < 2**53:
        raise ValueError(f"its {name} is out of range")


def _check_settings(settings: dict[Any, Any]) -> None:
    for key, value in settings.items():
        if key not in AGREED:
            raise ValueError(f"it needs the setting {str(key)[:60]!r}, which is not known here")
        plain = isinstance(value, (bool, int, float)) or (
            isinstance(value, str) and len(value) <= 100 and value.isprintable()
        )
        if not plain:
            raise ValueError(f"its setting {key} is malformed")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _no_invite(why: str) -> WaggleError:
    return WaggleError(
        "That is not an invite", why, f"It is one long word, from {SCHEME} to its end"
    )


def _damaged() -> WaggleError:
    return WaggleError(
        "This invite is damaged or not complete",
        "it cannot be unpacked",
        f"Copy all of it again, from {SCHEME} to its end, or ask for it as a file",
    )
