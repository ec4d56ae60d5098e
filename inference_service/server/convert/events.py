"""Events of a request: its place in the queue, progress, files in chunks, and the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from notabot.v1 import transcription_pb2

from inference_service.engine.progress_meter import StageUpdate
from inference_service.engine.service import Rendered
from inference_service.engine.worker import Position
from inference_service.music.chords import simplify_label
from inference_service.music.corrections import PartCorrection
from inference_service.music.events import ChordSegment, Part
from inference_service.notation.names import Language, translate_name
from inference_service.pipeline.options import Preset
from inference_service.progress import Stage
from inference_service.server.convert.corrections import (
    encode_alternative,
    encode_corrections,
    encode_key,
    encode_local_offer,
    encode_offer,
)
from inference_service.server.convert.enums import by_number, protocol_name
from inference_service.server.convert.options import encode_render_options

if TYPE_CHECKING:
    from inference_service.pipeline.render import Artifact

CHUNK_BYTES: Final = 64 * 1024

_STAGES: Final = by_number(Stage, transcription_pb2.Stage.Value)


def encode_update(update: Position | StageUpdate) -> transcription_pb2.TranscribeEvent:
    """Write a request's place in the queue, or its progress."""
    if isinstance(update, Position):
        queued = transcription_pb2.Queued(position=update.ahead, remaining_s=update.remaining_s)
        return transcription_pb2.TranscribeEvent(queued=queued)
    progress = transcription_pb2.StageProgress(
        stage=protocol_name(update.stage),
        stage_fraction=update.fraction,
        overall_fraction=update.overall_fraction,
        remaining_s=update.remaining_s,
    )
    return transcription_pb2.TranscribeEvent(progress=progress)


def decode_progress(message: transcription_pb2.StageProgress) -> StageUpdate | None:
    """Read a stage's progress; None for a stage that this version does not know."""
    stage = _STAGES.get(message.stage)
    if stage is None:
        return None
    return StageUpdate(stage, message.stage_fraction, message.overall_fraction, message.remaining_s)


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


def encode_result(rendered: Rendered) -> transcription_pb2.Result:
    """Write the end of a request: what was heard, in the words that its pages use."""
    heard, shown = rendered.transcription, rendered.shown
    language = rendered.options.language
    return transcription_pb2.Result(
        result_id=rendered.result_id,
        duration_s=heard.duration_s,
        tuning_cents=heard.tuning_cents,
        tempo_bpm=shown.tempo_bpm,
        time_signature=shown.time_signature,
        key=encode_key(shown.untransposed_key),
        parts=[
            _encode_part(part, heard.corrections.find_part(part.id), language)
            for part in heard.parts
        ],
        beats=[
            transcription_pb2.Beat(time_s=beat.time_s, position=beat.position)
            for beat in shown.beats
        ],
        chords=_encode_chords(shown.chords, is_simple=rendered.options.simple_chords),
        models=dict(heard.models),
        timings_s=dict(heard.timings_s),
        preset=protocol_name(Preset(heard.preset)),
        render=encode_render_options(rendered.options),
        rendered_key=encode_key(shown.key),
        sung_differs=shown.sung_differs,
        kept_briefly=not rendered.is_lasting,
        stray_parts=[translate_name(name, language) for name in heard.stray_parts],
        pages=max((artifact.page_count for artifact in rendered.artifacts), default=0),
        uncorrected_id=rendered.lineage.root_id,
        previous_id=rendered.lineage.previous_id,
        corrections=encode_corrections(heard.corrections),
        alternatives=[encode_alternative(alternative) for alternative in shown.alternatives],
        metre_probability=shown.metre_probability,
        key_probability=shown.key_probability,
        first_beat=float(shown.first_beat),
        beat_scale=float(shown.beat_scale),
        bar_count=shown.bar_count,
        metre_is_doubtful=shown.is_metre_doubtful,
        key_is_doubtful=shown.is_key_doubtful,
        local_offers=map(encode_local_offer, shown.local_offers),
        offers=[encode_offer(offer) for offer in shown.offers],
        heard_as=[
            transcription_pb2.PresetProbability(
                preset=protocol_name(Preset(preset)), probability=probability
            )
            for preset, probability in sorted(heard.presets.items(), key=lambda item: -item[1])
        ],
    )


def _encode_part(
    part: Part, correction: PartCorrection, language: Language
) -> transcription_pb2.Part:
    return transcription_pb2.Part(
        id=part.id,
        name=translate_name(correction.name or part.name, language),
        program=part.program if correction.program is None else correction.program,
        is_drum=part.is_drum,
        left_out=bool(correction.left_out),
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
