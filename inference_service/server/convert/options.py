"""Options of requests, read by the service and written by its client."""

from __future__ import annotations

import re
from typing import Final

from notabot.v1 import transcription_pb2

from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.errors import InvalidOptions
from inference_service.music.corrections import Edit
from inference_service.notation.names import Language
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    DEFAULT_FORMATS,
    ContinueOptions,
    Format,
    Pitches,
    Preset,
    RenderOptions,
    TranscribeOptions,
    clean_title,
)
from inference_service.server.convert.corrections import (
    decode_adjustments,
    decode_edit,
    decode_named_key,
    encode_adjustments,
    encode_edit,
    encode_named_key,
)
from inference_service.server.convert.enums import by_number, protocol_name

MAX_JOB_CONTEXT_CHARS: Final = 8192

_JOB_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PRESETS: Final = by_number(Preset, transcription_pb2.Preset.Value)
_VIEWS: Final = by_number(View, transcription_pb2.View.Value)
_LANGUAGES: Final = {language.value: language for language in Language}
_FORMATS: Final = by_number(Format, transcription_pb2.Format.Value)
_PAPERS: Final = by_number(Paper, transcription_pb2.Paper.Value)
_PITCHES: Final = by_number(Pitches, transcription_pb2.Pitches.Value)
_STYLES: Final = by_number(Style, transcription_pb2.Style.Value)


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


def decode_job(message: transcription_pb2.JobContext) -> tuple[str, str]:
    """Read whose job it is, and its key.

    Raises
    ------
    InvalidOptions
        If a name is malformed, or the context too long.
    """
    check_job_names(message.bot, message.key)
    check_job_context(message.context)
    return message.bot, message.key


def check_job_names(*names: str) -> None:
    """Refuse names of jobs that are malformed.

    Raises
    ------
    InvalidOptions
    """
    if not all(_JOB_NAME.fullmatch(name) for name in names):
        raise InvalidOptions("a job's bot and key are 1 to 64 letters, digits or ._-", option="job")


def check_job_context(context: str) -> None:
    """Refuse a context that is too long.

    Raises
    ------
    InvalidOptions
    """
    if len(context) > MAX_JOB_CONTEXT_CHARS:
        raise InvalidOptions(
            f"a job's context is over {MAX_JOB_CONTEXT_CHARS} characters", option="job"
        )


def decode_render_options(
    message: transcription_pb2.RenderOptions, default: frozenset[Format] = DEFAULT_FORMATS
) -> RenderOptions:
    """Read the options of a rendering; without formats, the default ones apply.

    Raises
    ------
    InvalidOptions
        If a value is unknown or outside its range.
    InvalidCorrections
        If it is one of the corrections.
    """
    view = _VIEWS.get(message.view)
    if view is None:
        raise InvalidOptions(f"unknown view {message.view}", option="view")
    paper = _PAPERS.get(message.paper)
    if paper is None:
        raise InvalidOptions(f"unknown paper {message.paper}", option="paper")
    pitches = _PITCHES.get(message.pitches)
    if pitches is None:
        raise InvalidOptions(f"unknown pitches {message.pitches}", option="pitches")
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
        pitches=pitches,
        page=message.page,
        choose_view=message.choose_view,
        language=_LANGUAGES.get(message.language, Language.EN),
        edit=decode_edit(message.corrections),
        adjustments=decode_adjustments(message.adjustments),
        transpose_to=(
            decode_named_key(message.transpose_to) if message.HasField("transpose_to") else None
        ),
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


def encode_transcribe_options(options: TranscribeOptions) -> transcription_pb2.TranscribeOptions:
    """Write the options of a transcription."""
    return transcription_pb2.TranscribeOptions(
        preset=protocol_name(options.preset), render=encode_render_options(options.render)
    )


def encode_render_options(options: RenderOptions) -> transcription_pb2.RenderOptions:
    """Write the options of a rendering."""
    return transcription_pb2.RenderOptions(
        view=protocol_name(options.view),
        transpose_semitones=options.transpose_semitones,
        formats=[protocol_name(fmt) for fmt in sorted(options.formats)],
        title=options.title,
        simple_chords=options.simple_chords,
        paper=protocol_name(options.paper),
        pitches=protocol_name(options.pitches),
        page=options.page,
        choose_view=options.choose_view,
        language=options.language,
        corrections=None if options.edit == Edit() else encode_edit(options.edit),
        adjustments=encode_adjustments(options.adjustments) if options.adjustments else None,
        transpose_to=(
            None if options.transpose_to is None else encode_named_key(options.transpose_to)
        ),
    )


def encode_continue_request(
    result_id: str, options: ContinueOptions
) -> transcription_pb2.ContinueRequest:
    """Write what :func:`decode_continue_options` reads."""
    music = options.music
    return transcription_pb2.ContinueRequest(
        result_id=result_id,
        measures=music.measures,
        style=protocol_name(music.style),
        seed=music.seed,
        boldness=music.boldness,
        context_measures=music.context_measures,
        alternatives=music.alternatives,
        render=encode_render_options(options.render),
    )
