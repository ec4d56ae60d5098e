"""Music from any file: a recording, MIDI, MusicXML or a result, recognised by its content."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from inference_service.assembly import Pipeline, build_stages
from inference_service.cli.files import OverallReport, metered
from inference_service.engine.progress_meter import build_transcription_meter
from inference_service.music.events import Transcription
from inference_service.music.score import Score
from inference_service.pipeline.options import Preset, RhythmSource
from inference_service.progress import Stage
from inference_service.settings import Settings

_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_WIDE_XML: Final = (b"\xff\xfe<\x00", b"\xfe\xff\x00<")
"""How XML begins in UTF-16, which older notation editors wrote."""


class Kind(Enum):
    """What a file contains."""

    RECORDING = auto()
    MIDI = auto()
    MUSICXML = auto()
    RESULT = auto()


def recognize(data: bytes) -> Kind:
    """Return a file's kind; anything unknown counts as a recording."""
    start = data[:256].lstrip(_BLANK)
    if data.startswith(b"MThd"):
        return Kind.MIDI
    if start.startswith((b"<", b"PK\x03\x04")) or data.startswith(_WIDE_XML):
        return Kind.MUSICXML
    return Kind.RESULT if start.startswith(b"{") else Kind.RECORDING


def know_music(
    data: bytes, preset: Preset, settings: Settings, report: OverallReport
) -> Transcription | Score:
    """Read the music in a file, transcribing it if it is a recording.

    Raises
    ------
    NotabotError
        If the file cannot be read.
    """
    from inference_service.midi.reader import decode_performance
    from inference_service.music.serialization import decode_transcription
    from inference_service.notation.musicxml_reader import decode_musicxml

    kind = recognize(data)
    if kind is Kind.MUSICXML:
        return decode_musicxml(data)
    if kind is Kind.RESULT:
        return decode_transcription(data)
    pipeline = Pipeline(settings.audio, settings.preview)
    stages = build_stages(settings.models)
    if kind is Kind.MIDI:
        report(Stage.BEATS, 0.0)
        performance = decode_performance(data)
        return pipeline.read_performance(performance, RhythmSource.AUTO, stages)
    progress = metered(report, build_transcription_meter(preset))
    return pipeline.transcribe(pipeline.decode(data, progress), preset, stages, progress, {})
