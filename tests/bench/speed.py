"""Real-time factors by stage, and seconds per page.

The whole path from decoding to files is measured with the default models, after a first request
that loads them.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from inference_service.assembly import build_limits, build_stages
from inference_service.audio.decode import decode
from inference_service.audio.waveform import Waveform
from inference_service.music.events import Transcription
from inference_service.notation.arrange import arrange
from inference_service.notation.engrave import engrave, rasterize
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.pipeline.options import Preset, RenderOptions
from inference_service.pipeline.render import render
from inference_service.pipeline.transcribe import transcribe
from inference_service.progress import Stage, ignore
from inference_service.settings import AudioSettings, ModelSettings
from tests.bench.pop909 import REPORTED_SONGS, load_song
from tests.bench.table import Row
from tests.factories import build_notes, build_scale

TITLE = "Speed: real-time factors of the whole path"
VOICE_TARGET = 0.15
SONG_TARGET = 0.5
PAGE_TARGET_S = 0.5
SONG_S = 60.0


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure the voice preset on five sung melodies, the song preset on a minute of a song."""
    melodies = [path.read_bytes() for path in sorted((data / "voice_dev").glob("*.flac"))[::14]]
    yield from _measure("voice", Preset.VOICE, melodies, VOICE_TARGET)
    song = load_song(data / "symbolic" / "pop909.zip", REPORTED_SONGS[0], cache / "pop909")
    whole = song.waveform()
    samples = whole.samples[:, : round(SONG_S * whole.sample_rate_hz)]
    excerpt = _encode(Waveform(samples, whole.sample_rate_hz))
    yield from _measure("song, without separation", Preset.SONG, [excerpt], SONG_TARGET)


def smoke() -> Iterator[Row]:
    """Measure a synthetic melody; no target, since machines differ."""
    melody = _encode(build_notes(build_scale() * 4))
    yield from _measure("voice", Preset.VOICE, [melody], None)


def _measure(
    name: str, preset: Preset, recordings: list[bytes], target: float | None
) -> Iterator[Row]:
    stages, limits = build_stages(ModelSettings()), build_limits(AudioSettings())
    seconds: dict[str, float] = {}
    duration_s = 0.0
    pages: list[float] = []
    _hear(transcribe(decode(recordings[0], limits, ignore), preset, stages, _ignore))
    for data in recordings:
        start_s = time.perf_counter()
        waveform = decode(data, limits, ignore)
        decode_s = time.perf_counter() - start_s
        transcription = transcribe(waveform, preset, stages, _ignore)
        duration_s += transcription.duration_s
        files_s = _hear(transcription)
        pages.append(_engrave(transcription))
        timings_s = {Stage.DECODE: decode_s, **transcription.timings_s, "files": files_s}
        for stage, taken_s in timings_s.items():
            seconds[stage] = seconds.get(stage, 0.0) + taken_s
    counted = sum(taken for stage, taken in seconds.items() if stage != Stage.SEPARATION)
    yield Row(f"{name}, in all", counted / duration_s, target, at_most=True)
    for stage, taken_s in seconds.items():
        yield Row(f"  {stage}", taken_s / duration_s)
    page_target_s = PAGE_TARGET_S if target is not None else None
    yield Row("  engraving, seconds a page", float(np.mean(pages)), page_target_s, at_most=True)


def _hear(transcription: Transcription) -> float:
    """Return the seconds taken to write every file."""
    start_s = time.perf_counter()
    render(transcription, RenderOptions(), _ignore)
    return time.perf_counter() - start_s


def _engrave(transcription: Transcription) -> float:
    """Return the seconds per page taken to engrave and draw."""
    options = RenderOptions()
    score = arrange(quantize(transcription, options.title), options.view)
    musicxml = encode_musicxml(score)
    start_s = time.perf_counter()
    pages = engrave(musicxml)
    for page in pages:
        rasterize(page)
    return (time.perf_counter() - start_s) / len(pages)


def _encode(waveform: Waveform) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, waveform.samples.T, waveform.sample_rate_hz, format="WAV")
    return target.getvalue()


def _ignore(stage: Stage, fraction: float) -> None:
    """Take progress and do nothing."""
