"""Key, metre, tempo and chord names of a piece as its pages show them, for captions and clients."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inference_service.music.chord_names import write_label
from inference_service.music.chords import simplify_label
from inference_service.music.events import ChordSegment, Key, Transcription
from inference_service.music.intonation import write_as_sung
from inference_service.music.pitch import transpose_chord_label
from inference_service.music.score import transpose_score
from inference_service.notation.arrange import VOCALS_ID
from inference_service.notation.keys import find_key_changes
from inference_service.notation.quantize import WrittenPerformance
from inference_service.notation.views import View
from inference_service.pipeline.options import Preset, RenderOptions


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
    chord_texts : tuple of str
        The written name of each chord of the performance, transposed and simplified as asked for;
        empty for no chord. Each is spelt in the key in force where the chord begins.
    sung_differs : bool
        Whether any note has another written pitch as sung than as meant.
    """

    key: Key
    untransposed_key: Key
    time_signature: str
    tempo_bpm: float
    chord_texts: tuple[str, ...]
    sung_differs: bool

    def name(self, chords: tuple[ChordSegment, ...]) -> tuple[ChordSegment, ...]:
        """Return the performance's chords with their texts."""
        return tuple(
            ChordSegment(chord.start_s, chord.end_s, chord.label, text)
            for chord, text in zip(chords, self.chord_texts, strict=True)
        )


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


def show(written: WrittenPerformance, heard: Transcription, options: RenderOptions) -> Shown:
    """Return what is shown beside the pages of a piece.

    Parameters
    ----------
    written : WrittenPerformance
        With the pitches asked for.
    heard : Transcription
        The performance, with the pitches that were meant.
    options : RenderOptions
        Only the transposition and the kind of chords are used.
    """
    semitones = options.transpose_semitones
    score = transpose_score(written.score, semitones)
    keyed = find_key_changes(score)
    texts = []
    for chord, start_beats in zip(heard.chords, written.chord_starts_beats, strict=True):
        key = keyed.key_at(start_beats)
        label = transpose_chord_label(chord.label, semitones, key)
        texts.append(write_label(simplify_label(label) if options.simple_chords else label, key))
    return Shown(
        key=keyed.key,
        untransposed_key=find_key_changes(written.score).key,
        time_signature=str(score.signature),
        tempo_bpm=score.pulse_bpm,
        chord_texts=tuple(texts),
        sung_differs=write_as_sung(heard).parts != heard.parts,
    )
