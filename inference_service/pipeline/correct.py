"""Apply a reader's corrections to what was heard; no model runs.

What concerns time, keys and parts is applied here, to the performance. What concerns only how it is
written (clefs, the finest value of parts without placements, a range of bars) is left to
``notation/quantize.py``, which reads it from the performance's ``corrections``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import Corrections
from inference_service.music.events import Part, Transcription


@dataclass(frozen=True, slots=True)
class Corrected:
    """A performance with its corrections applied.

    Attributes
    ----------
    heard : Transcription
        As it was heard, with the corrections.
    performance : Transcription
        With everything but its notation put right.
    beat_scale : Fraction
        Factor of the written values.
    """

    heard: Transcription
    performance: Transcription
    beat_scale: Fraction = Fraction(1)


def correct(heard: Transcription) -> Corrected:
    """Apply the corrections of a transcription.

    Raises
    ------
    InvalidCorrections
        If they do not fit the music.
    """
    if not heard.corrections:
        return Corrected(heard, heard)
    performance = replace(heard, key=heard.corrections.key or heard.key)
    return Corrected(heard, _correct_parts(performance))


def _correct_parts(performance: Transcription) -> Transcription:
    """Name parts and their instruments, and leave parts out."""
    corrections = performance.corrections
    known = {part.id: part for part in performance.parts}
    for correction in corrections.parts:
        part = known.get(correction.id)
        if part is None:
            raise InvalidCorrections("no part has this id", correction="parts")
        if part.is_drum and (correction.program, correction.clef) != (None, None):
            raise InvalidCorrections("drums have neither clef nor program", correction="parts")
    placements = performance.placements or ((),) * len(performance.parts)
    kept = [
        (_rename(part, corrections), placed)
        for part, placed in zip(performance.parts, placements, strict=True)
        if not corrections.find_part(part.id).left_out
    ]
    if performance.parts and not kept:
        raise InvalidCorrections("no part is left", correction="parts")
    return replace(
        performance,
        parts=tuple(part for part, _ in kept),
        placements=tuple(placed for _, placed in kept) if performance.placements else (),
    )


def _rename(part: Part, corrections: Corrections) -> Part:
    correction = corrections.find_part(part.id)
    return replace(
        part,
        name=correction.name or part.name,
        program=part.program if correction.program is None else correction.program,
    )
