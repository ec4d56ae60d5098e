"""Analysis of a piece for its continuation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from inference_service.continuation.analysis import analyse, find_phrase_ends, name_cadence
from inference_service.continuation.chords import estimate_chords
from inference_service.errors import NothingToContinue
from inference_service.music.events import Key
from inference_service.music.score import KeyChange, ScoreNote
from tests.unit.continuation.songs import LOOP, build_song, keep_parts, sing

SONG = build_song()


def test_a_song_is_read() -> None:
    analysis = analyse(SONG, sing(SONG))
    assert analysis.degrees == ("I", "vi", "IV", "V") * 2
    assert find_phrase_ends(analysis.slots, analysis.melody) == [3, 7]
    assert analysis.bars_into_phrase == 0
    assert (analysis.low, analysis.high) == (65, 72)
    assert analysis.notes_per_bar == pytest.approx(3.5)
    assert analysis.changes_per_bar == 1.0
    assert analysis.statistics.onsets[0] == pytest.approx(8 / 28)


def test_phrases_are_counted_from_where_the_melody_rests() -> None:
    song = build_song(6)
    assert analyse(song, sing(song)).bars_into_phrase == 2


@pytest.mark.parametrize(
    ("slots", "key", "kind"),
    [
        ([("V",), ("I",)], Key("C", "major"), "authentic"),
        ([("IV",), ("I",)], Key("C", "major"), "plagal"),
        ([("V",), ("vi",)], Key("C", "major"), "deceptive"),
        ([("I",), ("ii", "V")], Key("C", "major"), "half"),
        ([("III",), ("vi",)], Key("A", "minor"), "authentic"),
        ([("I",), ("IV",)], Key("C", "major"), "none"),
    ],
)
def test_cadences_have_names(slots: list[tuple[str, ...]], key: Key, kind: str) -> None:
    assert name_cadence(slots, 1, key) == kind


def test_the_key_at_the_end_counts() -> None:
    song = replace(SONG, key_changes=(KeyChange(16, Key("F", "major")),))
    analysis = analyse(song, sing(song))
    assert analysis.key == Key("F", "major")
    assert analysis.degrees[-2:] == ("I", "II")


def test_chords_are_found_where_none_are_written() -> None:
    song = keep_parts(SONG, "piano", "bass")
    chords = estimate_chords(song)
    assert [chord.label for chord in chords[:4]] == [label for label, _ in LOOP]
    assert [chord.start_beats for chord in chords[:4]] == [0, 4, 8, 12]
    assert estimate_chords(SONG) == SONG.chords, "written ones are believed"


def test_a_minor_key_has_its_relative_s_degrees() -> None:
    song = replace(SONG, key=Key("A", "minor"))
    analysis = analyse(song, sing(song))
    assert analysis.degrees[:2] == ("I", "vi")


def test_too_little_is_refused() -> None:
    note = ScoreNote(Fraction(0), Fraction(1), 60)
    one = replace(SONG, parts=(replace(SONG.parts[0], notes=(note,)),))
    with pytest.raises(NothingToContinue, match="1 notes"):
        analyse(one, (note,))
    with pytest.raises(NothingToContinue):
        analyse(keep_parts(SONG, "drums"), ())
