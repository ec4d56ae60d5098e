"""What people write about a page is understood, in English and Russian."""

from __future__ import annotations

import time

import pytest

from bot.wishes.grammar import understand
from bot.wishes.text import MAX_CHARS, normalise
from bot.wishes.values import Wish
from tests.bot.phrases import ENGLISH, REFUSED, RUSSIAN


@pytest.mark.parametrize(("phrase", "meant"), [*ENGLISH.items(), *RUSSIAN.items()])
def test_phrases_are_understood(phrase: str, meant: Wish | list[Wish]) -> None:
    understood = understand(phrase)
    assert list(understood.wishes) == (meant if isinstance(meant, list) else [meant])
    assert understood.unknown == ()
    assert understood.is_complete


@pytest.mark.parametrize("phrase", REFUSED)
def test_everything_else_asks_for_nothing(phrase: str) -> None:
    assert not understand(phrase).is_complete


def test_a_hundred_phrases_in_each_language() -> None:
    assert len(ENGLISH) >= 100
    assert len(RUSSIAN) >= 100
    assert len(REFUSED) >= 50


def test_no_message_takes_long() -> None:
    words = {word for phrase in (*ENGLISH, *RUSSIAN) for word in normalise(phrase).split()}
    for word in sorted(words):
        started_s = time.process_time()
        understand(f"{word} " * (MAX_CHARS // 2 // (len(word) + 1)))
        assert time.process_time() - started_s < 0.5, word
