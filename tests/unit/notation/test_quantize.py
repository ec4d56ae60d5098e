"""Quantisation of performances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import pytest

from inference_service.music.events import Beat, Key, NoteEvent, Part
from inference_service.music.placement import NotePlacement
from inference_service.music.score import ScoreNote
from inference_service.notation.quantize import chord_at, quantize
from tests.factories import perform

THIRD = Fraction(1, 3)


def starts(part_notes: Iterable[ScoreNote]) -> list[Fraction]:
    return [note.start_beats for note in part_notes]


@pytest.mark.parametrize("jitter_s", [0.0, 0.012])
@pytest.mark.parametrize(
    "onsets",
    [
        [0, 1, 2, 3],
        [0, 0.5, 1, 1.5, 2, 3],
        [0, 0.75, 1, 1.5, 1.75, 2, 3.5],
        [0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 3],
        [0, 0.25, 0.5, 0.75, 1, 1.5, 2],
        [0.5, 1.5, 2.5, 3.5],
    ],
)
def test_rhythms_come_out_as_they_were_meant(onsets: list[float], jitter_s: float) -> None:
    notes = [(onset, 0.25, 60 + k) for k, onset in enumerate(onsets)]
    score = quantize(perform({"piano": notes}, bpm=90, jitter_s=jitter_s, seed=2), "")
    expected = [Fraction(onset).limit_denominator(6) for onset in onsets]
    assert starts(score.parts[0].notes) == expected


def test_a_chord_that_is_rolled_a_little_is_one_attack() -> None:
    notes = tuple(NoteEvent(1.0 + 0.008 * k, 2.0, 60 + 4 * k) for k in range(4))
    performance = replace(perform({}), parts=(Part("piano", "Piano", notes, 0),))
    written = quantize(performance, "").parts[0].notes
    assert len(written) == 4
    assert len(set(starts(written))) == 1


def test_a_fast_run_does_not_collapse() -> None:
    run = [(k / 8, 1 / 8, 60 + k) for k in range(9)]
    written = quantize(perform({"piano": run}, bpm=50, jitter_s=0.008), "").parts[0].notes
    assert starts(written) == [Fraction(k, 8) for k in range(9)]


def test_a_singer_is_written_more_simply_than_a_player() -> None:
    onsets = [0, 1.11, 2.06, 2.95]
    notes = [(onset, 0.7, 60) for onset in onsets]
    sung = quantize(perform({"vocals": notes}, bpm=100), "").parts[0].notes
    assert starts(sung) == [0, 1, 2, 3]


@pytest.mark.parametrize(("pickup", "expected"), [(1, 1), (2, 2), (3, 0)])
def test_a_short_first_bar_is_a_pickup(pickup: int, expected: int) -> None:
    notes = [(k, 1, 60 + k) for k in range(8)]
    score = quantize(perform({"vocals": notes}, pickup_beats=pickup), "")
    assert score.pickup_beats == expected
    first = score.parts[0].notes[0].start_beats
    assert first == (-pickup if expected else 4 - pickup)
    assert score.bars()[0].number == (0 if expected else 1)


def test_silence_before_the_music_is_not_written() -> None:
    performance = perform({"vocals": [(33, 1, 60), (34, 2, 62)]})
    score = quantize(performance, "")
    assert starts(score.parts[0].notes) == [1, 2]
    assert len(score.bars()) == 1


def test_bars_of_another_length_change_the_metre() -> None:
    positions = [1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4]
    beats = tuple(Beat(k * 0.5, p) for k, p in enumerate(positions))
    performance = replace(perform({"piano": [(k, 1, 60) for k in range(13)]}), beats=beats)
    bars = quantize(performance, "").bars()
    assert [b.signature.beats for b in bars] == [4, 2, 4, 4]


def test_chords_stand_on_beats_and_say_only_changes() -> None:
    performance = perform(
        {"piano": [(0, 8, 60)]},
        chords=[(0, 0.1, "N"), (0.1, 2.2, "C:maj"), (2.2, 3.9, "C:maj"), (3.9, 8, "F:maj")],
    )
    score = quantize(performance, "")
    assert [(c.start_beats, c.label) for c in score.chords] == [(0, "C:maj"), (4, "F:maj")]
    assert chord_at(score.chords, Fraction(3)) == "C:maj"
    assert chord_at((), Fraction(0)) == "N"


def test_silence_after_the_last_note_is_no_chord() -> None:
    chords = [(0, 4, "C:maj"), (4, 6, "N"), (6, 10, "F:maj"), (10, 16, "N")]
    score = quantize(perform({"piano": [(0, 4, 60), (7, 2, 65)]}, chords=chords), "")
    assert [(c.start_beats, c.label) for c in score.chords] == [
        (0, "C:maj"), (4, "N"), (6, "F:maj")
    ]  # fmt: skip


@pytest.mark.parametrize(("pitch", "graces"), [(64, [64]), (60, [])])
def test_an_ornament_on_the_pitch_of_its_note_was_heard_twice(
    pitch: int, graces: list[int]
) -> None:
    performance = perform({"piano": [(0.9, 0.1, pitch), (1, 1, 60), (2, 2, 62)]})
    place = NotePlacement(Fraction(1), Fraction(1))
    placed = (replace(place, is_ornament=True), place, replace(place, start_beats=Fraction(2)))
    notes = quantize(replace(performance, placements=(placed,)), "").parts[0].notes
    assert [note.pitch for note in notes if note.grace] == graces
    assert [note.pitch for note in notes if not note.grace] == [60, 62]


def test_notes_of_one_pitch_that_fall_together_are_one() -> None:
    notes = [(0, 1, 60), (0.02, 2, 60)]
    (note,) = quantize(perform({"piano": notes}), "").parts[0].notes
    assert note.duration_beats == 2


def test_a_key_beyond_seven_accidentals_is_respelt() -> None:
    assert quantize(perform({}, key=Key("D#", "major")), "").key == Key("Eb", "major")


def test_an_empty_transcription_is_an_empty_score() -> None:
    score = quantize(perform({"vocals": []}), "Silence")
    assert (score.title, score.stop_beats, len(score.bars())) == ("Silence", 0, 1)


def test_five_thousand_notes_are_written() -> None:
    notes = [(k * 0.12, 0.4, 21 + k * 37 % 88) for k in range(5000)]
    performance = perform({"piano": notes}, jitter_s=0.02)
    assert len(quantize(performance, "").parts[0].notes) > 4500


def test_a_first_bar_that_falls_short_is_a_pickup() -> None:
    beats = tuple(Beat(k * 0.5, p) for k, p in enumerate([1, 1, 2, 3, 4, 1, 2, 3, 4]))
    performance = replace(perform({"piano": [(k, 1, 60) for k in range(8)]}), beats=beats)
    score = quantize(performance, "")
    assert (score.pickup_beats, score.time_changes) == (1, ())


def hits(*onsets: float, bpm: float = 110.0) -> list[Fraction]:
    """Return where the drums are written that are struck at the given beats."""
    performance = perform({"drums": [(onset, 0.1, 38) for onset in onsets]}, bpm=bpm)
    return starts(quantize(performance, "").parts[0].notes)


def test_a_late_hit_in_straight_drums_is_no_triplet() -> None:
    straight = [k / 2 for k in range(16)]
    straight[5] += 0.12
    assert all(place.denominator in (1, 2) for place in hits(*straight))


def test_a_fill_of_triplets_in_straight_drums_is_written() -> None:
    straight = [k / 2 for k in range(16)]
    assert [place for place in hits(*straight, 8, 8 + 1 / 3, 8 + 2 / 3) if place.denominator == 3]


def test_a_shuffle_is_ternary_throughout() -> None:
    shuffle = [k + phase for k in range(8) for phase in (0, 2 / 3)]
    shuffle[5] -= 0.07
    assert {place % 1 for place in hits(*shuffle)} == {0, 2 * THIRD}


def test_swung_drums_are_written_even() -> None:
    ride = [(k + phase, 0.1, 51) for k in range(8) for phase in (0, 0.64)]
    performance = replace(perform({"drums": ride}), swing=True)
    written = quantize(performance, "").parts[0].notes
    assert {place % 1 for place in starts(written)} == {0, Fraction(1, 2)}


def test_a_flam_is_no_thirty_second_and_a_roll_is() -> None:
    assert all(place.denominator < 8 for place in hits(0, 1, 1.12, 2, 3, 4, 5, 6))
    roll = [2 + k / 8 for k in range(8)]
    assert hits(0, 1, *roll, 3, bpm=80.0) == [0, 1, *(2 + Fraction(k, 8) for k in range(8)), 3]
