"""Write and read ``result.json``, the canonical result.

A result that is read may come from anywhere. Its size, its counts and the range of every value are
limited, so that what follows can rely on them: times within hours, MIDI pitches, plain fractions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from inference_service.errors import InvalidCorrections, ScoreUnreadable
from inference_service.music.bar_moves import MAX_MOVE_BEATS
from inference_service.music.edits import MAX_EDITS, ScoreEdit
from inference_service.music.events import SCHEMA, Key, Part, Transcription
from inference_service.music.limits import MAX_DURATION_S, MAX_NOTES, MAX_PARTS
from inference_service.music.pitch import pitch_class
from inference_service.music.placement import NotePlacement
from inference_service.music.time import MIN_BEAT_S

MAX_BYTES: Final = 16_000_000
"""Enough for :data:`~inference_service.music.limits.MAX_NOTES` with their placements."""

MAX_EDITS_BYTES: Final = 2_000_000
"""Of a file of edits: enough for :data:`~inference_service.music.edits.MAX_EDITS`."""

MAX_BEATS: Final = int(MAX_DURATION_S / MIN_BEAT_S)
MAX_CHORDS: Final = 20_000
MAX_TEXT: Final = 200
MAX_ENTRIES: Final = 100
"""Of models, stages, alternatives and slips."""

MAX_TEMPO_BPM: Final = 10_000.0
MAX_CENTS: Final = 12_800.0
"""The range of MIDI pitches."""

MAX_POSITION: Final = 1000
"""Number of a beat within its bar."""

MAX_BEAT: Final = 100_000
"""Position of a note in beats."""

T = TypeVar("T")

_ADAPTER = TypeAdapter(Transcription)
_EDITS: Final = TypeAdapter(tuple[ScoreEdit, ...])

Problems = Iterator[tuple[str, bool]]
"""What is checked, and whether it is wrong."""


def encode_transcription(transcription: Transcription) -> bytes:
    """Return a transcription as UTF-8 JSON in schema ``notabot.transcription/1``."""
    return _ADAPTER.dump_json(transcription, indent=1)


def decode_transcription(data: bytes) -> Transcription:
    """Parse the output of :func:`encode_transcription`.

    Raises
    ------
    ScoreUnreadable
        If the JSON does not follow the schema, or a value is outside the limits of this module.
    """
    if len(data) > MAX_BYTES:
        raise ScoreUnreadable(
            f"the result has {len(data)} bytes, over the limit of {MAX_BYTES}",
            size_bytes=len(data),
            limit_bytes=MAX_BYTES,
        )
    try:
        transcription = _ADAPTER.validate_json(data)
    except InvalidCorrections as error:
        raise ScoreUnreadable(
            f"this is not the result of a transcription: corrections: {error.cause}"
        ) from error
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, problem["loc"])) or "JSON"
        raise ScoreUnreadable(
            f"this is not the result of a transcription: {place}: {problem['msg']}"
        ) from error
    for what, is_wrong in _check(transcription):
        if is_wrong:
            raise ScoreUnreadable(f"this is not the result of a transcription: {what}")
    return transcription


def decode_edits(data: bytes) -> tuple[ScoreEdit, ...]:
    """Parse a file of edits: a JSON list, as in a result's corrections.

    Raises
    ------
    InvalidCorrections
        If it is none, or if there are too many edits or values outside their range.
    """
    if len(data) > MAX_EDITS_BYTES:
        raise InvalidCorrections(
            f"the edits have {len(data)} bytes, over the limit of {MAX_EDITS_BYTES}",
            correction="edits",
        )
    try:
        edits = _EDITS.validate_json(data)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, problem["loc"])) or "JSON"
        raise InvalidCorrections(
            f"these are no edits: {place}: {problem['msg']}", correction="edits"
        ) from error
    if len(edits) > MAX_EDITS:
        raise InvalidCorrections(
            f"there are {len(edits)} edits, over the {MAX_EDITS} allowed", correction="edits"
        )
    return edits


def _check(music: Transcription) -> Problems:
    yield f"schema: not {SCHEMA}", music.schema != SCHEMA
    yield "duration_s", not 0 <= music.duration_s <= MAX_DURATION_S
    yield "tuning_cents", not abs(music.tuning_cents) <= MAX_CENTS
    yield "tempo_bpm", not 0 <= music.tempo_bpm <= MAX_TEMPO_BPM
    yield "time_signature", len(music.time_signature) > MAX_TEXT
    yield "key", not _is_key(music.key)
    yield "preset", len(music.preset) > MAX_TEXT
    yield (
        "presets",
        _is_long(music.presets) or any(not 0 <= p <= 1 for p in music.presets.values()),
    )
    yield f"stray_parts: over {MAX_PARTS}", len(music.stray_parts) > MAX_PARTS
    yield "stray_parts", any(len(name) > MAX_TEXT for name in music.stray_parts)
    yield f"parts: over {MAX_PARTS}", len(music.parts) > MAX_PARTS
    note_count = sum(len(part.notes) for part in music.parts)
    yield f"parts: over {MAX_NOTES} notes", note_count > MAX_NOTES
    for number, part in enumerate(music.parts):
        yield from _check_part(part, f"parts.{number}")
    yield f"beats: over {MAX_BEATS}", len(music.beats) > MAX_BEATS
    yield from _check_each(
        "beats",
        music.beats,
        lambda beat: _is_time(beat.time_s) and 0 <= beat.position <= MAX_POSITION,
    )
    yield f"chords: over {MAX_CHORDS}", len(music.chords) > MAX_CHORDS
    yield from _check_each(
        "chords",
        music.chords,
        lambda chord: (
            _is_time(chord.start_s)
            and _is_time(chord.end_s)
            and max(len(chord.label), len(chord.text)) <= MAX_TEXT
        ),
    )
    counts = [
        0 if not placed else len(part.notes)
        for placed, part in zip(music.placements, music.parts, strict=False)
    ]
    placed_counts = [len(placed) for placed in music.placements]
    yield (
        "placements: not those of the notes",
        (len(music.placements) not in (0, len(music.parts)) or placed_counts != counts),
    )
    for number, placed in enumerate(music.placements):
        yield from _check_each(f"placements.{number}", placed, _is_placement)
    yield "alternatives", len(music.alternatives) > MAX_ENTRIES
    yield from _check_each(
        "alternatives",
        music.alternatives,
        lambda other: (
            len(other.time_signature) <= MAX_TEXT
            and 0 < other.beat_scale <= MAX_ENTRIES
            and _is_time(other.first_beat)
            and _is_key(other.key)
            and 0 <= other.probability <= 1
        ),
    )
    yield "slips", len(music.slips) > MAX_ENTRIES
    yield from _check_each(
        "slips",
        music.slips,
        lambda slip: (
            _is_time(slip.from_beat) and abs(slip.beats) <= MAX_MOVE_BEATS and 0 <= slip.weight <= 1
        ),
    )
    yield "models", _is_long(music.models) or any(len(m) > MAX_TEXT for m in music.models.values())
    yield (
        "timings_s",
        _is_long(music.timings_s) or not all(map(math.isfinite, music.timings_s.values())),
    )


def _check_part(part: Part, place: str) -> Problems:
    yield f"{place}: names", max(len(part.id), len(part.name)) > MAX_TEXT
    yield f"{place}.program", part.program is not None and not 0 <= part.program <= 127
    yield from _check_each(
        f"{place}.notes",
        part.notes,
        lambda note: (
            _is_time(note.onset_s)
            and _is_time(note.offset_s)
            and 0 <= note.pitch <= 127
            and 1 <= note.velocity <= 127
            and abs(note.pitch_cents) <= MAX_CENTS
        ),
    )


def _check_each(place: str, values: Sequence[T], is_right: Callable[[T], bool]) -> Problems:
    for number, value in enumerate(values):
        if not is_right(value):
            yield f"{place}.{number}", True
            return


def _is_time(time_s: float) -> bool:
    return abs(time_s) <= MAX_DURATION_S  # false for NaN


def _is_placement(placement: NotePlacement) -> bool:
    return abs(placement.start_beats) <= MAX_BEAT and 0 <= placement.duration_beats <= MAX_BEAT


def _is_key(key: Key) -> bool:
    try:
        pitch_class(key.tonic)
    except ValueError:
        return False
    return len(key.tonic) <= len("C##")


def _is_long(names: Mapping[str, object]) -> bool:
    return len(names) > MAX_ENTRIES or any(len(name) > MAX_TEXT for name in names)
