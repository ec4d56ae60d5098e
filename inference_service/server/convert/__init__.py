"""Protobuf to domain values and back: the only module of the service that knows both.

Names of enumerations correspond by rule: ``PRESET_VOICE`` is ``Preset.VOICE``, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from notabot.v1 import models_pb2, transcription_pb2

from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.engine.progress_meter import StageUpdate
from inference_service.engine.registry import ModelState, ModelStatus
from inference_service.engine.service import Rendered
from inference_service.engine.worker import Position
from inference_service.errors import InvalidOptions
from inference_service.music.chords import simplify_label
from inference_service.music.events import ChordSegment, Key, Part
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    DEFAULT_FORMATS,
    ContinueOptions,
    Format,
    Preset,
    RenderOptions,
    TranscribeOptions,
    clean_title,
)
from inference_service.progress import Stage

if TYPE_CHECKING:
    from inference_service.pipeline.render import Artifact

CHUNK_BYTES: Final = 64 * 1024


def decode_transcribe_options(message: transcription_pb2.TranscribeOptions) -> TranscribeOptions:
    """Read the options of a transcription.

    Raises
    ------
    InvalidOptions
        If a value is unknown or outside its range.
    """
    preset = _PRESETS.get(message.preset)
    if preset is None:
        raise InvalidOptions(f"unknown preset {message.preset}", option="preset")
    return TranscribeOptions(preset, decode_render_options(message.render))


def decode_render_options(
    message: transcription_pb2.RenderOptions, default: frozenset[Format] = DEFAULT_FORMATS
) -> RenderOptions:
    """Read the options of a rendering; no formats stand for the default ones.

    Raises
    ------
    InvalidOptions
        If a value is unknown or outside its range.
    """
    view = _VIEWS.get(message.view)
    if view is None:
        raise InvalidOptions(f"unknown view {message.view}", option="view")
    paper = _PAPERS.get(message.paper)
    if paper is None:
        raise InvalidOptions(f"unknown paper {message.paper}", option="paper")
    formats = frozenset(_FORMATS.get(number) for number in message.formats)
    known = frozenset(fmt for fmt in formats if fmt is not None)
    if known != formats:
        raise InvalidOptions("unknown format", option="formats")
    return RenderOptions(
        view=view,
        transpose_semitones=message.transpose_semitones,
        formats=known or default,
        title=clean_title(message.title),
        simple_chords=message.simple_chords,
        paper=paper,
    )


def decode_continue_options(message: transcription_pb2.ContinueRequest) -> ContinueOptions:
    """Read the options of a continuation.

    Raises
    ------
    InvalidOptions
        If a value is unknown or outside its range.
    """
    style = _STYLES.get(message.style)
    if style is None:
        raise InvalidOptions(f"unknown style {message.style}", option="style")
    default = ContinuationOptions()
    kept = message.context_measures
    return ContinueOptions(
        ContinuationOptions(
            measures=message.measures or default.measures,
            style=style,
            seed=message.seed,
            boldness=message.boldness,
            context_measures=(
                kept if message.HasField("context_measures") else default.context_measures
            ),
            alternatives=message.alternatives,
        ),
        decode_render_options(message.render, DEFAULT_CONTINUATION_FORMATS),
    )


def encode_continue_request(
    result_id: str, options: ContinueOptions
) -> transcription_pb2.ContinueRequest:
    """Write what :func:`decode_continue_options` reads."""
    music = options.music
    return transcription_pb2.ContinueRequest(
        result_id=result_id,
        measures=music.measures,
        style=transcription_pb2.Style.Value(f"STYLE_{music.style.name}"),
        seed=music.seed,
        boldness=music.boldness,
        context_measures=music.context_measures,
        alternatives=music.alternatives,
        render=encode_render_options(options.render),
    )


def encode_transcribe_options(options: TranscribeOptions) -> transcription_pb2.TranscribeOptions:
    """Write the options of a transcription."""
    return transcription_pb2.TranscribeOptions(
        preset=_preset_number(options.preset), render=encode_render_options(options.render)
    )


def encode_render_options(options: RenderOptions) -> transcription_pb2.RenderOptions:
    """Write the options of a rendering."""
    return transcription_pb2.RenderOptions(
        view=transcription_pb2.View.Value(f"VIEW_{options.view.name}"),
        transpose_semitones=options.transpose_semitones,
        formats=[
            transcription_pb2.Format.Value(f"FORMAT_{fmt.name}") for fmt in sorted(options.formats)
        ],
        title=options.title,
        simple_chords=options.simple_chords,
        paper=transcription_pb2.Paper.Value(f"PAPER_{options.paper.name}"),
    )


def encode_update(update: Position | StageUpdate) -> transcription_pb2.TranscribeEvent:
    """Write what happens to a request."""
    if isinstance(update, Position):
        queued = transcription_pb2.Queued(position=update.ahead)
        return transcription_pb2.TranscribeEvent(queued=queued)
    progress = transcription_pb2.StageProgress(
        stage=transcription_pb2.Stage.Value(f"STAGE_{update.stage.name}"),
        stage_fraction=update.fraction,
        overall_fraction=update.overall_fraction,
    )
    return transcription_pb2.TranscribeEvent(progress=progress)


def decode_progress(message: transcription_pb2.StageProgress) -> StageUpdate | None:
    """Read a stage's progress; None for a stage that this version does not know."""
    stage = _STAGES.get(message.stage)
    if stage is None:
        return None
    return StageUpdate(stage, message.stage_fraction, message.overall_fraction)


def encode_artifact(artifact: Artifact) -> Iterator[transcription_pb2.TranscribeEvent]:
    """Write a file in chunks; an empty one is a single empty chunk."""
    stops = range(CHUNK_BYTES, len(artifact.data) + CHUNK_BYTES, CHUNK_BYTES) or [0]
    for stop in stops:
        start = max(0, stop - CHUNK_BYTES)
        chunk = transcription_pb2.ArtifactChunk(
            name=artifact.name,
            media_type=artifact.media_type if start == 0 else "",
            data=artifact.data[start:stop],
            last=stop >= len(artifact.data),
        )
        yield transcription_pb2.TranscribeEvent(artifact=chunk)


def encode_result(rendered: Rendered) -> transcription_pb2.TranscribeEvent:
    """Write the end of a request: what was heard, in the words that its pages use."""
    heard, shown = rendered.transcription, rendered.shown
    result = transcription_pb2.Result(
        result_id=rendered.result_id,
        duration_s=heard.duration_s,
        tuning_cents=heard.tuning_cents,
        tempo_bpm=shown.tempo_bpm,
        time_signature=shown.time_signature,
        key=_encode_key(heard.key),
        parts=[_encode_part(part) for part in heard.parts],
        beats=[
            transcription_pb2.Beat(time_s=beat.time_s, position=beat.position)
            for beat in heard.beats
        ],
        chords=_encode_chords(shown.name(heard.chords), is_simple=rendered.options.simple_chords),
        models=dict(heard.models),
        timings_s=dict(heard.timings_s),
        preset=_preset_number(Preset(heard.preset)),
        render=encode_render_options(rendered.options),
        rendered_key=_encode_key(shown.key),
    )
    return transcription_pb2.TranscribeEvent(result=result)


def encode_model(status: ModelStatus) -> models_pb2.Model:
    """Write a model and its state."""
    return models_pb2.Model(
        task=status.task,
        name=status.entry.name,
        version=status.entry.version,
        licence=status.entry.licence,
        state=models_pb2.ModelState.Value(f"MODEL_STATE_{status.state.name}"),
        figures=dict(status.entry.figures),
        size_bytes=status.entry.size_bytes,
    )


def model_state(message: models_pb2.Model) -> ModelState:
    """Read a model's state."""
    name = models_pb2.ModelState.Name(message.state)
    return ModelState[name.removeprefix("MODEL_STATE_")]


def _encode_key(key: Key) -> transcription_pb2.Key:
    mode = transcription_pb2.Mode.Value(f"MODE_{key.mode.upper()}")
    return transcription_pb2.Key(tonic=key.tonic, mode=mode)


def _encode_part(part: Part) -> transcription_pb2.Part:
    return transcription_pb2.Part(
        id=part.id,
        name=part.name,
        program=part.program,
        is_drum=part.is_drum,
        notes=[
            transcription_pb2.NoteEvent(
                onset_s=note.onset_s,
                offset_s=note.offset_s,
                pitch=note.pitch,
                velocity=note.velocity,
                pitch_cents=note.pitch_cents,
            )
            for note in part.notes
        ],
    )


def _encode_chords(
    chords: Iterable[ChordSegment], *, is_simple: bool
) -> list[transcription_pb2.ChordSegment]:
    return [
        transcription_pb2.ChordSegment(
            start_s=chord.start_s,
            end_s=chord.end_s,
            label=simplify_label(chord.label) if is_simple else chord.label,
            text=chord.text,
        )
        for chord in chords
    ]


def _preset_number(preset: Preset) -> transcription_pb2.Preset:
    number: transcription_pb2.Preset = transcription_pb2.Preset.Value(f"PRESET_{preset.name}")
    return number


_PRESETS: Final = {int(_preset_number(preset)): preset for preset in Preset}
_VIEWS: Final = {int(transcription_pb2.View.Value(f"VIEW_{view.name}")): view for view in View}
_FORMATS: Final = {int(transcription_pb2.Format.Value(f"FORMAT_{fmt.name}")): fmt for fmt in Format}
_PAPERS: Final = {
    int(transcription_pb2.Paper.Value(f"PAPER_{paper.name}")): paper for paper in Paper
}
_STYLES: Final = {
    int(transcription_pb2.Style.Value(f"STYLE_{style.name}")): style for style in Style
}
_STAGES: Final = {
    int(transcription_pb2.Stage.Value(f"STAGE_{stage.name}")): stage for stage in Stage
}
