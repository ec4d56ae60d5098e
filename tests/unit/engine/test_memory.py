"""The limit on decoded sound held at once."""

from __future__ import annotations

import threading
import time

import pytest

from inference_service.engine.memory import Claim, Memory
from inference_service.errors import Cancelled


def nothing() -> None:
    """Wait on."""


def give_up() -> None:
    raise Cancelled("enough")


def test_claims_are_counted_until_they_end() -> None:
    memory = Memory(100)
    with Claim(memory) as first, Claim(memory) as second:
        first.grow(60, nothing)
        second.grow(40, nothing)
        assert memory.used_bytes == 100
    assert memory.used_bytes == 0


def test_over_the_limit_a_claim_waits_until_another_ends() -> None:
    memory = Memory(100)
    grown = threading.Event()
    with Claim(memory) as older, Claim(memory) as newer:
        older.grow(60, nothing)

        def grow() -> None:
            newer.grow(60, nothing)
            grown.set()

        thread = threading.Thread(target=grow)
        thread.start()
        assert not grown.wait(0.3)
        assert memory.used_bytes == 60
        older.__exit__(None, None, None)
        assert grown.wait(5.0)
        thread.join()


def test_the_oldest_claim_never_waits() -> None:
    memory = Memory(100)
    with Claim(memory) as first, Claim(memory) as second:
        second.grow(100, nothing)
        first.grow(1000, give_up)
        assert memory.used_bytes == 1100


def test_waiting_can_be_given_up() -> None:
    memory = Memory(100)
    with Claim(memory) as first, Claim(memory) as second:
        first.grow(100, nothing)
        start_s = time.monotonic()
        with pytest.raises(Cancelled):
            second.grow(1, give_up)
        assert time.monotonic() - start_s < 5.0


def test_a_claim_that_has_ended_counts_no_more() -> None:
    memory = Memory(100)
    with Claim(memory) as claim:
        pass
    claim.grow(1000, give_up)
    assert memory.used_bytes == 0
