"""GenRL's wire format: byte for byte the original's, and whatever a stranger writes is survived."""

from __future__ import annotations

import time

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.net import genrl

QUESTION = "What is 1.5 + 2?\nGive the number. \u2192"
METADATA = {
    "source_dataset": "decimal_arithmetic",
    "source_index": 7,
    "difficulty": {"decimal_places": (1, 3), "p": 0.25},
    "dataset_index": 0,
    "split": "train",
    "none": None,
}
ACTIONS = ("<answer>3.5</answer>", "I do not know \u2013 sorry.")
SAID = genrl.Said(QUESTION, "3.5", METADATA, ACTIONS)

# Made by gensyn-genrl 0.3.0: msgpack.Packer(use_bin_type=True, default=_msgpack_encode), as in its
# HivemindBackend, of {generate_md5_hash_id(q): [Payload(WorldState(...), actions, None)]}.
GOLDEN = bytes.fromhex(
    "81d92063616162343565353264613332633537656333643836313136326165343238369184a85f5f74797065"
    "5f5fa75061796c6f6164ab776f726c645f737461746584a85f5f747970655f5faa576f726c645374617465b2"
    "656e7669726f6e6d656e745f73746174657383a87175657374696f6ed9255768617420697320312e35202b20"
    "323f0a4769766520746865206e756d6265722e20e28692a6616e73776572a3332e35a86d6574616461746186"
    "ae736f757263655f64617461736574b2646563696d616c5f61726974686d65746963ac736f757263655f696e"
    "64657807aa646966666963756c747982ae646563696d616c5f706c61636573920103a170cb3fd00000000000"
    "00ad646174617365745f696e64657800a573706c6974a5747261696ea46e6f6e65c0af6f70706f6e656e745f"
    "737461746573c0af706572736f6e616c5f737461746573c0a7616374696f6e7392b43c616e737765723e332e"
    "353c2f616e737765723eb84920646f206e6f74206b6e6f7720e2809320736f7272792ea86d65746164617461"
    "c0"
)

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
said = st.builds(
    genrl.Said, text, text, st.dictionaries(text, plain, max_size=4), st.lists(text, max_size=5)
)


def test_the_value_is_the_one_that_the_original_makes() -> None:
    assert genrl.encode([SAID]) == GOLDEN


def test_a_value_of_the_original_is_read() -> None:
    assert genrl.decode(GOLDEN) == (genrl.Heard(genrl.batch_id(QUESTION), ACTIONS),)


@given(st.lists(said, max_size=4, unique_by=lambda s: s.question))
def test_round_trip(groups: list[genrl.Said]) -> None:
    heard = genrl.decode(genrl.encode(groups))
    assert heard == tuple(genrl.Heard(genrl.batch_id(g.question), tuple(g.actions)) for g in groups)


@given(st.lists(said, max_size=6, unique_by=lambda s: s.question), st.integers(3, 900))
def test_a_value_holds_the_groups_that_fit(groups: list[genrl.Said], max_bytes: int) -> None:
    value, count = genrl.encode_within(groups, max_bytes)
    assert len(value) <= max_bytes
    heard = {h.batch_id for h in genrl.decode(value)}
    assert len(heard) == count
    for group in groups:
        if genrl.batch_id(group.question) not in heard:
            assert len(value) + len(genrl.encode([group])) > max_bytes - 3


def refused(value: bytes, limits: genrl.Limits | None = None) -> bool:
    try:
        genrl.decode(value, limits)
    except ValueError:
        return True
    return False


@settings(max_examples=500)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\xc1")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\x91" * 100_000)
@example(b"\x81\xa1a" * 30_000)
@example(b"\xc7\x03\x40" + b"\x93\x01\x02" * 300)
def test_what_is_not_a_value_gives_an_error_and_nothing_else(value: bytes) -> None:
    if not refused(value, genrl.Limits(max_bytes=2**20)):
        assert value == b"\x80"  # of nobody's groups; too short for chance to make another


@settings(max_examples=800)
@given(st.data())
def test_a_changed_value_is_read_or_refused(data: st.DataObject) -> None:
    value = bytearray(GOLDEN)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(value) - 1))
        match data.draw(st.sampled_from(("change", "cut", "put"))):
            case "change":
                value[place] = data.draw(st.integers(0, 255))
            case "cut":
                del value[place : place + data.draw(st.integers(1, 20))]
            case "put":
                value[place:place] = data.draw(st.binary(min_size=1, max_size=20))
        if not value:
            break
    if not refused(bytes(value)):
        for heard in genrl.decode(bytes(value)):
            assert len(heard.batch_id) == 32
            assert all(type(action) is str for action in heard.actions)


@pytest.mark.parametrize("fill", [b"\x91", b"\x81\xa0", b"\xd4\x40"])
@pytest.mark.parametrize("depth", [10, 500, 20_000])
def test_nesting_in_what_is_not_looked_at_does_no_harm(fill: bytes, depth: int) -> None:
    at = GOLDEN.index(b"\xa4none\xc0") + 5
    value = GOLDEN[:at] + fill * depth + GOLDEN[at:]
    began = time.perf_counter()
    refused(value, genrl.Limits(max_bytes=2**20))
    assert time.perf_counter() - began < 0.5


def payload(**changes: object) -> dict[str, object]:
    value = msgpack.unpackb(GOLDEN)
    (one,) = value[genrl.batch_id(QUESTION)]
    return {**one, **changes}


def packed(*payloads: object, name: str = "") -> bytes:
    return msgpack.packb({name or genrl.batch_id(QUESTION): list(payloads)})


@pytest.mark.parametrize(
    "value",
    [
        packed(payload(actions=None)),
        packed(payload(actions="one text")),
        packed(payload(actions=["a", b"bytes"])),
        packed(payload(actions=["a", 7])),
        packed(payload(actions=["a"] * 65)),
        packed(payload(actions=["a" * 40_000])),
        packed(payload(actions=[["a"]])),
        packed(payload(world_state=None)),
        packed(payload(world_state={"__type__": "WorldState"})),
        packed(payload(world_state={"__type__": "Payload", "environment_states": {}})),
        packed(payload(__type__="WorldState")),
        packed(payload(__type__="os.system")),
        packed(payload(more=1)),
        packed(*[payload()] * 5),
        packed(payload(), name="0" * 32),
        packed(payload(), name=genrl.batch_id(QUESTION).upper()),
        packed(payload(), name="q" * 2_000),
        packed({k: v for k, v in payload().items() if k != "actions"}),
        packed({k: v for k, v in payload().items() if k != "__type__"}),
        packed([payload()]),
        msgpack.packb({7: [payload()]}),
        msgpack.packb([payload()]),
        msgpack.packb({f"{i:032x}": [] for i in range(65)}),
        packed(payload()) + b"\xc0",
        packed(payload())[:-1],
        packed(payload()).replace(b"sorry", b"\xff\xfe\xfd\xfc\xfb"),
        b"\x82" + 2 * packed(payload())[1:],
        packed(payload()).replace(b"\xa8metadata\xc0", b"\xa8metadata\xc1"),
        packed(payload()).replace(b"\xa8metadata\xc0", b"\xa7actions\x90"),
    ],
)
def test_a_malformed_value_is_refused(value: bytes) -> None:
    assert refused(value)


def test_a_large_value_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="larger than"):
        genrl.decode(b"\xc1" * (64 * 1024 + 1))


@pytest.mark.parametrize("metadata", [{"x": object()}, {"x": 2**70}, {"x": "\ud800"}])
def test_what_cannot_be_told_is_an_error(metadata: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot be told"):
        genrl.encode([genrl.Said(QUESTION, "3.5", metadata, ACTIONS)])
