"""Edits of single notes and chord symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from notabot.v1 import transcription_pb2

from inference_service.errors import InvalidCorrections
from inference_service.music.edits import (
    MAX_EDITS,
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
from inference_service.server.convert.enums import by_number, protocol_name

_SPELLINGS: Final = by_number(Spelling, transcription_pb2.Spelling.Value)

_Message: TypeAlias = transcription_pb2.ScoreEdit


def decode_edits(messages: Sequence[_Message]) -> tuple[ScoreEdit, ...]:
    """Read the edits that a request sets.

    Raises
    ------
    InvalidCorrections
        If there are too many, or a value is unknown or outside its range.
    """
    if len(messages) > MAX_EDITS:
        raise _refuse(f"there are {len(messages)} edits, over the {MAX_EDITS} allowed")
    edits = []
    for number, message in enumerate(messages, start=1):
        try:
            edits.append(_decode(message))
        except InvalidCorrections as error:
            raise InvalidCorrections(
                f"edit {number}: {error.cause}", correction="edits", edit=number
            ) from None
    return tuple(edits)


def encode_edits(edits: Sequence[ScoreEdit]) -> list[_Message]:
    """Write what :func:`decode_edits` reads."""
    return [_encode(edit) for edit in edits]


def _decode(message: _Message) -> ScoreEdit:
    match message.WhichOneof("edit"):
        case "move":
            move = message.move
            return MoveNote(move.note, move.steps, move.semitones)
        case "pitch":
            pitch = message.pitch
            return SetPitch(pitch.note, pitch.pitch, _spelling(pitch.spelling))
        case "duration":
            return SetDuration(message.duration.note, round_quarters(message.duration.quarters))
        case "delete":
            return DeleteNote(message.delete.note)
        case "split":
            quarters = message.split.quarters
            return SplitNote(message.split.note, round_quarters(quarters) if quarters else None)
        case "join":
            return JoinNote(message.join.note)
        case "add":
            add = message.add
            return AddNote(
                add.part,
                add.time_s,
                round_quarters(add.quarters),
                add.pitch,
                _spelling(add.spelling),
                add.staff or None,
            )
        case "chord":
            return SetChord(message.chord.time_s, message.chord.text, message.chord.label)
        case "delete_chord":
            return DeleteChord(message.delete_chord.time_s)
        case _:
            raise _refuse("an edit of an unknown kind")


def _encode(edit: ScoreEdit) -> _Message:
    pb = transcription_pb2
    match edit:
        case MoveNote():
            move = pb.MoveNote(note=edit.note, steps=edit.steps, semitones=edit.semitones)
            return _Message(move=move)
        case SetPitch():
            pitch = pb.SetPitch(note=edit.note, pitch=edit.pitch, spelling=_name(edit.spelling))
            return _Message(pitch=pitch)
        case SetDuration():
            value = pb.SetDuration(note=edit.note, quarters=float(edit.quarters))
            return _Message(duration=value)
        case DeleteNote():
            return _Message(delete=pb.DeleteNote(note=edit.note))
        case SplitNote():
            return _Message(split=pb.SplitNote(note=edit.note, quarters=float(edit.quarters or 0)))
        case JoinNote():
            return _Message(join=pb.JoinNote(note=edit.note))
        case AddNote():
            added = pb.AddNote(
                part=edit.part,
                time_s=edit.time_s,
                quarters=float(edit.quarters),
                pitch=edit.pitch,
                spelling=_name(edit.spelling),
                staff=edit.staff,
            )
            return _Message(add=added)
        case SetChord():
            chord = pb.SetChord(time_s=edit.time_s, text=edit.text, label=edit.label)
            return _Message(chord=chord)
        case DeleteChord():
            return _Message(delete_chord=pb.DeleteChord(time_s=edit.time_s))


def _spelling(number: int) -> Spelling | None:
    if number and number not in _SPELLINGS:
        raise _refuse(f"unknown spelling {number}")
    return _SPELLINGS.get(number)


def _name(spelling: Spelling | None) -> str | None:
    return None if spelling is None else protocol_name(spelling)


def _refuse(cause: str) -> InvalidCorrections:
    return InvalidCorrections(cause, correction="edits")
