"""Which metre, values and bar lines a reader's corrections ask for, and which may be offered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import (
    BEAT_SCALES,
    parse_metre,
    round_first_beat,
    round_scale,
)
from inference_service.music.events import Alternative, Transcription
from inference_service.music.metre import BarGrid, TimeSignature, parse_time_signature
from inference_service.music.rebar import is_countable

_DOUBLINGS: Final = tuple(Fraction(2) ** twos for twos in range(-3, 4))
"""Factors that readers usually mean: they double and halve."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Which metre is to be written, in which values, and where a bar begins, if that is given."""

    signature: TimeSignature
    scale: Fraction
    first_beat: Fraction | None


def choose_reading(heard: Transcription, bars: BarGrid) -> Reading:
    """Return the reading that corrections ask for.

    Of another metre, what they leave open is that of its likeliest alternative, if it has any.
    """
    corrections = heard.corrections
    signature = bars.signature
    if corrections.time_signature is not None:
        signature = TimeSignature(*parse_metre(corrections.time_signature))
    compared: list[Reading] = []
    if signature != bars.signature:
        readings = (reading for _, reading in iterate_readings(heard))
        compared = [reading for reading in readings if reading.signature == signature]
    usual = compared[0].scale if compared else _usual_scale(bars.signature, signature)
    scale = corrections.beat_scale or usual
    if corrections.tempo_bpm is not None:
        scale = _nearest_scale(corrections.tempo_bpm, usual, bars, signature)
    first_beat = corrections.first_beat
    if first_beat is None:
        first_beat = next((r.first_beat for r in compared if r.scale == scale), None)
    return Reading(signature, scale, first_beat)


def list_alternatives(heard: Transcription) -> tuple[Alternative, ...]:
    """Return the alternatives of a transcription that corrections can write.

    In others, such as three beats in the time of four, all notes would be triplets or dotted: what
    was heard would have to be placed on these beats anew.
    """
    return tuple(alternative for alternative, _ in iterate_readings(heard))


def iterate_readings(heard: Transcription) -> Iterator[tuple[Alternative, Reading]]:
    """Yield the alternatives that corrections can write, and the readings that they are."""
    heard_signature = parse_time_signature(heard.time_signature)
    for other in heard.alternatives:
        with suppress(InvalidCorrections):
            reading = Reading(
                TimeSignature(*parse_metre(other.time_signature)),
                round_scale(other.beat_scale),
                round_first_beat(other.first_beat),
            )
            usual = _usual_scale(heard_signature, reading.signature)
            if not {reading.scale, reading.scale / usual}.isdisjoint(_DOUBLINGS):
                yield other, reading


def _usual_scale(heard: TimeSignature, wanted: TimeSignature) -> Fraction:
    """Return the factor of written values with which a metre is usually meant instead of another.

    Values stay where the bars then last as long, or the beats stay the same. Otherwise pulses stay
    pulses: quarters become dotted quarters in 6/8, and halves in 2/2.
    """
    is_as_long = heard.beats * wanted.unit == wanted.beats * heard.unit
    if is_as_long or heard.unit == wanted.unit:
        return Fraction(1)
    if heard.is_compound == wanted.is_compound and heard.beats != wanted.beats:
        return Fraction(1)
    return Fraction(wanted.pulse_beats * heard.unit, heard.pulse_beats * wanted.unit)


def _nearest_scale(
    tempo_bpm: float, usual: Fraction, bars: BarGrid, signature: TimeSignature
) -> Fraction:
    """Return the multiple of the usual scale whose tempo is the nearest to a given one."""
    ratio = usual * signature.unit / bars.signature.unit
    usual_bpm = bars.tempo_bpm * float(ratio) / signature.pulse_beats
    known = [
        scale
        for scale in BEAT_SCALES
        if scale / usual in _DOUBLINGS and is_countable(bars, signature, scale)
    ]
    return min(
        known or [usual],
        key=lambda scale: abs(math.log(usual_bpm * float(scale / usual) / tempo_bpm)),
    )
