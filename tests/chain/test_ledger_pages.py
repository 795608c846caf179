"""Pages of the ledger: any of them, of all rounds or of those in trouble, beside a plain list."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain import ledger_pages as pages
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import LedgerRow
from core.chain.policy import Policy
from core.protocols import Receipt

MINE = ("31337:0xab", "QmMe")
FATES = st.sampled_from(["wait", "confirm", "fail", "fail vote", "put off"])


@settings(max_examples=60, deadline=None)
@given(st.lists(FATES, max_size=24), st.integers(1, 3), st.integers(0, 30), st.integers(0, 9))
def test_every_page_is_a_part_of_the_whole(
    fates: list[str], together: int, offset: int, limit: int
) -> None:
    """together: rounds that one submission carries."""
    with TemporaryDirectory() as folder:
        store = LedgerStore(Path(folder) / "node.db")
        for number, fate in enumerate(fates):
            made = store.record_round(
                LedgerRow(*MINE, number, 0, 3, 0.4, ["QmMe"]), Policy(every_rounds=together)
            )
            store.record_round(LedgerRow("other", "QmMe", number, 0, 3, 0.4))
            for row in made:
                if fate == "confirm":
                    store.confirm(row, Receipt(tx_hash="0x1", block=7))
                elif fate == "fail" or (fate == "fail vote" and row.kind == "winner"):
                    store.fail(row, "no", "No")
                elif fate == "put off":
                    store.put_off(row, "pending", 0.0, "later")
        whole = store.ask(pages.newest, *MINE, 100)
        assert [each.row.round for each in whole] == list(range(len(fates)))[::-1]
        for failed in (False, True):
            wanted = [each for each in whole if not failed or troubled(each)]
            assert store.ask(pages.count, *MINE, failed) == len(wanted)
            found = store.ask(pages.newest, *MINE, limit, failed, offset)
            assert found == wanted[offset : offset + limit]
            for number in range(-1, len(fates) + 1):
                place = store.ask(pages.place, *MINE, number, 0, failed)
                assert place == sum(each.row.round > number for each in wanted)
        store.close()


def troubled(each: pages.Round) -> bool:
    rows = [row for row in (each.reward, each.vote) if row is not None]
    return any(row.status == "failed" or (row.is_open and row.error) for row in rows)
