"""Animal names: the original's scheme over word lists of our own."""

from __future__ import annotations

import hashlib

from core.net.names import animal_name, search
from core.net.wordlists import ADJECTIVES, ANIMALS


def test_the_scheme_is_the_originals():
    peer_id = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
    b0, b1, b2 = hashlib.md5(peer_id.encode()).digest()[:3]
    expected = f"{ADJECTIVES[b2]} {ADJECTIVES[b1]} {ANIMALS[b0]}"
    assert animal_name(peer_id) == expected
    assert animal_name(peer_id, no_spaces=True) == expected.replace(" ", "_")


def test_words_are_distinct_and_plain():
    for words in (ADJECTIVES, ANIMALS):
        assert len(words) == len(set(words)) == 256
        assert all(w.isascii() and w.isalpha() and w.islower() for w in words)


def test_search_takes_names_and_ids():
    peers = [f"QmPeer{n}" for n in range(50)]
    wanted = peers[17]
    assert wanted in search(peers, animal_name(wanted).upper())
    assert wanted in search(peers, animal_name(wanted, no_spaces=True))
    assert search(peers, "qmpeer17") == [wanted]
    assert search(peers, "  ") == []
