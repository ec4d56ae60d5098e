"""Reading MIDI: our own files round-trip, and invalid files are refused."""

from __future__ import annotations

import random
from dataclasses import replace
from io import BytesIO

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_service.errors import ScoreUnreadable
from inference_service.midi import reader
from inference_service.midi.reader import decode_performance
from inference_service.midi.writer import encode_performance, encode_score
from inference_service.music.events import Beat, ChordSegment, Key, NoteEvent, Part, Transcription
from inference_service.notation.quantize import quantize
from tests.factories import perform

TICK_S = 0.0016
"""A little more than half a tick at the slowest tempo below."""


@st.composite
def performances(draw: st.DrawFn) -> Transcription:
    """Draw up to four parts over an unsteady beat, without overlaps on a key."""
    intervals = draw(st.lists(st.floats(0.2, 1.4), min_size=1, max_size=12))
    first_s = draw(st.floats(0.0, 2.0))
    times_s = [first_s]
    for interval in intervals:
        times_s.append(times_s[-1] + interval)
    beats = tuple(Beat(t, k % 4 + 1) for k, t in enumerate(times_s))
    parts = []
    for number in range(draw(st.integers(0, 4))):
        is_drum = draw(st.booleans())
        notes = []
        for pitch in draw(st.sets(st.integers(0, 127), max_size=5)):
            now_s = draw(st.floats(0.0, 3.0))
            for _ in range(draw(st.integers(1, 3))):
                stop_s = now_s + draw(st.floats(0.01, 3.0))
                notes.append(NoteEvent(now_s, stop_s, pitch, draw(st.integers(1, 127))))
                now_s = stop_s + draw(st.floats(0.01, 1.0))
        if notes:
            program = None if is_drum else draw(st.integers(0, 127))
            parts.append(
                Part(f"part-{number}", f"Part {number}", tuple(sorted(notes)), program, is_drum)
            )
    return replace(perform({}), duration_s=20.0, beats=beats, parts=tuple(parts))


@given(performances())
@settings(max_examples=60)
def test_what_is_written_is_read_back(performance: Transcription) -> None:
    back = decode_performance(encode_performance(performance))
    assert len(back.parts) == len(performance.parts)
    for read, written in zip(back.parts, performance.parts, strict=True):
        assert (read.id, read.name, read.program, read.is_drum) == (
            written.id,
            written.name,
            written.program,
            written.is_drum,
        )
        assert len(read.notes) == len(written.notes)
        order = sorted(written.notes, key=lambda n: (n.pitch, n.onset_s))
        for got, note in zip(
            sorted(read.notes, key=lambda n: (n.pitch, n.onset_s)), order, strict=True
        ):
            assert (got.pitch, got.velocity) == (note.pitch, note.velocity)
            assert got.onset_s == pytest.approx(note.onset_s, abs=TICK_S)
            assert got.offset_s == pytest.approx(note.offset_s, abs=2 * TICK_S)


def test_beats_key_and_chords_come_back() -> None:
    performance = perform(
        {"vocals": [(k, 1, 60 + k) for k in range(14)]},
        key=Key("F#", "minor"),
        pickup_beats=2,
        chords=[(2, 6, "F#:min"), (6, 14, "C#:7")],
    )
    back = decode_performance(encode_performance(performance))
    assert back.key == Key("F#", "minor")
    assert back.time_signature == "4/4"
    assert back.tempo_bpm == pytest.approx(120)
    assert [b.position for b in back.beats[:6]] == [3, 4, 1, 2, 3, 4]
    assert [c.label for c in back.chords] == ["F#:min", "C#:7"]
    assert back.chords[0] == ChordSegment(
        pytest.approx(1.0, abs=TICK_S),  # type: ignore[arg-type]
        pytest.approx(3.0, abs=TICK_S),  # type: ignore[arg-type]
        "F#:min",
    )


def test_markers_name_chords_as_lead_sheets_or_labels_do() -> None:
    midi = mido.MidiFile(ticks_per_beat=480, charset="utf-8")
    texts = ["F♯m7♭5/A", "Bbmaj7", "E:7/3", "G#m7b5", "[A]", "Verse", "C" * 100_000, "N.C."]
    midi.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("marker", text=text, time=480 * (k > 0))
                for k, text in enumerate(texts)
            ]
            + [mido.MetaMessage("end_of_track", time=480)]
        )
    )
    labels = [chord.label for chord in decode_performance(save(midi)).chords]
    assert labels == ["F#:hdim7/b3", "Bb:maj7", "E:7/3", "G#:hdim7", "N"]


def test_a_written_score_reads_as_the_same_score() -> None:
    performance = perform(
        {"vocals": [(1, 1, 67), (2, 1.5, 72), (3.5, 0.5, 71), (4, 2, 69)]},
        time_signature="3/4",
        pickup_beats=2,
    )
    score = quantize(performance, "")
    again = quantize(decode_performance(encode_score(score)), "")
    assert again.parts[0].notes == score.parts[0].notes
    assert again.pickup_beats == score.pickup_beats


def test_a_cyrillic_name_survives() -> None:
    performance = perform({"vocals": [(0, 1, 60)]})
    part = replace(performance.parts[0], name="Флейта")
    back = decode_performance(encode_performance(replace(performance, parts=(part,))))
    assert back.parts[0].name == "Флейта"


def test_a_note_without_an_end_ends_with_its_track() -> None:
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(
        mido.MidiTrack(
            [
                mido.Message("note_on", note=60, velocity=64, time=0),
                mido.Message("note_on", note=64, velocity=64, time=480),
                mido.Message("note_off", note=64, time=480),
            ]
        )
    )
    notes = decode_performance(save(midi)).parts[0].notes
    assert [(n.pitch, n.onset_s, n.offset_s) for n in notes] == [(60, 0.0, 1.0), (64, 0.5, 1.0)]


def save(midi: mido.MidiFile) -> bytes:
    buffer = BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def test_a_file_without_notes_is_an_empty_performance() -> None:
    back = decode_performance(save(mido.MidiFile()))
    assert back.parts == ()
    assert quantize(back, "").bars()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MThd",
        b"RIFF" + bytes(100),
        b"MThd\x00\x00\x00\x06\x00\x02\x00\x01\x00\x60",
        b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\xe8\x28",  # SMPTE time
        b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x00",  # no ticks
    ],
)
def test_what_is_not_midi_is_refused(data: bytes) -> None:
    with pytest.raises(ScoreUnreadable):
        decode_performance(data)


def test_damaged_files_are_read_or_refused_but_nothing_else() -> None:
    whole = encode_performance(perform({"piano": [(k / 2, 1, 60 + k % 12) for k in range(60)]}))
    generator = random.Random(7)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 8)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            decode_performance(bytes(damaged[: generator.randint(1, len(damaged))]))
        except ScoreUnreadable:
            continue


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_NOTES", "MAX_PARTS", "MAX_QUARTERS"])
def test_absurd_files_are_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_performance(perform({"a": [(0, 9, 60), (9, 1, 62)], "b": [(0, 1, 60)]}))
    monkeypatch.setattr(reader, limit, 1)
    with pytest.raises(ScoreUnreadable):
        decode_performance(data)


def test_hours_of_silence_are_refused() -> None:
    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=1, time=0)])
    track.append(mido.Message("note_off", note=60, time=480 * 90_000))
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(track)
    with pytest.raises(ScoreUnreadable, match="lasts"):
        decode_performance(save(midi))
