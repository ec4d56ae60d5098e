"""Performances and scores written as MIDI."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from typing import Any

import mido
import pytest

from inference_service.midi.reader import decode_performance
from inference_service.midi.writer import (
    DRUM_CHANNEL,
    GRACE_QUARTERS,
    TICKS_PER_QUARTER,
    encode_performance,
    encode_score,
)
from inference_service.music.events import Beat, Key, NoteEvent, Part, Transcription
from inference_service.music.score import KeyChange, Score, ScoreMark, ScoreNote, ScorePart
from tests.factories import perform


def read(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=BytesIO(data), charset="utf-8")


def absolute(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    now, messages = 0, []
    for message in track:
        now += message.time
        messages.append((now, message))
    return messages


def conductor(midi: mido.MidiFile, kind: str) -> list[tuple[int, mido.Message]]:
    return [(tick, m) for tick, m in absolute(midi.tracks[0]) if m.type == kind]


def wandering(seed: int = 3, first_s: float = 0.37) -> Transcription:
    """Return a performance with a tempo between 50 and 110 bpm and a pickup of two beats."""
    generator = random.Random(seed)
    times_s = [first_s]
    for _ in range(60):
        times_s.append(times_s[-1] + generator.uniform(0.55, 1.2))
    beats = tuple(Beat(t, (k + 2) % 4 + 1) for k, t in enumerate(times_s))
    notes = tuple(
        sorted(
            NoteEvent(t, t + generator.uniform(0.1, 2.0), generator.randint(30, 100))
            for t in (generator.uniform(0.0, times_s[-1] + 3) for _ in range(200))
        )
    )
    piano = Part("piano", "Piano", notes, 0)
    plain = perform({})
    return replace(plain, duration_s=times_s[-1], tempo_bpm=70.0, beats=beats, parts=(piano,))


def test_rendered_seconds_are_the_performances_own() -> None:
    performance = wandering()
    played, now_s = [], 0.0
    for message in read(encode_performance(performance)):
        now_s += message.time
        if message.type == "note_on":
            played.append((now_s, message.note))
    performed = sorted((n.onset_s, n.pitch) for n in performance.parts[0].notes)
    assert len(played) == len(performed)
    for (played_s, _), (onset_s, _) in zip(played, performed, strict=True):
        assert abs(played_s - onset_s) < 0.002


@pytest.mark.parametrize("first_s", [0.0, 0.04, 0.37, 1.9, 33.3])
def test_bar_lines_meet_downbeats(first_s: float) -> None:
    performance = wandering(first_s=first_s)
    midi = read(encode_performance(performance))
    changes = [
        (tick, m.numerator * TICKS_PER_QUARTER * 4 // m.denominator)
        for tick, m in conductor(midi, "time_signature")
    ]
    bar_lines: set[int] = set()
    for (tick, bar_ticks), (stop, _) in zip(changes, [*changes[1:], (10**6, 0)], strict=True):
        bar_lines.update(range(tick, stop, bar_ticks))
    seconds = tick_times(midi)
    downbeats = [b.time_s for b in performance.beats if b.position == 1]
    for time_s in downbeats:
        tick = min(bar_lines, key=lambda line: abs(seconds(line) - time_s))
        assert seconds(tick) == pytest.approx(time_s, abs=0.001)


def tick_times(midi: mido.MidiFile) -> Callable[[int], float]:
    tempos = [(tick, m.tempo) for tick, m in conductor(midi, "set_tempo")]

    def seconds(tick: int) -> float:
        total = 0.0
        for (start, tempo), (stop, _) in zip(tempos, [*tempos[1:], (10**9, 0)], strict=True):
            if start < tick:
                total += (min(tick, stop) - start) * tempo / 1e6 / midi.ticks_per_beat
        return total

    return seconds


def test_compound_metre_is_counted_in_the_signatures_own_unit() -> None:
    performance = replace(
        perform({"piano": [(0, 1, 60), (1, 1, 62)]}, bpm=60),
        time_signature="6/8",
        beats=tuple(Beat(k * 1.0, k % 2 + 1) for k in range(8)),
    )
    midi = read(encode_performance(performance))
    (_, signature) = conductor(midi, "time_signature")[0]
    assert (signature.numerator, signature.denominator) == (6, 8)
    notes = [tick for tick, m in absolute(midi.tracks[1]) if m.type == "note_on"]
    assert notes == [0, TICKS_PER_QUARTER * 3 // 2]


def test_every_pitched_part_has_a_channel_and_drums_have_the_tenth() -> None:
    notes = [(0.0, 1.0, 60)]
    performance = perform({f"p{k}": notes for k in range(15)} | {"drums": notes})
    midi = read(encode_performance(performance))
    assert midi.type == 1
    channels = [next(m.channel for m in t if m.type == "note_on") for t in midi.tracks[1:]]
    assert channels[-1] == DRUM_CHANNEL
    assert len(set(channels)) == 16
    assert not any(m.type == "program_change" for m in midi.tracks[-1])


def test_names_programs_key_and_chords_are_written() -> None:
    performance = perform(
        {"vocals": [(0, 4, 60)]},
        key=Key("Eb", "minor"),
        chords=[(0, 2, "D#:min7/b3"), (2, 4, "N")],
    )
    part = replace(performance.parts[0], name="Голос")
    midi = read(encode_performance(replace(performance, parts=(part,))))
    assert midi.tracks[1].name == "Голос"
    assert [m.program for m in midi.tracks[1] if m.type == "program_change"] == [52]
    assert [m.key for _, m in conductor(midi, "key_signature")] == ["Ebm"]
    assert [m.text for _, m in conductor(midi, "marker")] == ["E♭m7/G♭", "N.C."]


def test_a_key_with_too_many_accidentals_is_written_as_its_equal() -> None:
    midi = read(encode_performance(replace(perform({}), key=Key("D#", "major"))))
    assert [m.key for _, m in conductor(midi, "key_signature")] == ["Eb"]


def test_a_restruck_key_ends_before_it_begins_again() -> None:
    midi = read(encode_performance(perform({"piano": [(0, 4, 60), (1, 1, 60), (1, 2, 60)]})))
    events = [(t, m.type) for t, m in absolute(midi.tracks[1]) if m.type.startswith("note")]
    quarter = TICKS_PER_QUARTER
    assert events == [
        (0, "note_on"),
        (quarter, "note_off"),
        (quarter, "note_on"),
        (3 * quarter, "note_off"),
    ]


def test_a_score_is_written_on_its_grid_with_its_pickup() -> None:
    notes = (
        ScoreNote(Fraction(-1), Fraction(1), 55),
        ScoreNote(Fraction(0), Fraction(1, 3), 60),
        ScoreNote(Fraction(1, 3), Fraction(2, 3), 62),
    )
    score = Score(
        "Lied",
        90.0,
        "3/4",
        Key("G", "major"),
        (ScorePart("vocals", "Vocals", notes, 52),),
        (),
        pickup_beats=Fraction(1),
    )
    midi = read(encode_score(score))
    signatures = [(t, m.numerator) for t, m in conductor(midi, "time_signature")]
    assert signatures == [(0, 1), (TICKS_PER_QUARTER, 3)]
    onsets = [t for t, m in absolute(midi.tracks[1]) if m.type == "note_on"]
    assert onsets == [0, TICKS_PER_QUARTER, TICKS_PER_QUARTER + TICKS_PER_QUARTER // 3]
    assert midi.tracks[0].name == "Lied"
    assert mido.tempo2bpm(conductor(midi, "set_tempo")[0][1].tempo) == pytest.approx(90, abs=0.01)


def test_beats_far_apart_stay_within_midis_slowest_tempo() -> None:
    performance = replace(
        perform({"piano": [(0, 1, 60)]}), beats=(Beat(0.0, 1), Beat(70.0, 2), Beat(70.5, 3))
    )
    midi = read(encode_performance(performance))
    assert max(m.tempo for _, m in conductor(midi, "set_tempo")) < 0xFFFFFF
    seconds = tick_times(midi)
    assert any(seconds(k * TICKS_PER_QUARTER) == pytest.approx(70, abs=1e-3) for k in range(20))


def small_score(*notes: ScoreNote, **fields: Any) -> Score:
    part = ScorePart("piano", "Piano", notes, 0)
    return Score("", 120.0, "4/4", Key("C", "major"), (part,), (), **fields)


def test_swing_is_played_long_and_short_but_triplets_stay() -> None:
    half, third = Fraction(1, 2), Fraction(1, 3)
    notes = [ScoreNote(k * half, half, 60) for k in range(4)]
    notes += [ScoreNote(2 + k * third, third, 60) for k in range(3)]
    midi = read(encode_score(small_score(*notes, swing=True)))
    onsets = [t for t, m in absolute(midi.tracks[1]) if m.type == "note_on"]
    assert onsets == [0, 640, 960, 1600, 1920, 2240, 2560]


def test_grace_notes_sound_in_turn_before_their_place() -> None:
    notes = [ScoreNote(Fraction(1), Fraction(0), 59 + g, grace=g) for g in (1, 2)]
    midi = read(encode_score(small_score(*notes, ScoreNote(Fraction(1), Fraction(1), 62))))
    onsets = [(t, m.note) for t, m in absolute(midi.tracks[1]) if m.type == "note_on"]
    length = GRACE_QUARTERS * TICKS_PER_QUARTER
    assert onsets == [(960 - 2 * length, 60), (960 - length, 61), (960, 62)]


def test_changes_of_key_are_written_at_their_bars() -> None:
    score = small_score(
        ScoreNote(Fraction(0), Fraction(8), 60),
        key_changes=(KeyChange(4, Key("E", "minor")),),
    )
    keys = [(t, m.key) for t, m in conductor(read(encode_score(score)), "key_signature")]
    assert keys == [(0, "C"), (4 * TICKS_PER_QUARTER, "Em")]


def test_rehearsal_marks_are_markers_that_are_no_chords() -> None:
    score = small_score(
        ScoreNote(Fraction(0), Fraction(8), 60), marks=(ScoreMark(Fraction(4), "A"),)
    )
    written = encode_score(score)
    markers = [(t, m.text) for t, m in conductor(read(written), "marker")]
    assert markers == [(4 * TICKS_PER_QUARTER, "[A]")]
    assert decode_performance(written).chords == ()
