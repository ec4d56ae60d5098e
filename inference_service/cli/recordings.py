"""``notabot transcribe`` and ``separate``: recordings in, scores or stems out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference_service.cli.files import (
    OverallReport,
    metered,
    print_paths,
    progress_bar,
    read,
    save,
    write_files,
)
from inference_service.cli.options import (
    add_preset_option,
    add_render_options,
    add_server_options,
    connect,
    read_render_options,
)
from inference_service.pipeline.options import TranscribeOptions
from inference_service.progress import Stage
from inference_service.settings import Settings

if TYPE_CHECKING:
    from inference_service.cli.options import Commands

SOUND_FORMATS: Final = ("wav", "flac", "mp3", "opus")
"""Names of audio.encode.SoundFormat, repeated because that module is imported only when needed."""


def add_commands(commands: Commands) -> None:
    """Add the commands."""
    transcribe = commands.add_parser("transcribe", help="write the score of a recording")
    transcribe.add_argument("input", type=Path, metavar="IN", help="an audio or video file")
    add_preset_option(transcribe)
    add_render_options(transcribe)
    add_server_options(transcribe)
    transcribe.set_defaults(command=_transcribe)

    separate = commands.add_parser(
        "separate", help="write the vocals, the accompaniment (a karaoke track), and other stems"
    )
    separate.add_argument("input", type=Path, metavar="IN", help="an audio or video file")
    separate.add_argument("--out", type=Path, required=True, metavar="DIR")
    separate.add_argument(
        "--format", choices=SOUND_FORMATS, default=SOUND_FORMATS[0], help="format of the files"
    )
    separate.add_argument(
        "--karaoke",
        action="store_true",
        help="write only the files karaoke and a-cappella, for singers",
    )
    separate.set_defaults(command=_separate)


def _transcribe(options: argparse.Namespace, settings: Settings) -> None:
    wanted = TranscribeOptions(options.preset, read_render_options(options))
    data = read(options.input, settings.audio.max_bytes)
    with progress_bar() as report:
        if options.server is not None:
            with connect(options, settings) as client:
                reply = client.transcribe(data, wanted, report)
            write_files(options.out, reply.files)
        else:
            write_files(options.out, _transcribe_locally(data, wanted, settings, report))


def _transcribe_locally(
    data: bytes,
    wanted: TranscribeOptions,
    settings: Settings,
    report: OverallReport,
) -> list[tuple[str, bytes]]:
    from inference_service.assembly import Pipeline, build_stages
    from inference_service.engine.progress_meter import build_transcription_meter

    progress = metered(report, build_transcription_meter(wanted.preset))
    pipeline = Pipeline(settings.audio, settings.preview)
    stages = build_stages(settings.models)
    waveform = pipeline.decode(data, progress)
    kept: dict[str, bytes] = {}
    transcription = pipeline.transcribe(waveform, wanted.preset, stages, progress, kept)
    rendering = pipeline.render(transcription, wanted.render, progress, kept)
    return [(file.name, file.data) for file in rendering.artifacts]


def _separate(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import build_limits, build_stages
    from inference_service.audio.decode import decode
    from inference_service.audio.encode import SUFFIXES, SoundFormat, encode
    from inference_service.pipeline.stems import SONG_NAMES, complete

    data = read(options.input, settings.audio.max_bytes)
    with progress_bar() as report:
        waveform = decode(data, build_limits(settings.audio), lambda _: report(Stage.DECODE, 0.0))
        separator = build_stages(settings.models).separation
        stems = complete(separator.separate(waveform, lambda done: report(Stage.SEPARATION, done)))
        if options.karaoke:
            stems = {called: stems[name] for name, called in SONG_NAMES.items()}
        kind = SoundFormat(options.format)
        files = (
            (
                f"{name}.{SUFFIXES[kind]}",
                encode(stem, kind, lambda _: report(Stage.SEPARATION, 1.0)),
            )
            for name, stem in stems.items()
        )
        paths = save(options.out, files)
    print_paths(paths)
