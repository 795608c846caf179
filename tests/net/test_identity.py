"""Identity against hivemind's own computation, and against every way a file can be wrong."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WaggleError
from core.net import identity

HIVEMIND = """
import sys
from core.net import lean
lean.install()
from hivemind.p2p import P2P, PeerID
P2P.generate_identity(sys.argv[1])
for path in sys.argv[1:]:
    print(PeerID.from_identity(open(path, "rb").read()))
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return identity.load_or_create(tmp_path_factory.mktemp("id") / "identity" / "swarm.pem")


def test_peer_ids_are_hiveminds_own(tmp_path, mine):
    theirs = tmp_path / "theirs.pem"
    out = subprocess.run(
        [sys.executable, "-c", HIVEMIND, str(theirs), str(mine.path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert out.stdout.split() == [identity.load(theirs).peer_id, mine.peer_id]
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o400


def test_created_once_with_a_private_mode(mine):
    again = identity.load_or_create(mine.path)
    assert again.peer_id == mine.peer_id
    assert again.peer_id.startswith("Qm")
    assert stat.S_IMODE(mine.path.stat().st_mode) == 0o600
    assert b"PRIVATE" not in repr(again).encode()


def test_a_readable_key_is_mended(tmp_path, mine):
    path = tmp_path / "swarm.pem"
    path.write_bytes(mine.path.read_bytes())
    path.chmod(0o644)
    assert identity.load(path).peer_id == mine.peer_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.binary(max_size=200))
def test_signatures_hold_for_their_bytes_only(mine, data):
    signature = mine.sign(data)
    assert identity.verify(mine.public_key_bytes, signature, data)
    assert not identity.verify(mine.public_key_bytes, signature, data + b"x")
    assert not identity.verify(mine.public_key_bytes, signature[:-1], data)
    assert not identity.verify(data, signature, data)


@pytest.mark.parametrize("damage", ["empty", "text", "short", "huge", "ed25519", "random key"])
def test_a_damaged_file_is_told_and_left_alone(tmp_path, mine, damage):
    good = mine.path.read_bytes()
    data = {
        "empty": b"",
        "text": b"-----BEGIN RSA PRIVATE KEY-----\n",
        "short": good[:-20],
        "huge": good * 20,
        "ed25519": b"\x08\x01\x12\x20" + bytes(32),
        "random key": good[:5] + os.urandom(len(good) - 5),
    }[damage]
    path = tmp_path / "swarm.pem"
    path.write_bytes(data)
    with pytest.raises(WaggleError) as caught:
        identity.load_or_create(path)
    assert str(path) in caught.value.what
    assert caught.value.why
    assert caught.value.next_step
    assert path.read_bytes() == data


def test_a_folder_or_a_dangling_link_is_told(tmp_path):
    for path in (tmp_path / "folder", tmp_path / "link"):
        if path.name == "folder":
            path.mkdir()
        else:
            path.symlink_to(tmp_path / "nowhere")
        with pytest.raises(WaggleError):
            identity.load_or_create(path)


@given(st.binary(max_size=400))
def test_no_bytes_are_mistaken_for_a_key(data):
    try:
        kind, key = identity._parse_key_message(data)
    except ValueError:
        return
    assert kind >= 0
    assert key in data


def test_many_makers_at_once_make_one_identity(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(lambda _: identity.load_or_create(tmp_path / "swarm.pem").peer_id, range(6))
        )
    assert len(set(made)) == 1
