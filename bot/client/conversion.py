"""Conversion between protobuf messages and the values of :mod:`bot.client.types`.

Names of enumerations correspond by rule: ``PRESET_VOICE`` is ``Preset.VOICE``, and so on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from notabot.v1 import jobs_pb2, models_pb2, transcription_pb2

from bot.client.edit_conversion import decode_edit, encode_edit
from bot.client.types import (
    Accepted,
    Adjustments,
    Alternative,
    Artifact,
    BarMove,
    BarRange,
    BarShift,
    BarUnit,
    Beat,
    ChordSegment,
    Clef,
    ContinueOptions,
    Corrections,
    Event,
    Feel,
    FinestValue,
    JobContext,
    JobState,
    Key,
    LocalShift,
    Model,
    ModelState,
    NamedKey,
    Offer,
    OpenJob,
    Part,
    PartCorrection,
    Pitches,
    Preset,
    Progress,
    Queued,
    RenderOptions,
    Result,
    ServiceStatus,
    Stage,
    Triplets,
    View,
)
from bot.errors import BotErrorCode, ServiceError, ServiceErrorCode

E = TypeVar("E", bound=StrEnum)


def encode_transcribe_options(
    preset: Preset, options: RenderOptions, job: JobContext | None = None
) -> transcription_pb2.TranscribeOptions:
    """Encode the options of a transcription."""
    encoded = transcription_pb2.TranscribeOptions(
        preset=_number(transcription_pb2.Preset, preset), render=encode_render_options(options)
    )
    if job is not None:
        context = transcription_pb2.JobContext(bot=job.bot, key=job.key, context=job.context)
        encoded.job.CopyFrom(context)
    return encoded


def encode_render_options(options: RenderOptions) -> transcription_pb2.RenderOptions:
    """Encode how a result is written to files."""
    corrections = options.corrections
    return transcription_pb2.RenderOptions(
        view=_number(transcription_pb2.View, options.view),
        transpose_semitones=options.transpose_semitones,
        formats=[_number(transcription_pb2.Format, wanted) for wanted in options.formats],
        title=options.title,
        simple_chords=options.simple_chords,
        paper=_number(transcription_pb2.Paper, options.paper),
        pitches=_number(transcription_pb2.Pitches, options.pitches),
        page=options.page,
        choose_view=options.choose_view,
        language=options.language,
        corrections=None if corrections == Corrections() else encode_corrections(corrections),
        adjustments=_encode_adjustments(options.adjustments),
        transpose_to=_encode_named_key(options.transpose_to),
    )


def _encode_adjustments(adjustments: Adjustments) -> transcription_pb2.Adjustments | None:
    if adjustments == Adjustments():
        return None
    pb, shift = transcription_pb2, adjustments.bar_shift
    return pb.Adjustments(
        rescale=adjustments.rescale,
        bar_shift=None if shift is None else _encode_shift(shift),
        key=_encode_named_key(adjustments.key),
        local_shifts=[
            pb.LocalShift(from_bar=local.from_bar, shift=_encode_shift(local.shift))
            for local in adjustments.local_shifts
        ],
    )


def _encode_shift(shift: BarShift) -> transcription_pb2.BarShift:
    pb = transcription_pb2
    return pb.BarShift(count=shift.count, unit=_number(pb.BarUnit, shift.unit))


def _encode_named_key(key: NamedKey | None) -> transcription_pb2.NamedKey | None:
    if key is None:
        return None
    mode = None if key.mode is None else f"MODE_{key.mode.upper()}"
    return transcription_pb2.NamedKey(tonic=key.tonic, mode=mode)


def encode_corrections(corrections: Corrections) -> transcription_pb2.Corrections:
    """Encode what a reader puts right."""
    pb = transcription_pb2
    key, bars = corrections.key, corrections.bars
    return pb.Corrections(
        time_signature=corrections.time_signature,
        beat_scale=corrections.beat_scale,
        first_beat=corrections.first_beat,
        key=None if key is None else pb.Key(tonic=key.tonic, mode=f"MODE_{key.mode.upper()}"),
        finest_value=_optional(pb.FinestValue, corrections.finest_value),
        triplets=_optional(pb.Triplets, corrections.triplets),
        feel=_optional(pb.Feel, corrections.feel),
        parts=[
            pb.PartCorrection(
                id=part.id,
                left_out=part.left_out,
                name=part.name,
                program=part.program,
                clef=_optional(pb.Clef, part.clef),
            )
            for part in corrections.parts
        ],
        bars=None if bars is None else pb.BarRange(first=bars.first, last=bars.last),
        tempo_bpm=corrections.tempo_bpm,
        as_heard=[_number(pb.Correctable, field) for field in corrections.as_heard],
        edits=map(encode_edit, corrections.edits),
        bar_moves=[
            pb.BarMove(from_beat=move.from_beat, beats=move.beats) for move in corrections.bar_moves
        ],
    )


def encode_describe_request(
    result_id: str, options: RenderOptions
) -> transcription_pb2.DescribeRequest:
    """Encode a request for a result without files."""
    return transcription_pb2.DescribeRequest(
        result_id=result_id, render=encode_render_options(options)
    )


def encode_continue_request(
    result_id: str, options: ContinueOptions
) -> transcription_pb2.ContinueRequest:
    """Encode a request to continue a result."""
    return transcription_pb2.ContinueRequest(
        result_id=result_id,
        measures=options.measures,
        seed=options.seed,
        boldness=options.boldness,
        render=encode_render_options(options.render),
    )


@dataclass(slots=True)
class EventDecoder:
    """Decodes the messages of one call, in order, and joins the chunks of each artefact."""

    _chunks: bytearray = field(default_factory=bytearray)
    _media_type: str = ""

    def decode(self, message: transcription_pb2.TranscribeEvent) -> Event | None:
        """Return the event of a message; None while an artefact is incomplete."""
        match message.WhichOneof("event"):
            case "accepted":
                return Accepted(message.accepted.context, message.accepted.kept)
            case "queued":
                queued = message.queued
                return Queued(queued.position, _remaining_s(queued))
            case "progress":
                stage = _member(transcription_pb2.Stage, Stage, message.progress.stage)
                progress = message.progress
                return Progress(stage, progress.overall_fraction, _remaining_s(progress))
            case "artifact":
                return self._artifact(message.artifact)
            case "result":
                return decode_result(message.result)
        return None

    def _artifact(self, chunk: transcription_pb2.ArtifactChunk) -> Artifact | None:
        if chunk.media_type:
            self._media_type = chunk.media_type
        self._chunks += chunk.data
        if not chunk.last:
            return None
        artifact = Artifact(chunk.name, self._media_type, bytes(self._chunks))
        self._chunks.clear()
        return artifact


def _remaining_s(
    message: transcription_pb2.Queued | transcription_pb2.StageProgress,
) -> float | None:
    return message.remaining_s if message.HasField("remaining_s") else None


def decode_result(result: transcription_pb2.Result) -> Result:
    """Decode a result."""
    render = result.render
    return Result(
        result_id=result.result_id,
        duration_s=result.duration_s,
        tempo_bpm=result.tempo_bpm,
        time_signature=result.time_signature,
        key=_key(result.key),
        rendered_key=_key(result.rendered_key),
        beats=tuple(Beat(beat.time_s, beat.position) for beat in result.beats),
        chords=tuple(
            ChordSegment(chord.start_s, chord.end_s, chord.text) for chord in result.chords
        ),
        models=dict(result.models),
        preset=_member(transcription_pb2.Preset, Preset, result.preset) or Preset.AUTO,
        view=_member(transcription_pb2.View, View, render.view) or View.FULL,
        transpose_semitones=render.transpose_semitones,
        simple_chords=render.simple_chords,
        pitches=_member(transcription_pb2.Pitches, Pitches, render.pitches) or Pitches.MEANT,
        sung_differs=result.sung_differs,
        kept_briefly=result.kept_briefly,
        pages=result.pages,
        uncorrected_id=result.uncorrected_id,
        previous_id=result.previous_id,
        corrections=_corrections(result.corrections),
        alternatives=tuple(
            Alternative(
                time_signature=alternative.time_signature,
                beat_scale=alternative.beat_scale,
                first_beat=alternative.first_beat,
                key=_key(alternative.key),
                probability=alternative.probability,
            )
            for alternative in result.alternatives
        ),
        parts=tuple(
            Part(part.id, part.name, _program(part), part.is_drum, part.left_out)
            for part in result.parts
        ),
        first_beat=result.first_beat,
        beat_scale=result.beat_scale,
        bar_count=result.bar_count,
        metre_is_doubtful=result.metre_is_doubtful,
        key_is_doubtful=result.key_is_doubtful,
        offers=tuple(map(_offer, result.offers)),
        local_offers=tuple(
            LocalShift(offer.shift.from_bar, _shift(offer.shift.shift))
            for offer in result.local_offers
        ),
        heard_as=tuple(
            _member(transcription_pb2.Preset, Preset, heard.preset) or Preset.AUTO
            for heard in result.heard_as
        ),
        stray_parts=tuple(result.stray_parts),
        tuning_cents=result.tuning_cents,
    )


def decode_open_job(job: jobs_pb2.OpenJob) -> OpenJob:
    """Decode an open job."""
    state = _member(jobs_pb2.JobState, JobState, job.state) or JobState.UNKNOWN
    return OpenJob(job.key, job.context, state, job.attended)


def decode_model(model: models_pb2.Model) -> Model:
    """Decode a model of the service's manifest."""
    return Model(
        task=model.task,
        name=model.name,
        version=model.version,
        licence=model.licence,
        state=_member(models_pb2.ModelState, ModelState, model.state) or ModelState.UNKNOWN,
        figures=dict(model.figures),
        size_bytes=model.size_bytes,
    )


def decode_status(status: models_pb2.StatusResponse) -> ServiceStatus:
    """Decode the service's state."""
    return ServiceStatus(
        version=status.version,
        device=status.device,
        memory_bytes=status.memory_bytes,
        device_memory_bytes=status.device_memory_bytes,
        queue_length=status.queue_length,
        queue_limit=status.queue_limit,
        busy=status.busy,
        ready=status.ready,
        uptime_s=status.uptime_s,
        completed=status.completed,
        failed=status.failed,
        active=dict(status.active),
        versions=dict(status.versions),
    )


def decode_error(error: grpc.aio.AioRpcError, *, may_have_begun: bool) -> ServiceError:
    """Return the error that the call carries, or else the one that its status stands for.

    Parameters
    ----------
    error : grpc.aio.AioRpcError
    may_have_begun : bool
        Whether the service may have begun the request before the connection broke.
    """
    info = _detail(error, ErrorInfo)
    if info is not None:
        return ServiceError(info.reason, dict(info.metadata), _retry_after_s(error))
    match error.code():
        # The service gives details of its own errors: INTERNAL without any is gRPC's, which reports
        # a connection that broke in the middle of a message like this.
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED | grpc.StatusCode.INTERNAL:
            return ServiceError(
                BotErrorCode.SERVICE_LOST if may_have_begun else BotErrorCode.SERVICE_UNREACHABLE
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return ServiceError(ServiceErrorCode.DEADLINE_EXCEEDED)
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return ServiceError(ServiceErrorCode.UNAUTHENTICATED)
        case _:
            return ServiceError(ServiceErrorCode.INTERNAL)


def _retry_after_s(error: grpc.aio.AioRpcError) -> float | None:
    retry = _detail(error, RetryInfo)
    if retry is None:
        return None
    delay: Duration = retry.retry_delay
    return float(delay.ToTimedelta().total_seconds())


def _detail(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    """Return the detail of type ``kind`` in the error's ``google.rpc.Status``, or None."""
    try:
        status = rpc_status.from_call(error)
    except (
        ValueError
    ):  # the details contradict the call's own code, so the service did not write them
        return None
    for packed in status.details if status is not None else ():
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def _offer(offer: transcription_pb2.Offer) -> Offer:
    return Offer(
        corrections=_corrections(offer.corrections),
        tempo_bpm=offer.tempo_bpm,
        time_signature=offer.time_signature,
        rescale=offer.rescale,
        bar_shift=_shift(offer.bar_shift) if offer.HasField("bar_shift") else None,
        key=_key(offer.key) if offer.HasField("key") else None,
    )


def _shift(shift: transcription_pb2.BarShift) -> BarShift:
    unit = _member(transcription_pb2.BarUnit, BarUnit, shift.unit) or BarUnit.BEAT
    return BarShift(shift.count, unit)


def _corrections(corrections: transcription_pb2.Corrections) -> Corrections:
    pb = transcription_pb2
    bars = corrections.bars
    return Corrections(
        time_signature=corrections.time_signature,
        beat_scale=corrections.beat_scale,
        first_beat=corrections.first_beat,
        key=_key(corrections.key) if corrections.HasField("key") else None,
        finest_value=_member(pb.FinestValue, FinestValue, corrections.finest_value),
        triplets=_member(pb.Triplets, Triplets, corrections.triplets),
        feel=_member(pb.Feel, Feel, corrections.feel),
        parts=tuple(
            PartCorrection(
                id=part.id,
                left_out=part.left_out if part.HasField("left_out") else None,
                name=part.name,
                program=_program(part),
                clef=_member(pb.Clef, Clef, part.clef),
            )
            for part in corrections.parts
        ),
        bars=BarRange(bars.first, bars.last) if corrections.HasField("bars") else None,
        tempo_bpm=corrections.tempo_bpm,
        edits=tuple(edit for edit in map(decode_edit, corrections.edits) if edit is not None),
        bar_moves=tuple(BarMove(move.from_beat, move.beats) for move in corrections.bar_moves),
    )


def _program(part: transcription_pb2.Part | transcription_pb2.PartCorrection) -> int | None:
    return part.program if part.HasField("program") else None


def _key(key: transcription_pb2.Key) -> Key:
    return Key(key.tonic, "minor" if key.mode == transcription_pb2.MODE_MINOR else "major")


def _number(kind: Any, member: StrEnum) -> Any:
    """The number of ``member`` in the protobuf enumeration ``kind``."""
    return kind.Value(f"{_prefix(kind)}{member.name}")


def _optional(kind: Any, member: StrEnum | None) -> Any:
    return None if member is None else _number(kind, member)


def _member(kind: Any, members: type[E], number: int) -> E | None:
    """The member for a number of the protobuf enumeration ``kind``; None if there is none."""
    value = kind.DESCRIPTOR.values_by_number.get(number)
    name = value.name.removeprefix(_prefix(kind)) if value is not None else ""
    return members.__members__.get(name)


def _prefix(kind: Any) -> str:
    """``MODEL_STATE_`` for ``ModelState``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.DESCRIPTOR.name).upper() + "_"
