"""Edits of single notes and chords as values."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from pydantic import TypeAdapter

from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import Corrections
from inference_service.music.edits import (
    AddNote,
    DeleteChord,
    DeleteNote,
    JoinNote,
    MoveNote,
    ScoreEdit,
    SetChord,
    SetDuration,
    SetPitch,
    Spelling,
    SplitNote,
    round_quarters,
)
from inference_service.music.serialization import MAX_EDITS_BYTES, decode_edits

EVERY: tuple[ScoreEdit, ...] = (
    MoveNote("vocals:1", steps=-2),
    MoveNote("vocals:1", semitones=12),
    SetPitch("vocals:1", 61, Spelling.LOWERED),
    SetDuration("vocals:1", Fraction(1, 3)),
    DeleteNote("vocals:1"),
    SplitNote("vocals:1/1"),
    SplitNote("vocals:1", Fraction(3, 2)),
    JoinNote("vocals:1"),
    AddNote("piano", 1.5, Fraction(1, 4), 60, staff=2),
    SetChord(2.0, text="F♯m7/E"),
    SetChord(2.0, label="N"),
    DeleteChord(4.0),
)


def test_edits_are_read_as_they_were_written() -> None:
    corrections = TypeAdapter(Corrections)
    written = corrections.dump_json(Corrections(edits=EVERY))
    assert corrections.validate_json(written).edits == EVERY
    assert decode_edits(TypeAdapter(tuple[ScoreEdit, ...]).dump_json(EVERY)) == EVERY


def test_a_file_may_give_values_as_numbers() -> None:
    (edit,) = decode_edits(b'[{"kind": "duration", "note": "a:0", "quarters": 0.3333333}]')
    assert edit == SetDuration("a:0", Fraction(1, 3))


@pytest.mark.parametrize(
    "build",
    [
        lambda: MoveNote("vocals:1"),
        lambda: MoveNote("vocals:1", 1, 1),
        lambda: MoveNote("vocals:1", steps=15),
        lambda: MoveNote("vocals:1", semitones=-37),
        lambda: MoveNote("", 1),
        lambda: DeleteNote("x" * 241),
        lambda: SetPitch("vocals:1", 128),
        lambda: SetPitch("vocals:1", -1),
        lambda: SetDuration("vocals:1", Fraction(0)),
        lambda: SetDuration("vocals:1", Fraction(129)),
        lambda: SetDuration("vocals:1", Fraction(1, 193)),
        lambda: SetDuration("vocals:1", round_quarters(math.nan)),
        lambda: SetDuration("vocals:1", round_quarters(1e300)),
        lambda: SplitNote("vocals:1", Fraction(-1)),
        lambda: AddNote("piano", math.inf, Fraction(1), 60),
        lambda: AddNote("piano", 1.0, Fraction(1), 60, staff=3),
        lambda: SetChord(0.0),
        lambda: SetChord(0.0, text="G", label="G:maj"),
        lambda: SetChord(0.0, text="G" * 65),
        lambda: SetChord(math.nan, text="G"),
        lambda: DeleteChord(1e9),
    ],
)
def test_values_out_of_range_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(InvalidCorrections) as raised:
        build()
    assert raised.value.params["correction"] == "edits"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"kind": "explode", "note": "a:0"}]',
        b'[{"kind": "delete"}]',
        b'[{"kind": "split", "note": "a:0", "quarters": "1e999999999"}]',
        b'[{"kind": "pitch", "note": "a:0", "pitch": 1e99}]',
        b'[{"kind": "delete", "note": "a:0"}'
        + b', {"kind": "delete", "note": "a:0"}' * 2000
        + b"]",
        b" " * (MAX_EDITS_BYTES + 1),
    ],
    ids=["nothing", "no list", "number", "kind", "field", "fraction", "pitch", "many", "large"],
)
def test_files_that_are_no_edits_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidCorrections):
        decode_edits(data)
