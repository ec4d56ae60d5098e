"""What people write about a page is understood, in English and Russian."""

from __future__ import annotations

import time

import pytest

from bot.wishes.grammar import understand
from bot.wishes.spelling import MAX_SLIPS, is_one_edit
from bot.wishes.text import MAX_CHARS, normalise
from bot.wishes.values import Wish
from tests.bot.phrases import CHAT, ENGLISH, MISSPELT, REFUSED, RUSSIAN


@pytest.mark.parametrize(
    ("phrase", "meant"), [*ENGLISH.items(), *RUSSIAN.items(), *MISSPELT.items()]
)
def test_phrases_are_understood(phrase: str, meant: Wish | list[Wish]) -> None:
    understood = understand(phrase)
    assert list(understood.wishes) == (meant if isinstance(meant, list) else [meant])
    assert understood.unknown == ()
    assert understood.is_complete


@pytest.mark.parametrize("phrase", [*REFUSED, *CHAT])
def test_everything_else_asks_for_nothing(phrase: str) -> None:
    assert not understand(phrase).is_complete


def test_a_hundred_phrases_in_each_language() -> None:
    assert len(ENGLISH) >= 100
    assert len(RUSSIAN) >= 100
    assert len(REFUSED) >= 50
    assert len(CHAT) >= 40


@pytest.mark.parametrize(
    ("word", "other", "is_one"),
    [
        ("minor", "minor", False),
        ("mnior", "minor", True),
        ("miner", "minor", True),
        ("minr", "minor", True),
        ("minorr", "minor", True),
        ("inor", "minor", True),
        ("ninor", "minor", True),
        ("mnoir", "minor", False),
        ("mino", "minora", False),
        ("miron", "minor", False),
        ("", "a", True),
    ],
)
def test_a_letter_or_two_swapped_is_one_edit(word: str, other: str, is_one: bool) -> None:
    assert is_one_edit(word, other) is is_one
    assert is_one_edit(other, word) is is_one


def test_spelling_is_corrected_only_where_it_has_one_meaning() -> None:
    assert understand("ля манор").unknown == ("ля", "манор"), "neither мажор nor минор"
    slips = "без триолй ударнх октву"
    assert len(slips.split()) - 1 > MAX_SLIPS
    assert not understand(slips).is_complete
    assert not understand("без триолй абракадабр").is_complete
    assert not understand("hapr").is_complete, "too short: harp"


def test_no_message_takes_long() -> None:
    phrases = (*ENGLISH, *RUSSIAN, *MISSPELT, *CHAT)
    words = {word for phrase in phrases for word in normalise(phrase).split()}
    for word in sorted(words):
        started_s = time.process_time()
        understand(f"{word} " * (MAX_CHARS // 2 // (len(word) + 1)))
        assert time.process_time() - started_s < 0.5, word
