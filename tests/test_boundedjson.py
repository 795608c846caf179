from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.boundedjson import MAX_DEPTH, decode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(values)
def test_what_is_not_deep_is_decoded_as_ever(value):
    data = json.dumps(value).encode()
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        assert decode(data) == value


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_an_error_whatever_the_recursion_limit(opening):
    """In a process of its own: the failure would be a crash."""
    script = (
        "import sys; sys.setrecursionlimit(10**6); from core.boundedjson import decode\n"
        f"try: decode({opening!r} * 500_000)\n"
        "except ValueError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout == f"it is nested deeper than {MAX_DEPTH} levels\n"
