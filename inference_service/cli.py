"""``notabot``: serve, transcribe, separate, notate, continue, models.

Without ``--server`` the work is done in this process. Files are written whole, and all or none. An
error is one line on standard error and an exit code from ``docs/errors.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from inference_service.continuation.options import Style
from inference_service.errors import ErrorCode, NotabotError, ScoreUnreadable
from inference_service.log import configure_logging
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    DEFAULT_FORMATS,
    ContinueOptions,
    Format,
    Preset,
    RenderOptions,
    RhythmSource,
    TranscribeOptions,
    clean_title,
)
from inference_service.pipeline.stages import Task
from inference_service.progress import Stage
from inference_service.settings import ModelSettings, Settings

if TYPE_CHECKING:
    from inference_service.music.events import Transcription
    from inference_service.music.score import Score
    from inference_service.server.client import Client

SOUND_FORMATS: Final = ("wav", "flac", "mp3", "opus")
"""Of stems; the audio modules that make them are imported when they are needed."""

EXIT_USAGE: Final = 64
EXIT_DATA: Final = 65
EXIT_NO_INPUT: Final = 66
EXIT_UNAVAILABLE: Final = 69
EXIT_SOFTWARE: Final = 70
EXIT_CANNOT_CREATE: Final = 73
EXIT_TEMPORARY: Final = 75
EXIT_NO_PERMISSION: Final = 77
EXIT_INTERRUPTED: Final = 130

EXIT_CODES: Final = {
    ErrorCode.AUDIO_EMPTY: EXIT_DATA,
    ErrorCode.AUDIO_UNREADABLE: EXIT_DATA,
    ErrorCode.AUDIO_NO_TRACK: EXIT_DATA,
    ErrorCode.AUDIO_TOO_LARGE: EXIT_DATA,
    ErrorCode.AUDIO_TOO_LONG: EXIT_DATA,
    ErrorCode.AUDIO_TOO_SHORT: EXIT_DATA,
    ErrorCode.AUDIO_SILENT: EXIT_DATA,
    ErrorCode.AUDIO_SAMPLE_RATE: EXIT_DATA,
    ErrorCode.SCORE_UNREADABLE: EXIT_DATA,
    ErrorCode.INVALID_OPTIONS: EXIT_USAGE,
    ErrorCode.RESULT_EXPIRED: EXIT_NO_INPUT,
    ErrorCode.QUEUE_FULL: EXIT_TEMPORARY,
    ErrorCode.NOT_READY: EXIT_TEMPORARY,
    ErrorCode.SHUTTING_DOWN: EXIT_TEMPORARY,
    ErrorCode.CANCELLED: EXIT_INTERRUPTED,
    ErrorCode.DEADLINE_EXCEEDED: EXIT_TEMPORARY,
    ErrorCode.UNAUTHENTICATED: EXIT_NO_PERMISSION,
    ErrorCode.MODEL_UNKNOWN: EXIT_USAGE,
    ErrorCode.MODEL_NOT_FETCHED: EXIT_UNAVAILABLE,
    ErrorCode.MODEL_FETCH_FAILED: EXIT_UNAVAILABLE,
    ErrorCode.MODEL_REJECTED: EXIT_UNAVAILABLE,
    ErrorCode.PREVIEW_UNAVAILABLE: EXIT_UNAVAILABLE,
    ErrorCode.STEMS_UNAVAILABLE: EXIT_NO_INPUT,
    ErrorCode.NOTHING_TO_CONTINUE: EXIT_DATA,
    ErrorCode.INTERNAL: EXIT_SOFTWARE,
}
"""Exit code by error, after BSD's ``sysexits.h``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _build_parser().parse_args(arguments)
    try:
        settings = Settings()  # type: ignore[call-arg]
        command: Callable[[argparse.Namespace, Settings], None] = options.command
        command(options, settings)
    except NotabotError as error:
        return _fail(error.cause, EXIT_CODES[error.code])
    except ValidationError as error:
        return _fail(f"settings: {_first_problem(error)}", EXIT_USAGE)
    except FileNotFoundError as error:
        return _fail(f"no such file: {error.filename}", EXIT_NO_INPUT)
    except OSError as error:
        return _fail(error.strerror or str(error), EXIT_CANNOT_CREATE)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except Exception as error:
        if os.environ.get("NOTABOT_LOG_LEVEL") == "debug":
            traceback.print_exc()
        return _fail(f"{type(error).__name__}: {error}", EXIT_SOFTWARE)
    return 0


def _fail(cause: str, code: int) -> int:
    print(f"notabot: {cause}", file=sys.stderr)
    return code


def _first_problem(error: ValidationError) -> str:
    """Name a wrong setting without its value, which may be a secret."""
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="notabot", description="Songs to scores. Settings: docs/settings.md."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the inference service")
    serve.set_defaults(command=_serve)

    transcribe = commands.add_parser("transcribe", help="hear a recording, write its score")
    transcribe.add_argument("input", type=Path, metavar="IN", help="an audio or video file")
    transcribe.add_argument("--preset", type=Preset, choices=list(Preset), default=Preset.AUTO)
    _add_render_options(transcribe)
    _add_server_options(transcribe)
    transcribe.set_defaults(command=_transcribe)

    separate = commands.add_parser(
        "separate", help="write the vocals, the accompaniment (a karaoke track), and other stems"
    )
    separate.add_argument("input", type=Path, metavar="IN", help="an audio or video file")
    separate.add_argument("--out", type=Path, required=True, metavar="DIR")
    separate.add_argument(
        "--format", choices=SOUND_FORMATS, default=SOUND_FORMATS[0], help="of the files"
    )
    separate.add_argument(
        "--karaoke",
        action="store_true",
        help="what a singer wants, no more: the files karaoke and a-cappella",
    )
    separate.set_defaults(command=_separate)

    notate = commands.add_parser("notate", help="write the score of a performed MIDI file")
    notate.add_argument("input", type=Path, metavar="PERFORMANCE.mid")
    notate.add_argument(
        "--rhythm",
        type=RhythmSource,
        choices=list(RhythmSource),
        default=RhythmSource.AUTO,
        help="whose beats: the file's, those read from its notes, or whichever make sense",
    )
    _add_render_options(notate)
    notate.set_defaults(command=_notate)

    going_on = commands.add_parser("continue", help="write how a piece could go on")
    going_on.add_argument(
        "input", type=Path, metavar="IN", help="a recording, a MIDI file, MusicXML or result.json"
    )
    going_on.add_argument(
        "--preset", type=Preset, choices=list(Preset), default=Preset.AUTO, help="of a recording"
    )
    going_on.add_argument("--measures", type=int, default=8, help="how many to write")
    going_on.add_argument("--style", type=Style, choices=list(Style), default=Style.AUTO)
    going_on.add_argument("--seed", type=int, default=0, help="the same seed, the same music")
    going_on.add_argument(
        "--boldness", type=float, default=0.0, metavar="X", help="-1 calmest to 1 boldest"
    )
    going_on.add_argument(
        "--context", type=int, default=4, metavar="N", help="given measures before the new ones"
    )
    going_on.add_argument(
        "--alternatives", type=int, default=0, metavar="N", help="others beside the best"
    )
    _add_render_options(going_on, DEFAULT_CONTINUATION_FORMATS)
    going_on.set_defaults(command=_continue)

    models = commands.add_parser("models", help="list, fetch and exchange models")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every model; with --server, as the service has it")
    _add_server_options(listing)
    listing.set_defaults(command=_list_models)
    fetching = actions.add_parser("fetch", help="download a model's weights")
    fetching.add_argument("name", metavar="NAME")
    fetching.set_defaults(command=_fetch_model)
    using = actions.add_parser("use", help="let a running service use a model")
    using.add_argument("task", metavar="TASK")
    using.add_argument("model", metavar="MODEL")
    _add_server_options(using)
    using.set_defaults(command=_use_model)
    return parser


def _add_render_options(
    parser: argparse.ArgumentParser, formats: frozenset[Format] = DEFAULT_FORMATS
) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--view", type=_view, default=View.FULL, metavar="VIEW", help=_names(View))
    parser.add_argument(
        "--formats",
        type=_formats,
        default=formats,
        metavar="A,B",
        help=f"{_names(Format)} (default: {_names(sorted(formats))})",
    )
    parser.add_argument("--transpose", type=int, default=0, metavar="SEMITONES")
    parser.add_argument(
        "--simple-chords", action="store_true", help="chords as triads and sevenths"
    )
    parser.add_argument(
        "--paper", type=Paper, choices=list(Paper), default=Paper.A4, help="of the PDF"
    )
    parser.add_argument("--title", metavar="TEXT", help="default: the file's name")


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="HOST:PORT", help="a running service")
    parser.add_argument("--token", help="its bearer token (default: the one in the settings)")
    parser.add_argument("--tls-ca", type=Path, metavar="PEM", help="connect by TLS")


def _names(kind: Iterable[str]) -> str:
    return ", ".join(name.replace("_", "-") for name in kind)


def _view(text: str) -> View:
    return View(text.replace("-", "_"))


def _formats(text: str) -> frozenset[Format]:
    return frozenset(Format(name.strip()) for name in text.split(",") if name.strip())


def _render_options(options: argparse.Namespace) -> RenderOptions:
    source: Path = options.input
    title = clean_title(options.title if options.title is not None else source.stem)
    return RenderOptions(
        options.view,
        options.transpose,
        options.formats,
        title,
        simple_chords=options.simple_chords,
        paper=options.paper,
    )


# ---------------------------------------------------------------------------------------- serve


def _serve(options: argparse.Namespace, settings: Settings) -> None:
    configure_logging(settings.log_level)
    asyncio.run(_run_service(settings))
    # Everything is closed. An orderly exit would wait for a thread that is still inside a model,
    # and spend seconds on unloading torch.
    sys.stderr.flush()
    os._exit(0)


async def _run_service(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    from inference_service.assembly import build_service

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = build_service(settings)
    await service.start()
    loading = asyncio.create_task(service.load())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([loading, waiting], return_when=asyncio.FIRST_COMPLETED)
    failure = loading.exception() if loading.done() else None
    if failure is not None:  # without its models the service is of no use: say why, and end
        waiting.cancel()
        await service.stop(drain_s=0.0)
        raise failure
    await waiting
    await service.stop()
    loading.cancel()
    await asyncio.wait([loading])


# ----------------------------------------------------------------------------------- transcribe


def _transcribe(options: argparse.Namespace, settings: Settings) -> None:
    wanted = TranscribeOptions(options.preset, _render_options(options))
    data = _read(options.input, settings.audio.max_bytes)
    with _progress_bar() as report:
        if options.server is not None:
            with _connect(options, settings, admin=False) as client:
                files = client.transcribe(data, wanted, report)
            _write_files(options.out, [(file.name, bytes(file.data)) for file in files])
        else:
            _write_files(options.out, _transcribe_here(data, wanted, settings, report))


def _transcribe_here(
    data: bytes,
    wanted: TranscribeOptions,
    settings: Settings,
    report: Callable[[Stage, float], None],
) -> list[tuple[str, bytes]]:
    from inference_service.assembly import Pipeline, build_stages
    from inference_service.engine.meter import build_transcription_meter

    meter = build_transcription_meter(wanted.preset)

    def progress(stage: Stage, fraction: float) -> None:
        report(stage, meter.update(stage, fraction).overall_fraction)

    pipeline = Pipeline(settings.audio, settings.preview)
    stages = build_stages(settings.models)
    kept: dict[str, bytes] = {}
    transcription = pipeline.transcribe(data, wanted.preset, stages, progress, kept)
    artifacts = pipeline.render(transcription, wanted.render, progress, kept)
    return [(artifact.name, artifact.data) for artifact in artifacts]


# ----------------------------------------------------------------------------- separate, notate


def _separate(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import build_limits, build_stages
    from inference_service.audio.decode import decode
    from inference_service.audio.encode import SUFFIXES, SoundFormat, encode
    from inference_service.pipeline.stems import SONG_NAMES, complete

    data = _read(options.input, settings.audio.max_bytes)
    with _progress_bar() as report:
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
        paths = _save(options.out, files)
    _print_paths(paths)


def _notate(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import Pipeline, build_stages
    from inference_service.engine.meter import build_render_meter
    from inference_service.midi.reader import decode_performance

    wanted = _render_options(options)
    performance = decode_performance(_read(options.input, settings.audio.max_bytes))
    meter = build_render_meter()
    pipeline = Pipeline(settings.audio, settings.preview)
    with _progress_bar() as report:
        report(Stage.BEATS, 0.0)
        stages = build_stages(settings.models)
        performance = pipeline.read_performance(performance, options.rhythm, stages)
        artifacts = pipeline.render(
            performance,
            wanted,
            lambda stage, done: report(stage, meter.update(stage, done).overall_fraction),
            {},
        )
    _write_files(options.out, [(artifact.name, artifact.data) for artifact in artifacts])


# ------------------------------------------------------------------------------------- continue


def _continue(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import Pipeline
    from inference_service.continuation.options import ContinuationOptions
    from inference_service.engine.meter import build_continuation_meter

    wanted = ContinueOptions(
        ContinuationOptions(
            options.measures,
            options.style,
            options.seed,
            options.boldness,
            options.context,
            options.alternatives,
        ),
        _render_options(options),
    )
    data = _read(options.input, settings.audio.max_bytes)
    with _progress_bar() as report:
        music = _know_music(data, options.preset, settings, report)
        meter = build_continuation_meter()
        artifacts = Pipeline(settings.audio, settings.preview).continue_music(
            music,
            wanted,
            lambda stage, done: report(stage, meter.update(stage, done).overall_fraction),
        )
    _write_files(options.out, [(artifact.name, artifact.data) for artifact in artifacts])


def _know_music(
    data: bytes, preset: Preset, settings: Settings, report: Callable[[Stage, float], None]
) -> Transcription | Score:
    """Read a MIDI file, MusicXML or a result; hear anything else."""
    from inference_service.assembly import Pipeline, build_stages
    from inference_service.midi.reader import decode_performance
    from inference_service.music.serialization import decode_transcription

    pipeline = Pipeline(settings.audio, settings.preview)
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"MThd"):
        stages = build_stages(settings.models)
        performance = decode_performance(data)
        return pipeline.read_performance(performance, RhythmSource.AUTO, stages)
    if start.startswith(b"{"):
        try:
            return decode_transcription(data)
        except ValidationError as error:
            raise ScoreUnreadable("the JSON is no result of a transcription") from error
    stages = build_stages(settings.models)
    return pipeline.transcribe(data, preset, stages, lambda stage, _: report(stage, 0.0), {})


# --------------------------------------------------------------------------------------- models


def _list_models(options: argparse.Namespace, settings: Settings) -> None:
    if options.server is not None:
        with _connect(options, settings, admin=True) as client:
            rows: list[tuple[str, ...]] = [
                (m.task, m.name, m.version, m.licence, m.state, _megabytes(m.size_bytes))
                for m in client.list_models()
            ]
    else:
        rows = _local_models(settings.models)
    _print_table(("TASK", "MODEL", "VERSION", "LICENCE", "STATE", "FETCH"), rows)


def _local_models(settings: ModelSettings) -> list[tuple[str, ...]]:
    from inference_service.assembly import build_catalog

    catalog = build_catalog(settings.profile)
    choice = catalog.choice(settings.profile, settings.overrides)
    rows: list[tuple[str, ...]] = []
    for task in Task:
        for entry in catalog.models:
            if task not in entry.tasks:
                continue
            fetched = entry.is_fetched(settings.weights)
            state = "default" if choice[task] is entry else "available"
            rows.append(
                (
                    task,
                    entry.name,
                    entry.version,
                    entry.licence,
                    state if fetched else "not fetched",
                    _megabytes(entry.size_bytes),
                )
            )
    return rows


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes else "-"


def _print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())


def _fetch_model(options: argparse.Namespace, settings: Settings) -> None:
    from tqdm import tqdm

    from inference_service.assembly import build_catalog
    from model_zoo.fetch import fetch

    entry = build_catalog(settings.models.profile).named(options.name)
    if not entry.files:
        print(f"{entry.name} comes with its package: nothing to fetch")
        return
    for path, file in zip(entry.paths(settings.models.weights), entry.files, strict=True):
        with tqdm(
            total=file.size_bytes, unit="B", unit_scale=True, desc=file.name, disable=None
        ) as bar:
            fetch(
                file.url,
                path,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                report=lambda done, bar=bar: bar.update(done - bar.n),  # type: ignore[misc]
            )
    print(f"{entry.name} is fetched")


def _use_model(options: argparse.Namespace, settings: Settings) -> None:
    options.server = options.server or settings.server.listen
    with _connect(options, settings, admin=True) as client:
        previous = client.activate(options.task, options.model)
    print(f"{options.task}: {options.model} serves now, instead of {previous}")


def _connect(options: argparse.Namespace, settings: Settings, *, admin: bool) -> Client:
    from inference_service.server.client import Client

    secret = settings.server.token
    if admin and settings.server.admin_token is not None:
        secret = settings.server.admin_token
    token = options.token or (secret.get_secret_value() if secret is not None else None)
    return Client(options.server, token, options.tls_ca)


# ---------------------------------------------------------------------------------------- files


def _read(path: Path, max_bytes: int) -> bytes:
    """Read a file, at most one byte over the limit, which decoding then refuses."""
    with path.open("rb") as file:
        return file.read(max_bytes + 1)


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files, all of them whole or none, and print their paths."""
    _print_paths(_save(folder, files))


def _save(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write files, all of them whole or none; of an iterator, no more than one is held."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary: dict[Path, Path] = {}
    try:
        for name, data in files:
            path = folder / Path(name).name
            temporary[path] = path.with_name(f".{path.name}.tmp")
            temporary[path].write_bytes(data)
        for path, written in temporary.items():
            written.replace(path)
    finally:
        for written in temporary.values():
            written.unlink(missing_ok=True)
    return list(temporary)


def _print_paths(paths: Iterable[Path]) -> None:
    for path in paths:
        print(path)


@contextmanager
def _progress_bar() -> Any:
    """Yield what draws a bar on a terminal and nothing elsewhere."""
    from tqdm import tqdm

    with tqdm(
        total=100,
        disable=None,
        leave=False,
        bar_format="{desc:<12}{percentage:3.0f}% |{bar}| {elapsed}",
    ) as bar:

        def report(stage: Stage, overall_fraction: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.update(max(0.0, 100 * overall_fraction - bar.n))

        yield report
