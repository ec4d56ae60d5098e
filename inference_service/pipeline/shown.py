"""Key, metre, tempo and chord names of a piece as its pages show them, for captions and clients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.music.alternatives import find_share, is_doubtful
from inference_service.music.chord_names import write_label
from inference_service.music.chords import simplify_label
from inference_service.music.events import Alternative, Beat, ChordSegment, Key, Transcription
from inference_service.music.intonation import write_as_sung
from inference_service.music.pitch import transpose_chord_label
from inference_service.music.score import transpose_score
from inference_service.notation.arrange import VOCALS_ID
from inference_service.notation.keys import find_key_changes
from inference_service.notation.quantize import WrittenPerformance
from inference_service.notation.views import View
from inference_service.pipeline.correct import Corrected
from inference_service.pipeline.offers import Offer, PageReading, Rhythm, list_offers
from inference_service.pipeline.options import Preset, RenderOptions
from inference_service.pipeline.reading import list_alternatives
from inference_service.pipeline.slips import LocalOffer, list_local_offers


@dataclass(frozen=True, slots=True)
class Shown:
    """Facts about a piece that are shown beside its pages.

    Attributes
    ----------
    key : Key
        The key that the pages begin in, after transposition.
    untransposed_key : Key
        The same before transposition.
    time_signature : str
        The metre of the whole, which the score begins with unless its first bar departs from it.
    tempo_bpm : float
        Pulses per minute, as the metronome mark counts them: dotted notes in compound metres.
    beats : tuple of Beat
        Of the performance, as corrected.
    chords : tuple of ChordSegment
        Of the performance, with their written names, transposed and simplified as asked for. Each
        is spelt in the key in force where the chord begins.
    sung_differs : bool
        Whether any note has another written pitch as sung than as meant.
    metre_probability, key_probability : float
        Of the metre and the key shown; 1 if a correction, 0 if unknown.
    is_metre_doubtful, is_key_doubtful : bool
        Whether to say that they are not sure.
    first_beat : Fraction
        Where bar 1 begins: the number of a heard beat, from 1, or between two.
    beat_scale : Fraction
        Factor of the written values, relative to those of the uncorrected page.
    alternatives : tuple of Alternative
        Those of the result that corrections can express.
    offers : tuple of Offer
        The same as changes of the page, without its own reading.
    local_offers : tuple of LocalOffer
        Moves of bar lines from a bar on that are worth while to ask about.
    bar_count : int
        Full bars of the whole page, from which a range may be taken.
    """

    key: Key
    untransposed_key: Key
    time_signature: str
    tempo_bpm: float
    beats: tuple[Beat, ...]
    chords: tuple[ChordSegment, ...]
    sung_differs: bool
    metre_probability: float
    key_probability: float
    is_metre_doubtful: bool
    is_key_doubtful: bool
    first_beat: Fraction
    beat_scale: Fraction
    alternatives: tuple[Alternative, ...]
    offers: tuple[Offer, ...]
    local_offers: tuple[LocalOffer, ...]
    bar_count: int


def settle_view(options: RenderOptions, heard: Transcription) -> RenderOptions:
    """Return options that name the view, where its choice was left to us.

    That is the lead sheet for a song with a voice, which most people sing and strum from, and the
    full score for anything else.
    """
    if not options.choose_view:
        return options
    is_sung = any(part.id == VOCALS_ID and part.notes for part in heard.parts)
    view = View.LEAD_SHEET if heard.preset == Preset.SONG and is_sung else View.FULL
    return replace(options, view=view, choose_view=False)


def show(written: WrittenPerformance, corrected: Corrected, options: RenderOptions) -> Shown:
    """Return what is shown beside the pages of a piece.

    Parameters
    ----------
    written : WrittenPerformance
        With the pitches asked for.
    corrected : Corrected
        What it was written from, with the pitches that were meant.
    options : RenderOptions
        Only the transposition and the kind of chords are used.
    """
    heard = corrected.heard
    named = replace(written.performance, chords=name_chords(written, options))
    excerpt = written.cut(named)
    keyed = find_key_changes(transpose_score(written.score, options.transpose_semitones))
    untransposed_key = find_key_changes(written.score).key
    signature = written.score.signature
    corrections, alternatives = heard.corrections, heard.alternatives
    metre_probability = key_probability = 1.0
    if corrections.time_signature is None:
        metre_probability = find_share(
            alternatives, lambda other: other.time_signature == str(signature)
        )
    if corrections.key is None:
        key_probability = find_share(alternatives, lambda other: other.key == heard.key)
    reading = PageReading(
        Rhythm(signature, corrected.beat_scale, _number_first_beat(written, corrected)),
        untransposed_key,
        is_doubtful(metre_probability),
        is_doubtful(key_probability),
    )
    return Shown(
        key=keyed.key,
        untransposed_key=untransposed_key,
        time_signature=str(signature),
        tempo_bpm=written.score.pulse_bpm,
        beats=excerpt.beats,
        chords=excerpt.chords,
        sung_differs=_differs_as_sung(written, corrected.performance),
        metre_probability=metre_probability,
        key_probability=key_probability,
        is_metre_doubtful=reading.is_metre_doubtful,
        is_key_doubtful=reading.is_key_doubtful,
        first_beat=reading.rhythm.first_beat,
        beat_scale=corrected.beat_scale,
        alternatives=list_alternatives(heard),
        offers=list_offers(corrected, reading, options.transpose_semitones),
        local_offers=list_local_offers(corrected, written),
        bar_count=len(written.bar_lines_s) - 1,
    )


def _differs_as_sung(written: WrittenPerformance, performance: Transcription) -> bool:
    """Whether a note whose pitch is not a reader's is written differently as sung than as meant."""
    meant = [note for part in performance.parts for note in part.notes]
    sung = [note for part in write_as_sung(performance).parts for note in part.notes]
    kept = {note.id for part in written.performance.parts for note in part.notes}
    differing = {a.id for a, b in zip(meant, sung, strict=True) if a != b}
    return bool(differing & kept - written.repitched)


def name_chords(written: WrittenPerformance, options: RenderOptions) -> tuple[ChordSegment, ...]:
    """Return the chords of a performance with their written names, empty for no chord."""
    semitones = options.transpose_semitones
    keyed = find_key_changes(transpose_score(written.score, semitones))
    named = []
    chords = written.performance.chords
    for chord, start_beats in zip(chords, written.chord_starts_beats, strict=True):
        key = keyed.key_at(start_beats)
        label = transpose_chord_label(chord.label, semitones, key)
        text = write_label(simplify_label(label) if options.simple_chords else label, key)
        named.append(replace(chord, text=text))
    return tuple(named)


def _number_first_beat(written: WrittenPerformance, corrected: Corrected) -> Fraction:
    """Return the number of the heard beat at which bar 1, or else a later one, begins.

    A line before the first beat has no exact number, as the tempo there is not known. Moves from
    some bar on make no difference.
    """
    numbers = corrected.number_unmoved(written.bar_lines_s)
    return next((number for number in numbers if number >= 1), Fraction(1))
