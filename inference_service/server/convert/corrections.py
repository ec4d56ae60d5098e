"""Corrections of a result, and its alternatives."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeVar

from notabot.v1 import transcription_pb2

from inference_service.errors import InvalidCorrections
from inference_service.music.adjustments import (
    Adjustments,
    BarShift,
    BarUnit,
    LocalShift,
    NamedKey,
)
from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import (
    MAX_NAME_CHARS,
    BarRange,
    Clef,
    Correctable,
    Corrections,
    Edit,
    Feel,
    FinestValue,
    PartCorrection,
    Triplets,
    round_bar_move,
    round_first_beat,
    round_scale,
)
from inference_service.music.events import Alternative, Key, Mode
from inference_service.pipeline.options import clean_title
from inference_service.server.convert.edits import decode_edits, encode_edits
from inference_service.server.convert.enums import by_number, protocol_name

if TYPE_CHECKING:  # they need numpy, and the server answers before that is imported
    from inference_service.pipeline.offers import Offer
    from inference_service.pipeline.slips import LocalOffer

_FINEST_VALUES: Final = by_number(FinestValue, transcription_pb2.FinestValue.Value)
_TRIPLETS: Final = by_number(Triplets, transcription_pb2.Triplets.Value)
_FEELS: Final = by_number(Feel, transcription_pb2.Feel.Value)
_CLEFS: Final = by_number(Clef, transcription_pb2.Clef.Value)
_BAR_UNITS: Final = by_number(BarUnit, transcription_pb2.BarUnit.Value)
_CORRECTABLES: Final = by_number(Correctable, transcription_pb2.Correctable.Value)

T = TypeVar("T")

_MODES: Final[dict[int, Mode]] = {
    transcription_pb2.MODE_MAJOR: "major",
    transcription_pb2.MODE_MINOR: "minor",
}


def decode_edit(message: transcription_pb2.Corrections) -> Edit:
    """Read the corrections that a request sets, and those that it takes back.

    Raises
    ------
    InvalidCorrections
        If a value is unknown or outside its range.
    """
    parts: dict[str, PartCorrection] = {}
    for part in message.parts:
        known = parts.get(part.id, PartCorrection(part.id))
        parts[part.id] = known.amended_by(_decode_part(part))
    corrections = Corrections(
        time_signature=message.time_signature or None,
        beat_scale=round_scale(message.beat_scale) if message.beat_scale else None,
        tempo_bpm=message.tempo_bpm or None,
        first_beat=round_first_beat(message.first_beat) if message.first_beat else None,
        key=_decode_key(message.key) if message.HasField("key") else None,
        finest_value=_member(_FINEST_VALUES, message.finest_value, "finest_value"),
        triplets=_member(_TRIPLETS, message.triplets, "triplets"),
        feel=_member(_FEELS, message.feel, "feel"),
        parts=tuple(parts[name] for name in sorted(parts)),
        bars=(
            BarRange(message.bars.first, message.bars.last) if message.HasField("bars") else None
        ),
        edits=decode_edits(message.edits),
        bar_moves=_decode_moves(message.bar_moves),
    )
    taken_back = (_member(_CORRECTABLES, number, "as_heard") for number in message.as_heard)
    return Edit(corrections, frozenset(field for field in taken_back if field is not None))


def encode_edit(edit: Edit) -> transcription_pb2.Corrections:
    """Write what :func:`decode_edit` reads."""
    message = encode_corrections(edit.corrections)
    message.as_heard.extend(protocol_name(field) for field in sorted(edit.as_heard))
    return message


def encode_corrections(corrections: Corrections) -> transcription_pb2.Corrections:
    """Write all corrections of a result."""
    key, bars = corrections.key, corrections.bars
    return transcription_pb2.Corrections(
        time_signature=corrections.time_signature,
        beat_scale=_number(corrections.beat_scale),
        tempo_bpm=corrections.tempo_bpm,
        first_beat=_number(corrections.first_beat),
        key=None if key is None else encode_key(key),
        finest_value=_name(corrections.finest_value),
        triplets=_name(corrections.triplets),
        feel=_name(corrections.feel),
        parts=[
            transcription_pb2.PartCorrection(
                id=part.id,
                left_out=part.left_out,
                name=part.name,
                program=part.program,
                clef=_name(part.clef),
            )
            for part in corrections.parts
        ],
        bars=None if bars is None else transcription_pb2.BarRange(first=bars.first, last=bars.last),
        edits=encode_edits(corrections.edits),
        bar_moves=[
            transcription_pb2.BarMove(from_beat=float(move.from_beat), beats=float(move.beats))
            for move in corrections.bar_moves
        ],
    )


def decode_adjustments(message: transcription_pb2.Adjustments) -> Adjustments:
    """Read corrections in terms of a page.

    Raises
    ------
    InvalidCorrections
        If a value is unknown or outside its range.
    """
    return Adjustments(
        rescale=message.rescale or None,
        bar_shift=_decode_shift(message.bar_shift) if message.HasField("bar_shift") else None,
        key=decode_named_key(message.key) if message.HasField("key") else None,
        local_shifts=tuple(
            LocalShift(local.from_bar, _decode_shift(local.shift)) for local in message.local_shifts
        ),
    )


def encode_adjustments(adjustments: Adjustments) -> transcription_pb2.Adjustments:
    """Write what :func:`decode_adjustments` reads."""
    return transcription_pb2.Adjustments(
        rescale=adjustments.rescale,
        bar_shift=None if adjustments.bar_shift is None else _encode_shift(adjustments.bar_shift),
        key=None if adjustments.key is None else encode_named_key(adjustments.key),
        local_shifts=map(_encode_local_shift, adjustments.local_shifts),
    )


def decode_named_key(message: transcription_pb2.NamedKey) -> NamedKey:
    """Read what a reader says of a key.

    Raises
    ------
    InvalidCorrections
        If it is none.
    """
    mode = _decode_mode(message.mode) if message.HasField("mode") else None
    return NamedKey(message.tonic or None, mode)


def encode_named_key(key: NamedKey) -> transcription_pb2.NamedKey:
    """Write what :func:`decode_named_key` reads."""
    mode = None if key.mode is None else f"MODE_{key.mode.upper()}"
    return transcription_pb2.NamedKey(tonic=key.tonic, mode=mode)


def encode_offer(offer: Offer) -> transcription_pb2.Offer:
    """Write a reading that may be chosen instead of the page's."""
    return transcription_pb2.Offer(
        corrections=encode_corrections(offer.corrections),
        time_signature=offer.time_signature,
        rescale=float(offer.rescale),
        bar_shift=None if offer.bar_shift is None else _encode_shift(offer.bar_shift),
        tempo_bpm=offer.tempo_bpm,
        key=None if offer.key is None else encode_key(offer.key),
        probability=offer.probability,
    )


def encode_local_offer(offer: LocalOffer) -> transcription_pb2.LocalOffer:
    """Write a move of bar lines that is worth while to ask about."""
    return transcription_pb2.LocalOffer(shift=_encode_local_shift(offer.shift), weight=offer.weight)


def encode_alternative(alternative: Alternative) -> transcription_pb2.Alternative:
    """Write a reading that was compared."""
    return transcription_pb2.Alternative(
        time_signature=alternative.time_signature,
        beat_scale=alternative.beat_scale,
        first_beat=alternative.first_beat,
        key=encode_key(alternative.key),
        probability=alternative.probability,
    )


def encode_key(key: Key) -> transcription_pb2.Key:
    """Write a key."""
    return transcription_pb2.Key(tonic=key.tonic, mode=f"MODE_{key.mode.upper()}")


def _decode_key(message: transcription_pb2.Key) -> Key:
    return Key(message.tonic, _decode_mode(message.mode))


def _decode_mode(number: int) -> Mode:
    mode = _MODES.get(number)
    if mode is None:
        raise InvalidCorrections(f"unknown mode {number}", correction="key")
    return mode


def _decode_moves(
    messages: Iterable[transcription_pb2.BarMove],
) -> tuple[BarMove, ...]:
    """Read moves of bar lines; of several from the same beat, the last one."""
    moves = (round_bar_move(message.from_beat, message.beats) for message in messages)
    return tuple(sorted({move.from_beat: move for move in moves}.values()))


def _decode_shift(message: transcription_pb2.BarShift) -> BarShift:
    unit = _BAR_UNITS.get(message.unit)
    if unit is None:
        raise InvalidCorrections(f"unknown unit {message.unit}", correction="bar_shift")
    return BarShift(message.count, unit)


def _encode_shift(shift: BarShift) -> transcription_pb2.BarShift:
    return transcription_pb2.BarShift(count=shift.count, unit=protocol_name(shift.unit))


def _encode_local_shift(local: LocalShift) -> transcription_pb2.LocalShift:
    return transcription_pb2.LocalShift(from_bar=local.from_bar, shift=_encode_shift(local.shift))


def _decode_part(message: transcription_pb2.PartCorrection) -> PartCorrection:
    if len(message.name) > MAX_NAME_CHARS:
        raise InvalidCorrections(
            f"a part's name has {len(message.name)} characters", correction="parts"
        )
    return PartCorrection(
        message.id,
        left_out=message.left_out if message.HasField("left_out") else None,
        name=clean_title(message.name) or None,
        program=message.program if message.HasField("program") else None,
        clef=_member(_CLEFS, message.clef, "parts"),
    )


def _member(members: dict[int, T], number: int, correction: str) -> T | None:
    if number and number not in members:
        raise InvalidCorrections(f"unknown value {number}", correction=correction)
    return members.get(number)


def _name(member: Enum | None) -> str | None:
    return None if member is None else protocol_name(member)


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
