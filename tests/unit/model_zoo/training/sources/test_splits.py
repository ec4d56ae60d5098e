"""What is trained on and what is not."""

from __future__ import annotations

from collections import Counter

import pytest

from model_zoo.training.sources.piece import MIT, NOBODY_SAYS, Origin
from model_zoo.training.sources.splits import EXCLUDED_SONGS, assign, assign_song, name_work


@pytest.mark.parametrize(
    "title",
    [
        "One", "ONE", "one (live)", "One (ver 3 by metalfan).gp5", "One [Acoustic].mid", "Óne!",
        "one_v2.gp4", "One - live", "One 2", "One ver. 12", "One (feat. Nobody)", "One ft. Nobody",
    ],
)  # fmt: skip
def test_versions_share_a_name(title: str) -> None:
    assert name_work(title) == "one"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The Entertainer", "entertainer"),
        ("Prelude No. 4", "prelude no 4"),
        ("1979", "1979"),
        ("Élégie, Op. 24", "elegie op 24"),
        ("(Untitled)", "untitled"),
        ("Калинка", "калинка"),
        ("Solo", "solo"),
    ],
)
def test_titles_keep_what_tells_them_apart(title: str, name: str) -> None:
    assert name_work(title) == name


def test_a_composition_stays_in_its_part_whatever_it_comes_from() -> None:
    here, there = Origin("guitarpro", "one", NOBODY_SAYS), Origin("midi", "one", MIT)
    assert assign(here) == assign(there)


def test_parts_are_the_same_for_ever() -> None:
    works = ["one", "fur elise", "kalinka", "oh susanna", "stille nacht", "la paloma"]
    assert [assign(Origin("midi", work, MIT)) for work in works] == [
        "train", "train", "held out", "dev", "dev", "train",
    ]  # fmt: skip


def test_shares_are_about_a_twentieth_each() -> None:
    parts = Counter(assign(Origin("midi", f"work {n}", MIT)) for n in range(4000))
    assert 150 < parts["dev"] < 250
    assert 150 < parts["held out"] < 250


def test_songs_keep_the_parts_they_had() -> None:
    """What POP909's songs were before there was this module."""
    dev = {n for n in range(1, 801) if n not in EXCLUDED_SONGS and n % 20 == 11}
    for number in range(1, 801):
        part = assign(Origin("pop909", f"pop909 {number:03d}", MIT))
        assert part == assign_song(number)
        assert (part == "held out") == (number in EXCLUDED_SONGS)
        assert (part == "dev") == (number in dev)
