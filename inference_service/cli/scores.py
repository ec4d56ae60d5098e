"""``notabot notate``, ``render`` and ``continue``: commands that start from notes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference_service.cli.files import (
    OverallReport,
    metered,
    portion,
    progress_bar,
    read,
    write_files,
)
from inference_service.cli.options import (
    add_preset_option,
    add_render_options,
    add_server_options,
    connect,
    read_render_options,
)
from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.errors import InvalidCorrections, InvalidOptions
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    ContinueOptions,
    Format,
    RhythmSource,
    TranscribeOptions,
)
from inference_service.progress import Stage
from inference_service.settings import Settings

if TYPE_CHECKING:
    from inference_service.cli.options import Commands

_HEARD: Final = 0.8
"""Share of the progress bar for transcribing a recording before it is continued."""


def add_commands(commands: Commands) -> None:
    """Add the commands."""
    notate = commands.add_parser("notate", help="write the score of a performed MIDI file")
    notate.add_argument("input", type=Path, metavar="PERFORMANCE.mid")
    notate.add_argument(
        "--rhythm",
        type=RhythmSource,
        choices=list(RhythmSource),
        default=RhythmSource.AUTO,
        help="beats of the file, of its notes, or (auto) of the file if its notes follow them",
    )
    add_render_options(notate)
    notate.set_defaults(command=_notate)

    again = commands.add_parser("render", help="write the score of a result.json, or correct it")
    again.add_argument("input", type=Path, metavar="result.json")
    add_render_options(again)
    again.set_defaults(command=_render)

    usual = ContinuationOptions()
    going_on = commands.add_parser("continue", help="write a continuation of a piece")
    going_on.add_argument(
        "input", type=Path, metavar="IN", help="a recording, a MIDI file, MusicXML or result.json"
    )
    add_preset_option(going_on)
    going_on.add_argument(
        "--measures",
        type=int,
        default=usual.measures,
        metavar="N",
        help="number of measures to write",
    )
    going_on.add_argument(
        "--style",
        type=Style,
        choices=list(Style),
        default=usual.style,
        help="style of the new measures",
    )
    going_on.add_argument(
        "--seed",
        type=int,
        default=usual.seed,
        metavar="N",
        help="the same seed writes the same music",
    )
    going_on.add_argument(
        "--boldness",
        type=float,
        default=usual.boldness,
        metavar="X",
        help="from -1, calmest, to 1, boldest",
    )
    going_on.add_argument(
        "--context",
        type=int,
        default=usual.context_measures,
        metavar="N",
        help="number of given measures to write before the new ones",
    )
    going_on.add_argument(
        "--alternatives",
        type=int,
        default=usual.alternatives,
        metavar="N",
        help="number of further continuations beside the best",
    )
    add_render_options(going_on, DEFAULT_CONTINUATION_FORMATS)
    add_server_options(going_on)
    going_on.set_defaults(command=_continue)


def _notate(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import Pipeline, build_stages
    from inference_service.engine.progress_meter import build_render_meter
    from inference_service.midi.reader import decode_performance

    wanted = read_render_options(options)
    performance = decode_performance(read(options.input, settings.audio.max_bytes))
    pipeline = Pipeline(settings.audio, settings.preview)
    with progress_bar() as report:
        report(Stage.BEATS, 0.0)
        stages = build_stages(settings.models)
        performance = pipeline.read_performance(performance, options.rhythm, stages)
        progress = metered(report, build_render_meter())
        rendering = pipeline.render(performance, wanted, progress, {})
    write_files(options.out, [(file.name, file.data) for file in rendering.artifacts])


def _render(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import Pipeline
    from inference_service.engine.progress_meter import build_render_meter
    from inference_service.music.serialization import MAX_BYTES, decode_transcription

    wanted = read_render_options(options)
    transcription = decode_transcription(read(options.input, MAX_BYTES))
    pipeline = Pipeline(settings.audio, settings.preview)
    with progress_bar() as report:
        progress = metered(report, build_render_meter())
        rendering = pipeline.render(transcription, wanted, progress, {})
    write_files(options.out, [(file.name, file.data) for file in rendering.artifacts])


def _continue(options: argparse.Namespace, settings: Settings) -> None:
    wanted = ContinueOptions(
        ContinuationOptions(
            options.measures,
            options.style,
            options.seed,
            options.boldness,
            options.context,
            options.alternatives,
        ),
        read_render_options(options),
    )
    data = read(options.input, settings.audio.max_bytes)
    run = _continue_locally if options.server is None else _continue_remotely
    with progress_bar() as report:
        files = run(data, wanted, options, settings, report)
    write_files(options.out, files)


def _continue_locally(
    data: bytes,
    wanted: ContinueOptions,
    options: argparse.Namespace,
    settings: Settings,
    report: OverallReport,
) -> list[tuple[str, bytes]]:
    from inference_service.assembly import Pipeline
    from inference_service.cli.music import know_music
    from inference_service.engine.progress_meter import build_continuation_meter
    from inference_service.music.score import Score

    music = know_music(data, options.preset, settings, portion(report, 0.0, _HEARD))
    if isinstance(music, Score) and options.title is None and music.title:
        wanted = replace(wanted, render=replace(wanted.render, title=music.title))
    progress = metered(portion(report, _HEARD, 1.0), build_continuation_meter())
    pipeline = Pipeline(settings.audio, settings.preview)
    if isinstance(music, Score):
        if wanted.render.edit.corrections or wanted.render.adjustments:
            raise InvalidCorrections("written music is not corrected", correction="music")
        files = pipeline.continue_score(music, wanted, progress)
    else:
        files = list(pipeline.continue_music(music, wanted, progress).artifacts)
    return [(file.name, file.data) for file in files]


def _continue_remotely(
    data: bytes,
    wanted: ContinueOptions,
    options: argparse.Namespace,
    settings: Settings,
    report: OverallReport,
) -> list[tuple[str, bytes]]:
    from inference_service.cli.music import Kind, recognize

    if recognize(data) is not Kind.RECORDING:
        raise InvalidOptions(
            "a service continues recordings; leave out --server for anything else", option="server"
        )
    least = replace(wanted.render, formats=frozenset({Format.JSON}))
    with connect(options, settings) as client:
        heard = client.transcribe(
            data, TranscribeOptions(options.preset, least), portion(report, 0.0, _HEARD)
        )
        reply = client.continue_music(heard.result_id, wanted, portion(report, _HEARD, 1.0))
    return reply.files
