"""Chord charts: their bars, their notes, and their MusicXML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import pytest

from inference_service.music.events import Key
from inference_service.music.score import Score, ScoreMark
from inference_service.notation.chart import build_chart, chart_bars, encode_chart
from inference_service.notation.quantize import quantize
from tests.factories import perform
from tests.unit.notation.test_musicxml import validate


def chart(chords: Sequence[tuple[float, float, str]], beats: int = 16, **options: Any) -> Score:
    notes = [(float(k), 1.0, 60) for k in range(beats)]
    return build_chart(quantize(perform({"piano": notes}, chords=chords, **options), "Title"))


def read(score: Score) -> list[str]:
    """Return the bars as text: names with their positions, % for a repeated bar."""
    return [
        "%" if bar.repeats else " ".join(f"{label}@{place}" for place, label in bar.chords)
        for bar in chart_bars(score)
    ]


def test_a_chord_that_goes_on_is_repeated() -> None:
    chords = [(0, 8, "C:maj"), (8, 10, "F:maj"), (10, 16, "G:7")]
    assert read(chart(chords)) == ["C:maj@0", "%", "F:maj@0 G:7@2", "G:7@0"]


def test_a_bar_like_the_one_before_is_a_repetition() -> None:
    chords = [(2 * k, 2 * k + 2, "C:maj" if k % 2 else "A:min") for k in range(8)]
    assert read(chart(chords)) == ["A:min@0 C:maj@2", "%", "%", "%"]


def test_what_precedes_the_first_chord_has_none() -> None:
    assert read(chart([(4, 8, "C:maj")], 8)) == ["N@0", "C:maj@0"]


@pytest.mark.parametrize("chords", [[], [(0, 16, "N")], [(0, 16, "X")]])
def test_no_chords_at_all_are_one_bar(chords: list[tuple[float, float, str]]) -> None:
    score = chart(chords)
    assert read(score) == ["N@0"]
    assert score.parts[0].notes == ()
    validate(encode_chart(score))


def test_a_pickup_is_shown_where_it_has_a_chord() -> None:
    bars = {"time_signature": "3/4", "pickup_beats": 1}
    with_chord = chart_bars(chart([(0, 1, "G:7"), (1, 7, "C:maj")], 7, **bars))
    without = chart_bars(chart([(1, 7, "C:maj")], 7, **bars))
    assert [b.bar.number for b in with_chord] == [0, 1, 2]
    assert [b.bar.number for b in without] == [1, 2]


def test_chords_are_struck_in_every_bar_over_their_bass() -> None:
    score = chart([(0, 8, "C:maj/3"), (8, 12, "A:min7")], 12)
    struck: dict[Fraction, set[int]] = {}
    for note in score.parts[0].notes:
        struck.setdefault(note.start_beats, set()).add(note.pitch)
    assert sorted(struck) == [0, 4, 8]
    assert min(struck[Fraction(0)]) % 12 == 4
    assert {p % 12 for p in struck[Fraction(0)]} == {0, 4, 7}
    assert min(struck[Fraction(8)]) % 12 == 9
    assert {p % 12 for p in struck[Fraction(8)]} == {9, 0, 4, 7}


@pytest.mark.parametrize("signature", ["2/4", "3/4", "4/4", "5/4", "6/8", "7/8", "12/8"])
def test_its_music_is_slashes_with_symbols(signature: str) -> None:
    score = chart(
        [(0, 2, "G:7"), (2, 9, "C:min7/b3"), (9, 30, "F#:hdim7")],
        30,
        time_signature=signature,
        key=Key("Eb", "major"),
        pickup_beats=1,
    )
    musicxml = encode_chart(score)
    validate(musicxml)
    root = ElementTree.fromstring(musicxml)
    notes = [note for note in root.iter("note") if note.find("rest") is None]
    assert {note.findtext("notehead") for note in notes} == {"slash"}
    assert {note.findtext("stem") for note in notes} == {"none"}
    assert len(root.findall(".//measure")) == len(score.bars())
    assert [h.findtext("kind") for h in root.iter("harmony")] == [
        "dominant",
        "minor-seventh",
        "half-diminished",
    ]


def test_the_chord_under_a_mark_is_written_again() -> None:
    marked = replace(chart([(0, 16, "C:maj")]), marks=(ScoreMark(Fraction(8), "B"),))
    assert read(marked) == ["C:maj@0", "%", "C:maj@0", "%"]
    assert [bar.mark for bar in chart_bars(marked)] == ["", "", "B", ""]
    assert b"<rehearsal" in encode_chart(marked)
