"""The payload of one contribution: rollout groups as bounded, versioned msgpack.

`[1, [[task, [[text, finished, logprobs], ...]], ...]]`, log-probs as packed little-endian
float32. Neither peer id nor round is inside: both come from the signed record whose digest covers
these bytes. Rewards, answers and questions do not travel; the receiver makes its own. Pure.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from core.rollouts import Rollout, RolloutGroup, TaskId

VERSION = 1
LOWEST_LOGPROB = -1e6


@dataclass(frozen=True)
class Limits:
    """What a receiver is willing to hold of one contribution. Text is counted in UTF-8 bytes."""

    max_bytes: int = 512 * 1024
    max_groups: int = 4_096
    max_rollouts: int = 256
    max_text_bytes: int = 65_536
    max_tokens: int = 32_768


def encode(groups: Sequence[RolloutGroup]) -> bytes:
    """Pack; ValueError when a log-prob is not finite or a text is not Unicode."""
    body = [[str(g.task), [_pack_rollout(r) for r in g.rollouts]] for g in groups]
    payload: bytes = msgpack.packb([VERSION, body], use_bin_type=True)
    return payload


def encode_within(groups: Sequence[RolloutGroup], limits: Limits) -> tuple[bytes, int]:
    """The payload of as many groups from the front as others will accept, and how many."""
    count = min(len(groups), limits.max_groups)
    payload = encode(groups[:count])
    while len(payload) > limits.max_bytes and count:
        count = min(count - 1, count * limits.max_bytes // len(payload))
        payload = encode(groups[:count])
    return payload, count


def decode(
    data: bytes, *, peer_id: str, round: int, limits: Limits | None = None
) -> tuple[RolloutGroup, ...]:
    """The groups in `data`, as said by `peer_id` for `round`; ValueError on anything off."""
    limits = limits or Limits()
    if len(data) > limits.max_bytes:
        raise ValueError(f"payload of {len(data)} bytes is larger than {limits.max_bytes}")
    message = _unpack(data, limits)
    if type(message) is not list or len(message) != 2 or message[0] != VERSION:
        raise ValueError("not a payload of version 1")
    if type(message[1]) is not list or len(message[1]) > limits.max_groups:
        raise ValueError("too many groups")
    groups = tuple(_parse_group(item, peer_id, round, limits) for item in message[1])
    if len({group.task for group in groups}) != len(groups):
        raise ValueError("a task comes twice")
    return groups


def _pack_rollout(rollout: Rollout) -> list[Any]:
    values = [min(float(x), 0.0) for x in rollout.logprobs]
    if not all(x >= LOWEST_LOGPROB for x in values):
        raise ValueError("a log-prob is not a finite number")
    return [rollout.text, rollout.finished, struct.pack(f"<{len(values)}f", *values)]


def _unpack(data: bytes, limits: Limits) -> Any:
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            use_list=True,
            max_str_len=max(limits.max_text_bytes, 128),
            max_bin_len=4 * limits.max_tokens,
            max_array_len=max(limits.max_groups, limits.max_rollouts, 3),
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise ValueError("not msgpack within the limits") from error


def _parse_group(item: Any, peer_id: str, round: int, limits: Limits) -> RolloutGroup:
    if type(item) is not list or len(item) != 2:
        raise ValueError("not a group")
    task, rollouts = item
    if type(task) is not str or type(rollouts) is not list:
        raise ValueError("not a group")
    if not 1 <= len(rollouts) <= limits.max_rollouts:
        raise ValueError("a group has too few or too many rollouts")
    return RolloutGroup(
        task=TaskId.parse(task),
        peer_id=peer_id,
        round=round,
        rollouts=tuple(_parse_rollout(r, limits) for r in rollouts),
    )


def _parse_rollout(item: Any, limits: Limits) -> Rollout:
    if type(item) is not list or len(item) != 3:
        raise ValueError("not a rollout")
    text, finished, packed = item
    if type(text) is not str or type(finished) is not bool or type(packed) is not bytes:
        raise ValueError("not a rollout")
    if len(text) > limits.max_text_bytes or len(packed) % 4:
        raise ValueError("a rollout is malformed")
    logprobs = struct.unpack(f"<{len(packed) // 4}f", packed)
    if not all(math.isfinite(x) and LOWEST_LOGPROB <= x <= 0.0 for x in logprobs):
        raise ValueError("a log-prob is out of bounds")
    return Rollout(text=text, logprobs=logprobs, finished=finished)
