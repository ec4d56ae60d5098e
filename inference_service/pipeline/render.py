"""The use case: write the files of a :class:`Transcription`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from types import MappingProxyType
from typing import Final

from inference_service.audio.encode import MEDIA_TYPES, SoundFormat
from inference_service.errors import StemsUnavailable
from inference_service.midi.preview import Synthesizer
from inference_service.midi.writer import encode_performance, encode_score
from inference_service.music.chords import simplify_chords
from inference_service.music.corrections import Corrections
from inference_service.music.events import ChordSegment, Key, Transcription
from inference_service.music.excerpt import move_performance
from inference_service.music.pitch import transpose_key
from inference_service.music.score import Score, fold_pitch, transpose_score
from inference_service.music.serialization import encode_transcription
from inference_service.notation.arrange import arrange
from inference_service.notation.chart import build_chart, encode_chart
from inference_service.notation.chord_sheet import draw_chord_sheet
from inference_service.notation.engrave import engrave, rasterize, write_pdf
from inference_service.notation.names import translate_name, translate_names
from inference_service.notation.page import PHONE, PRINTED, Page
from inference_service.notation.quantize import WrittenPerformance
from inference_service.notation.roll import draw_roll
from inference_service.notation.views import View
from inference_service.pipeline.correct import Corrected, correct
from inference_service.pipeline.encoded import encode_once
from inference_service.pipeline.options import Format, Pitches, RenderOptions
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.remembered import Remembered
from inference_service.pipeline.shown import Shown, name_chords, settle_view, show
from inference_service.pipeline.stems import RECORDING, KeptSounds, export
from inference_service.pipeline.written import write_corrected
from inference_service.progress import Progress, Stage


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a request returns; ``page_count`` is the number of pages of which it is one."""

    name: str
    media_type: str
    data: bytes
    page_count: int = 0


@dataclass(frozen=True, slots=True)
class Rendering:
    """The files of a request, the description of the piece that accompanies them, and the options
    by which they were written, which name a view.
    """

    shown: Shown
    artifacts: tuple[Artifact, ...]
    options: RenderOptions


def render(
    transcription: Transcription,
    options: RenderOptions,
    progress: Progress,
    synthesizer: Synthesizer = Synthesizer(),  # noqa: B008 - immutable
    sounds: KeptSounds = MappingProxyType({}),
) -> Rendering:
    """Write the files that ``options`` names: the pages first, then the other formats.

    Transposition and simplified chords apply to the score, its MIDI file and all images, sung
    pitches and corrections to ``performance.mid`` as well. ``result.json`` is as heard, with the
    corrections beside.

    Raises
    ------
    InvalidCorrections
        If the corrections do not fit the music.
    PreviewUnavailable
        If a preview is requested and this machine cannot play.
    StemsUnavailable
        If stems are requested and none are kept.
    """
    if options.formats != {Format.STEMS}:
        progress(Stage.NOTATION, 0.0)
    options = make_absolute(transcription, options)
    corrected = correct(options.amend(transcription))
    options = settle_view(options, corrected.performance)
    written = write_corrected(corrected, options.pitches, options.title)
    shown = show(written, corrected, options)
    excerpt = written.cut(written.performance)
    files = list(_artifacts(excerpt, written, shown, options, progress, synthesizer))
    if Format.MIDI in options.formats:
        named = replace(written.performance, chords=_name_as_meant(corrected))
        midi = encode_performance(_begin_at_once(written.cut(named), written))
        files.append(Artifact("performance.mid", "audio/midi", midi))
    if Format.JSON in options.formats:
        heard = corrected.heard
        uncorrected = Corrected(heard, replace(heard, corrections=Corrections()))
        result = encode_transcription(replace(heard, chords=_name_as_meant(uncorrected)))
        files.append(Artifact("result.json", "application/json", result))
    if Format.STEMS in options.formats:
        files += _export_stems(sounds, progress)
    return Rendering(shown, tuple(files), options)


def describe(transcription: Transcription, options: RenderOptions) -> Rendering:
    """Return what :func:`render` does, without files.

    Raises
    ------
    InvalidCorrections
        If the corrections do not fit the music.
    """
    options = make_absolute(transcription, options)
    corrected = correct(options.amend(transcription))
    options = settle_view(options, corrected.performance)
    written = write_corrected(corrected, options.pitches, options.title)
    return Rendering(show(written, corrected, options), (), options)


def _begin_at_once(excerpt: Transcription, written: WrittenPerformance) -> Transcription:
    """Return an excerpt without the time before it."""
    if written.span_s is None:
        return excerpt
    onsets_s = [note.onset_s for part in excerpt.parts for note in part.notes]
    start_s = max(min(written.span_s[0], *onsets_s), 0.0) if onsets_s else 0.0
    return move_performance(excerpt, -start_s)


def _name_as_meant(corrected: Corrected) -> tuple[ChordSegment, ...]:
    """Return the chords with their names on the untransposed page of what was meant."""
    return name_chords(write_corrected(corrected, Pitches.MEANT, ""), RenderOptions())


def _export_stems(sounds: KeptSounds, progress: Progress) -> list[Artifact]:
    if not sounds.keys() - {RECORDING}:
        raise StemsUnavailable("the recording was not separated, or its stems are no longer kept")
    exported = export(sounds, partial(progress, Stage.ENGRAVING))
    return [Artifact(name, MEDIA_TYPES[SoundFormat.MP3], data) for name, data in exported]


def _artifacts(
    transcription: Transcription,
    written: WrittenPerformance,
    shown: Shown,
    options: RenderOptions,
    progress: Progress,
    synthesizer: Synthesizer,
) -> Iterator[Artifact]:
    wanted = options.formats
    if wanted == {Format.STEMS}:
        return
    yield from write_score(written.score, options, progress, synthesizer, SCORE_NAMES)
    if Format.ROLL in wanted:
        transposed = _transpose(transcription, options, shown)
        roll = draw_roll(transposed, options.title, written.score.first_number)
        yield Artifact("roll.png", "image/png", rasterize(roll))
    progress(Stage.ENGRAVING, 1.0)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the files of a score and of its preview, without suffixes."""

    score: str
    preview: str


_DRAWN: Final[Remembered[list[str]]] = Remembered()

SCORE_NAMES: Final = Names("score", "preview")


def write_score(
    written: Score,
    options: RenderOptions,
    progress: Progress,
    synthesizer: Synthesizer,
    names: Names,
) -> Iterator[Artifact]:
    """Write the files of a score: pages, MusicXML, MIDI and preview.

    Raises
    ------
    PreviewUnavailable
        If a preview is requested and this machine cannot play.
    """
    wanted = options.formats
    score = arrange_view(written, options)
    if wanted & {Format.MUSICXML, Format.PNG, Format.PDF}:
        named = translate_names(score, options.language)
        key = transpose_key(written.key, options.transpose_semitones)
        yield from _pages(named, key, options, progress, names.score)
    if Format.PREVIEW in wanted:
        preview = synthesizer.play(encode_score(score), partial(progress, Stage.ENGRAVING))
        yield Artifact(f"{names.preview}.ogg", "audio/ogg", preview)
    if Format.MIDI in wanted:
        yield Artifact(f"{names.score}.mid", "audio/midi", encode_score(score))


def arrange_view(written: Score, options: RenderOptions) -> Score:
    """Return a score with the parts of a view, transposed and with the kind of chords asked for."""
    score = transpose_score(written, options.transpose_semitones)
    if options.simple_chords:
        score = replace(score, chords=simplify_chords(score.chords))
    return build_chart(score) if options.view is View.CHORDS else arrange(score, options.view)


def _transpose(transcription: Transcription, options: RenderOptions, shown: Shown) -> Transcription:
    """Return the performance transposed, with key, chords and part names as shown."""
    semitones = options.transpose_semitones
    parts = tuple(
        replace(
            part,
            name=translate_name(part.name, options.language),
            notes=part.notes
            if part.is_drum
            else tuple(replace(n, pitch=fold_pitch(n.pitch + semitones)) for n in part.notes),
        )
        for part in transcription.parts
    )
    return replace(transcription, key=shown.key, chords=shown.chords, parts=parts)


def _pages(
    score: Score, key: Key, options: RenderOptions, progress: Progress, name: str
) -> Iterator[Artifact]:
    """Write pages and MusicXML of an arranged score or chart; ``key`` is that of the whole."""
    wanted = options.formats
    is_chart = options.view is View.CHORDS

    @cache
    def encode() -> bytes:
        if is_chart:
            return encode_chart(score, partial(progress, Stage.NOTATION))
        return encode_once(score, progress)

    def lay_out(page: Page) -> list[str]:
        if is_chart:  # it is drawn without MusicXML
            return draw_chord_sheet(score, page, key, options.language)
        return engrave(encode(), page)

    if Format.PNG in wanted:
        shown = (score, key, options.language, is_chart)
        svgs = _DRAWN.get(shown, lambda: lay_out(PHONE))
        only = min(options.page, len(svgs))
        for number, svg in enumerate(svgs, start=1):
            if only in {0, number}:
                progress(Stage.ENGRAVING, (number - 1) / len(svgs))
                yield Artifact(f"{name}-{number}.png", "image/png", rasterize(svg), len(svgs))
    if Format.PDF in wanted:
        printed = write_pdf(lay_out(PRINTED[options.paper]), options.paper)
        yield Artifact(f"{name}.pdf", "application/pdf", printed)
    if Format.MUSICXML in wanted:
        media_type = "application/vnd.recordare.musicxml+xml"
        yield Artifact(f"{name}.musicxml", media_type, encode())
