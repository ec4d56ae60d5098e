"""Training, development and held-out splits."""

from __future__ import annotations

from collections import Counter

import pytest

from model_zoo.training.sources.piece import MIT, UNSTATED, Origin
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
def test_titles_of_different_works_stay_different(title: str, name: str) -> None:
    assert name_work(title) == name


def test_a_composition_has_one_split_in_all_sources() -> None:
    here, there = Origin("guitarpro", "one", UNSTATED), Origin("midi", "one", MIT)
    assert assign(here) == assign(there)


def test_splits_never_change() -> None:
    works = ["one", "fur elise", "kalinka", "oh susanna", "stille nacht", "la paloma"]
    assert [assign(Origin("midi", work, MIT)) for work in works] == [
        "train", "train", "held out", "dev", "dev", "train",
    ]  # fmt: skip


def test_shares_are_about_a_twentieth_each() -> None:
    parts = Counter(assign(Origin("midi", f"work {n}", MIT)) for n in range(4000))
    assert 150 < parts["dev"] < 250
    assert 150 < parts["held out"] < 250


def test_songs_keep_their_splits() -> None:
    """The splits of POP909's songs that earlier trainings used."""
    dev = {n for n in range(1, 801) if n not in EXCLUDED_SONGS and n % 20 == 11}
    for number in range(1, 801):
        part = assign(Origin("pop909", f"pop909 {number:03d}", MIT))
        assert part == assign_song(number)
        assert (part == "held out") == (number in EXCLUDED_SONGS)
        assert (part == "dev") == (number in dev)
