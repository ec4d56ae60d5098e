"""Conversion of edits to their protobuf messages and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from notabot.v1 import transcription_pb2

from bot.client.edits import EditKind, ScoreEdit, Spelling
from bot.errors import ServiceError

_PREFIX: Final = "SPELLING_"
_INVALID: Final = "INVALID_CORRECTIONS"
_NAMES: Final = tuple(field.name for field in fields(ScoreEdit) if field.name != "kind")


def list_fields(kind: EditKind) -> tuple[str, ...]:
    """Return the fields that edits of a kind have."""
    described = transcription_pb2.ScoreEdit.DESCRIPTOR.fields_by_name[kind].message_type
    assert described is not None
    return tuple(name for name in _NAMES if name in described.fields_by_name)


def encode_edit(edit: ScoreEdit) -> transcription_pb2.ScoreEdit:
    """Write an edit.

    Raises
    ------
    ServiceError
        ``INVALID_CORRECTIONS``, as from the service, if a value does not fit its field.
    """
    message = transcription_pb2.ScoreEdit()
    part: Any = getattr(message, edit.kind)
    part.SetInParent()
    try:
        for name in list_fields(edit.kind):
            value = getattr(edit, name)
            if isinstance(value, Spelling):
                value = transcription_pb2.Spelling.Value(f"{_PREFIX}{value.name}")
            if value is not None:
                setattr(part, name, value)
    except ValueError as error:  # a number out of range, or no text
        raise ServiceError(_INVALID, {"correction": "edits"}) from error
    return message


def decode_edit(message: transcription_pb2.ScoreEdit) -> ScoreEdit | None:
    """Read an edit; None if it is of a kind that is not known here."""
    kind = message.WhichOneof("edit")
    if kind not in set(EditKind):
        return None
    part = getattr(message, kind)
    values = {name: getattr(part, name) for name in list_fields(EditKind(kind))}
    if "spelling" in values:
        name = transcription_pb2.Spelling.Name(values["spelling"]).removeprefix(_PREFIX)
        values["spelling"] = Spelling.__members__.get(name)
    return ScoreEdit(EditKind(kind), **values)
