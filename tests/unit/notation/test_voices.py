"""The voices of a staff."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from inference_service.music.score import ScoreNote
from inference_service.notation.voices import write_voices


def note(start: str, duration: str, pitch: int) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(duration), pitch)


def summary(notes: list[ScoreNote]) -> list[tuple[str, str, int, int]]:
    return [(str(n.start_beats), str(n.duration_beats), n.pitch, n.voice) for n in notes]


def test_short_silences_are_closed() -> None:
    line = [note("0", "3/4", 60), note("1", "1/4", 62), note("3/2", "1/4", 64), note("2", "1", 65)]
    assert summary(write_voices(line)) == [
        ("0", "1", 60, 1),
        ("1", "1/2", 62, 1),
        ("3/2", "1/2", 64, 1),
        ("2", "1", 65, 1),
    ]


def test_given_lengths_are_kept() -> None:
    for settled in (False, True):
        line = [
            replace(note("0", "3/4", 60), given=True, settled=settled),
            replace(note("1", "1/8", 62), given=True, settled=settled),
            replace(note("2", "5/4", 64), given=True, settled=settled),
            replace(note("3", "1", 65), settled=settled),
        ]
        assert summary(write_voices(line)) == [
            ("0", "3/4", 60, 1),
            ("1", "1/8", 62, 1),
            ("2", "5/4", 64, 2),
            ("3", "1", 65, 1),
        ]


def test_of_three_lengths_at_once_the_given_one_is_kept() -> None:
    chord = [note("0", "1", 60), note("0", "3/2", 64), note("0", "4", 67)]
    chord = [replace(n, settled=True, given=n.pitch == 64) for n in chord]
    lengths = {n.pitch: n.duration_beats for n in write_voices(chord)}
    assert lengths == {60: Fraction(3, 2), 64: Fraction(3, 2), 67: 4}


def test_long_silences_stay() -> None:
    line = [note("0", "1", 60), note("3", "1", 62)]
    assert [n.duration_beats for n in write_voices(line)] == [1, 1]


def test_a_small_overhang_gives_way() -> None:
    line = [note("0", "5/4", 60), note("1", "1", 62)]
    assert summary(write_voices(line)) == [("0", "1", 60, 1), ("1", "1", 62, 1)]


def test_a_held_bass_is_the_lower_voice() -> None:
    held = [note("0", "4", 48)] + [note(str(k), "1", 64 + k) for k in range(4)]
    voices = {n.pitch: (n.voice, n.duration_beats) for n in write_voices(held)}
    assert voices[48] == (2, 4)
    assert {voices[64 + k] for k in range(4)} == {(1, 1)}


def test_a_held_top_note_is_the_upper_voice() -> None:
    held = [note("0", "4", 79)] + [note(str(k), "1", 60 + k) for k in range(4)]
    voices = {n.pitch: n.voice for n in write_voices(held)}
    assert voices == {79: 1, 60: 2, 61: 2, 62: 2, 63: 2}


def test_a_pedals_blur_is_one_voice() -> None:
    arpeggio = [note(str(k), "6", 48 + 4 * k) for k in range(8)]
    written = write_voices(arpeggio)
    assert {n.voice for n in written[:-2]} == {1}
    assert {n.duration_beats for n in written[:-2]} == {1}


def test_one_voice_can_be_asked_for() -> None:
    held = [note("0", "4", 48)] + [note(str(k), "1", 64 + k) for k in range(4)]
    assert {n.voice for n in write_voices(held, voices=1)} == {1}


def test_a_beat_keeps_to_one_subdivision() -> None:
    mixed = [note("0", "1/4", 60), note("1/3", "1/3", 62), note("3/4", "1/4", 64)]
    grid = {n.start_beats.denominator for n in write_voices(mixed)}
    assert not (3 in grid and 4 in grid)


PLACES = st.builds(Fraction, st.integers(0, 60), st.sampled_from([1, 2, 3, 4, 6, 8]))
NOTES = st.lists(
    st.builds(
        ScoreNote,
        PLACES,
        st.builds(Fraction, st.integers(1, 24), st.sampled_from([1, 2, 3, 4])),
        st.integers(36, 84),
    ),
    max_size=40,
)


@given(NOTES, st.integers(1, 2))
@settings(max_examples=150)
def test_lines_never_overlap_and_keep_every_pitch(notes: list[ScoreNote], voices: int) -> None:
    written = write_voices(notes, voices=voices)
    assert {n.pitch for n in written} == {n.pitch for n in notes}
    for number in (1, 2):
        line = [n for n in written if n.voice == number]
        chords = [list(g) for _, g in groupby(line, lambda n: n.start_beats)]
        assert all(len({n.duration_beats for n in chord}) == 1 for chord in chords)
        assert all(n.duration_beats > 0 for n in line)
        for before, after in pairwise(chords):
            assert before[0].stop_beats <= after[0].start_beats


def settled(*places: tuple[float | Fraction, float | Fraction]) -> list[Fraction]:
    """Return the durations in which settled notes of one voice are written."""
    notes = [
        ScoreNote(Fraction(start), Fraction(stop) - Fraction(start), 60 + k, settled=True)
        for k, (start, stop) in enumerate(places)
    ]
    return [note.duration_beats for note in write_voices(notes, voices=1)]


def test_rests_after_settled_notes_begin_on_half_beats() -> None:
    assert settled((0, 0.25), (2, 2.75), (3.25, 4)) == [Fraction(1, 2), 1, Fraction(3, 4)]


def test_an_end_makes_no_triplet_but_keeps_to_one() -> None:
    third = Fraction(1, 3)
    assert settled((0, 2 * third), (2, 3)) == [1, 1]
    assert settled((0, third), (third, Fraction(3, 8)), (2, 3)) == [third, third, 1]


def test_a_closed_rest_does_not_reach_into_the_next_note() -> None:
    assert settled((0, Fraction(5, 8)), (0.75, 1)) == [Fraction(3, 4), Fraction(1, 4)]


def test_a_short_overlap_makes_no_second_voice_and_a_long_one_does() -> None:
    def voices(stop: float) -> set[int]:
        line = [(0.0, stop), (0.75, 1.0), (1.0, 2.0)]
        notes = [
            ScoreNote(Fraction(a), Fraction(b) - Fraction(a), 60 + k, settled=True)
            for k, (a, b) in enumerate(line)
        ]
        return {note.voice for note in write_voices(notes)}

    assert voices(1.0) == {1}
    assert voices(2.0) == {1, 2}
