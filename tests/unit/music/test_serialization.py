"""Reading ``result.json``, which may come from anywhere."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from typing import Any

import pytest

from inference_service.errors import ScoreUnreadable
from inference_service.music import serialization
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Slip,
    Transcription,
)
from inference_service.music.placement import NotePlacement
from inference_service.music.serialization import decode_transcription, encode_transcription

RESULT = Transcription(
    duration_s=2.0,
    tuning_cents=-12.5,
    tempo_bpm=96.0,
    time_signature="3/4",
    key=Key("Eb", "minor"),
    parts=(
        Part("vocals", "Голос", (NoteEvent(0.0, 0.5, 60), NoteEvent(0.5, 2.0, 67, 127, -49.0)), 52),
        Part("drums", "Drums", (NoteEvent(0.0, 0.1, 36),), None, True),
    ),
    beats=(Beat(0.0, 1), Beat(0.625, 2)),
    chords=(ChordSegment(0.0, 2.0, "C:min7/b3", "Cm7/E♭"),),
    placements=(
        (NotePlacement(Fraction(0), Fraction(7, 24)), NotePlacement(Fraction(-1, 3), Fraction(2))),
        (),
    ),
    slips=(Slip(9.0, -0.5, 0.4),),
    models={"voice": "x@1"},
    timings_s={"tagging": 0.1},
)


def test_a_result_comes_back() -> None:
    assert decode_transcription(encode_transcription(RESULT)) == RESULT


def change(path: str, value: Any) -> bytes:
    """Return the JSON with one value changed."""
    result = json.loads(encode_transcription(RESULT))
    *places, last = [int(place) if place.isdigit() else place for place in path.split(".")]
    holder = result
    for place in places:
        holder = holder[place]
    holder[last] = value
    return json.dumps(result).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "notabot.transcription/99"),
        ("duration_s", float("nan")),
        ("duration_s", 1e300),
        ("tempo_bpm", float("inf")),
        ("tempo_bpm", -1),
        ("tuning_cents", float("nan")),
        ("key.tonic", "H"),
        ("key.tonic", "C" + "#" * 100_000),
        ("key.mode", "dorian"),
        ("time_signature", "4" * 1000),
        ("parts.0.notes.0.pitch", 128),
        ("parts.0.notes.0.pitch", -1),
        ("parts.0.notes.0.pitch", 10**100),
        ("parts.0.notes.0.velocity", 0),
        ("parts.0.notes.0.onset_s", float("nan")),
        ("parts.0.notes.1.offset_s", 1e300),
        ("parts.0.notes.1.pitch_cents", 1e300),
        ("parts.0.program", 128),
        ("parts.0.name", "x" * 1000),
        ("parts", [{"id": "x", "name": "x", "notes": []}] * 65),
        ("beats.1.time_s", 1e300),
        ("beats.1.time_s", float("-inf")),
        ("beats.1.position", -1),
        ("beats.1.position", 10**6),
        ("chords.0.end_s", float("nan")),
        ("chords.0.label", "C" * 1000),
        ("placements", [[]]),
        ("placements", [[{"start_beats": "0", "duration_beats": "1"}], []]),
        ("placements.0.0.start_beats", "1e99999999"),
        ("placements.0.0.start_beats", "1/99999999"),
        ("placements.0.0.start_beats", "1/0"),
        ("placements.0.0.start_beats", 1e300),
        ("placements.0.0.duration_beats", "-1"),
        ("timings_s.tagging", float("nan")),
        ("slips.0.from_beat", float("nan")),
        ("slips.0.beats", 1e300),
        ("slips.0.weight", 2.0),
        ("slips", [{"from_beat": 1.0, "beats": 1.0, "weight": 0.5}] * 101),
        ("corrections.bar_moves", [{"from_beat": "0", "beats": "1"}]),
        ("corrections.bar_moves", [{"from_beat": "9", "beats": "1e99"}]),
        ("corrections.time_signature", "0/0"),
        ("corrections.beat_scale", "1e99999999"),
        ("corrections.first_beat", 1e300),
        ("corrections.tempo_bpm", float("nan")),
        ("corrections.key", {"tonic": "H", "mode": "minor"}),
        ("corrections.bars", {"first": 0, "last": 10**100}),
        ("corrections.parts", [{"id": "x", "name": "x" * 10_000_000}]),
        ("corrections.parts", [{"id": f"{k:03}"} for k in range(65)]),
        ("models", {str(number): "x" for number in range(101)}),
    ],
)
def test_values_out_of_range_are_refused_in_a_line(path: str, value: Any) -> None:
    start_s = time.process_time()
    with pytest.raises(
        ScoreUnreadable, match="this is not the result of a transcription"
    ) as caught:
        decode_transcription(change(path, value))
    assert "\n" not in caught.value.cause
    assert len(caught.value.cause) < 300
    assert time.process_time() - start_s < 2.0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff", b'{"a":' * 100_000, b"null"])
def test_what_is_no_result_is_refused(data: bytes) -> None:
    with pytest.raises(ScoreUnreadable):
        decode_transcription(data)


def test_size_and_number_of_notes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "MAX_NOTES", 2)
    with pytest.raises(ScoreUnreadable, match="over 2 notes"):
        decode_transcription(encode_transcription(RESULT))
    monkeypatch.setattr(serialization, "MAX_BYTES", 100)
    with pytest.raises(ScoreUnreadable) as caught:
        decode_transcription(encode_transcription(RESULT))
    assert caught.value.params["limit_bytes"] == 100
