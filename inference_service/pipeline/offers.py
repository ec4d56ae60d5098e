"""Other readings of a page that a reader may choose, in terms of the page as it is shown.

Alternatives are in terms of the uncorrected result, and what they change depends on what has been
corrected since. An offer says how a reading differs from the page, and which corrections write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.music.adjustments import BarShift, express_shift
from inference_service.music.corrections import Corrections, round_first_beat
from inference_service.music.events import Key
from inference_service.music.metre import TimeSignature, align
from inference_service.music.pitch import transpose_key
from inference_service.pipeline.correct import Corrected
from inference_service.pipeline.reading import iterate_readings


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A metre, the factor of the written values, and the heard beat at which bar 1 begins."""

    signature: TimeSignature
    scale: Fraction
    first_beat: Fraction


@dataclass(frozen=True, slots=True)
class PageReading:
    """How a page is read.

    Attributes
    ----------
    rhythm : Rhythm
    key : Key
        Before transposition.
    is_metre_doubtful, is_key_doubtful : bool
        Whether another one is nearly as probable.
    """

    rhythm: Rhythm
    key: Key
    is_metre_doubtful: bool
    is_key_doubtful: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """Another reading.

    Attributes
    ----------
    corrections : Corrections
        That turn the page into it.
    time_signature : str or None
        The metre, if it is another one.
    rescale : Fraction
        Factor of the page's values.
    bar_shift : BarShift or None
        How bar lines move, in the same metre and values.
    tempo_bpm : float
        In pulses per minute.
    key : Key or None
        The key, if it is another one, transposed as the page.
    probability : float
        As of the alternative.
    """

    corrections: Corrections
    time_signature: str | None
    rescale: Fraction
    bar_shift: BarShift | None
    tempo_bpm: float
    key: Key | None
    probability: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    rhythm: Rhythm
    key: Key
    probability: float


def list_offers(corrected: Corrected, page: PageReading, semitones: int) -> tuple[Offer, ...]:
    """Return the readings that differ from the page, the likeliest first.

    What the reader has corrected stays as it is. Where only the key is in doubt, readings of the
    page's rhythm come first; where only the metre is, readings in its key.

    Parameters
    ----------
    corrected : Corrected
    page : PageReading
    semitones : int
        Transposition of the page.
    """
    compared = [
        _Candidate(
            Rhythm(reading.signature, reading.scale, round_first_beat(other.first_beat)),
            other.key,
            other.probability,
        )
        for other, reading in iterate_readings(corrected.heard)
    ]
    kept = [_keep_corrected(other, corrected.heard.corrections, page) for other in compared]
    offers = [_describe(other, corrected, page, compared, semitones) for other in kept]
    found = [offer for offer in offers if offer is not None]
    if page.is_metre_doubtful is not page.is_key_doubtful:
        wants_rhythm = page.is_metre_doubtful
        found.sort(key=lambda offer: _changes_rhythm(offer) is not wants_rhythm)
    return tuple(found)


def _changes_rhythm(offer: Offer) -> bool:
    is_same_bars = offer.time_signature is None and offer.bar_shift is None
    return offer.rescale != 1 or not is_same_bars


def _keep_corrected(other: _Candidate, corrections: Corrections, page: PageReading) -> _Candidate:
    """Return a reading with the rhythm or the key of the page, if it is against corrections."""
    rhythm, key = other.rhythm, other.key
    is_other_metre = rhythm.signature != page.rhythm.signature
    is_scaled = (corrections.beat_scale, corrections.tempo_bpm) != (None, None)
    is_against = (
        (corrections.time_signature is not None and is_other_metre)
        or (is_scaled and rhythm.scale != page.rhythm.scale)
        or (corrections.first_beat is not None and not is_other_metre)
    )
    return replace(
        other,
        rhythm=page.rhythm if is_against else rhythm,
        key=key if corrections.key is None else page.key,
    )


def _describe(
    other: _Candidate,
    corrected: Corrected,
    page: PageReading,
    compared: Sequence[_Candidate],
    semitones: int,
) -> Offer | None:
    """Return how a reading differs from the page; None if it does not.

    With a metre alone, the values and bar lines are those of its likeliest reading.
    """
    rhythm, shown = other.rhythm, page.rhythm
    rescale = rhythm.scale / shown.scale
    is_other_metre = rhythm.signature != shown.signature
    bar_shift = None
    if not is_other_metre and rescale == 1:
        bar_shift = _find_shift(rhythm, corrected, page)
    edit = Corrections()
    if is_other_metre or rescale != 1 or bar_shift is not None:
        edit = Corrections(time_signature=str(rhythm.signature))
        if not (is_other_metre and _is_usual(rhythm, corrected.heard.corrections, compared)):
            edit = replace(edit, beat_scale=rhythm.scale, first_beat=rhythm.first_beat)
    is_other_key = other.key != page.key
    if is_other_key:
        edit = replace(edit, key=other.key)
    if not edit:
        return None
    bars = align(corrected.heard)
    beats_per_minute = bars.tempo_bpm * float(
        rhythm.scale * rhythm.signature.unit / bars.signature.unit
    )
    return Offer(
        corrections=edit,
        time_signature=str(rhythm.signature) if is_other_metre else None,
        rescale=rescale,
        bar_shift=bar_shift,
        tempo_bpm=beats_per_minute / rhythm.signature.pulse_beats,
        key=transpose_key(other.key, semitones) if is_other_key else None,
        probability=other.probability,
    )


def _find_shift(rhythm: Rhythm, corrected: Corrected, page: PageReading) -> BarShift | None:
    """Return how the page's bar lines move, the shorter way round the bar; None if they stay."""
    signature = page.rhythm.signature
    bar = signature.beats * signature.beat_quarters
    moved = (rhythm.first_beat - page.rhythm.first_beat) * corrected.heard_beat_quarters
    shift = (moved + bar / 2) % bar - bar / 2
    return express_shift(shift, signature) if shift else None


def _is_usual(rhythm: Rhythm, corrections: Corrections, compared: Sequence[_Candidate]) -> bool:
    """Whether a reading is what its metre alone stands for, if nothing else is corrected."""
    set_now = (corrections.beat_scale, corrections.tempo_bpm, corrections.first_beat)
    if set_now != (None, None, None):
        return False
    return rhythm == next(
        other.rhythm for other in compared if other.rhythm.signature == rhythm.signature
    )
