"""The guard: hivemind's own decoder with its limits."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys, msgpack
from core.net import lean
assert lean.install()
from hivemind.dht.storage import DictionaryDHTValue
from hivemind.utils.serializer import MSGPackSerializer
from core.net.guard import bound_decoder
bound_decoder(MSGPackSerializer, 40_000)
data = b"\\xc0"
for _ in range(3000):
    data = msgpack.packb(msgpack.ExtType(0x40, b"\\x91" + data))
for bad in (data, data, bytes(40_001)):
    try:
        MSGPackSerializer.loads(bad)
    except ValueError as error:
        print(error)
value = DictionaryDHTValue()
value.store("a", b"x", 2e9)
again = MSGPackSerializer.loads(MSGPackSerializer.dumps((1, (2, value))))
print(again[1][1].data["a"].value)
print(getattr(sys.modules["torch"], "__file__", None))
"""


def test_deep_nesting_and_large_values_are_refused_and_others_read():
    out = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True
    )
    deep = "value is nested too deeply"
    assert out.stdout.splitlines() == [deep, deep, "value is too large", "b'x'", "None"]
