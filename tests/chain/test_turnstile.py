"""First come, first served."""

from __future__ import annotations

import threading
import time

from core.chain.turnstile import Turnstile
from tests.conftest import wait_until


def test_it_is_taken_in_the_order_of_arrival_and_by_one_at_a_time() -> None:
    turnstile = Turnstile()
    order: list[int] = []
    inside: list[int] = []

    def pass_through(number: int) -> None:
        with turnstile:
            inside.append(number)
            assert inside == [number]
            time.sleep(0.001)
            order.append(number)
            inside.remove(number)

    threads = [threading.Thread(target=pass_through, args=(n,)) for n in range(30)]
    with turnstile:
        for count, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda c=count: len(turnstile._waiting) == c, every_s=0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(30))


def test_it_is_free_again_after_an_error() -> None:
    turnstile = Turnstile()
    for _ in range(2):
        try:
            with turnstile:
                raise ValueError
        except ValueError:
            pass
    with turnstile:
        pass
