"""The pages of sung melodies, compared with the printed pages that were sung from.

    python -m tests.bench.sung_pages            a table of every system on both halves
    python -m tests.bench.sung_pages --clips    first, the figures of Notabot's page for each clip

The figures are defined in :mod:`tests.bench.melody_page`. They are averaged over the clips of an
exercise, then over exercises. Constants may be chosen on one half of the exercises; figures and
targets are those of the other half. A checksum of the exercise's name decides the half.

Systems, each on every clip:

- Notabot, with the preset for one voice;
- the same with ``--pitches sung``: pitches rounded to a tuning that follows the singer, instead of
  those that were meant;
- MuseScore 3's import of the notes that Notabot heard;
- MuseScore 3's import of SwiftF0's own notes, rounded to semitones at A440.

MuseScore is given notes at a steady 120 beats a minute, without Notabot's beats, metre and key. Its
pages are cached.
"""

from __future__ import annotations

import argparse
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache as keep
from pathlib import Path
from typing import Final

import numpy as np
from swift_f0 import SwiftF0

from inference_service.assembly import build_limits, build_stages
from inference_service.audio.decode import decode
from inference_service.midi.writer import encode_performance
from inference_service.music.events import Key, NoteEvent, Part, Transcription
from inference_service.music.metre import COMMON_TIME
from inference_service.music.programs import VOICE
from inference_service.pipeline.options import Format, Pitches, Preset, RenderOptions
from inference_service.pipeline.render import render
from inference_service.pipeline.stages import StageSet, Task
from inference_service.pipeline.transcribe import transcribe
from inference_service.pipeline.written import choose_pitches
from inference_service.progress import Stage, ignore
from inference_service.settings import AudioSettings, ModelSettings
from tests.bench import peers
from tests.bench.melody_page import (
    FIGURES,
    MelodyPage,
    PageFigures,
    ReferenceNote,
    ReferencePage,
    judge,
    mean_figures,
    read_page,
    read_reference,
)
from tests.bench.table import Row
from tests.bench.voice import read_clip, segment
from tests.conftest import DATA, ROOT
from tests.factories import encode_audio, sing

TITLE = "Sung pages: melodies whose printed page is known (voice_pages)"
TARGETS: Final = {"pitch": 0.95, "value": 0.97, "metre": 0.88, "barline": 0.93, "bars": 0.80}
"""Lower bounds on the reported half."""

CHOOSING, REPORTED = 0, 1
HALVES: Final = {
    REPORTED: "reported half",
    CHOOSING: "half to choose constants on",
}

OURS: Final = "Notabot"
AS_SUNG: Final = "Notabot, pitches as sung"
SAME_NOTES: Final = "MuseScore 3, Notabot's notes"
RAW_NOTES: Final = "MuseScore 3, SwiftF0's notes"
SYSTEMS: Final = (OURS, AS_SUNG, SAME_NOTES, RAW_NOTES)

_WORDS: Final = {
    "heard": "notes heard",
    "pitch": "right pitch",
    "value": "right value",
    "metre": "right metre",
    "barline": "right place in the bar",
    "bars": "bars exactly right",
}
_MODELS: Final = (Task.VOICE, Task.PITCH, Task.RHYTHM, Task.KEY)
_TUNE: Final = (
    (60, 1), (60, 1), (67, 1), (67, 1), (69, 1), (69, 1), (67, 2),
    (65, 1), (65, 1), (64, 1), (64, 1), (62, 1), (62, 1), (60, 2),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and the page that was sung."""

    audio: Path
    reference: ReferencePage


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """A page, and the notes that it was written from, sorted."""

    page: MelodyPage
    performed: tuple[NoteEvent, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The figures of a page."""

    clip: str
    exercise: str
    figures: PageFigures


def list_clips(data: Path) -> list[Clip]:
    """Return the clips whose printed page is known.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    recordings = data / "voice_dev"
    paths = sorted((data / "voice_pages").glob("*.json"))
    if not paths:
        raise FileNotFoundError(f"no voice_pages in {data}")
    return [
        Clip(
            recordings / f"{path.stem}.flac",
            read_reference(path, recordings / f"{path.stem}.txt"),
        )
        for path in paths
    ]


def find_half(exercise: str) -> int:
    """Return the half that an exercise belongs to, :data:`CHOOSING` or :data:`REPORTED`."""
    return zlib.crc32(exercise.encode()) % 2


def measure(clips: Iterable[Clip], cache: Path) -> dict[str, list[Judged]]:
    """Judge the pages of every clip, by system; peers are left out where they are not installed."""
    stages = build_stages(ModelSettings())
    has_musescore = peers.find_musescore() is not None
    judged: defaultdict[str, list[Judged]] = defaultdict(list)
    for clip in clips:
        ours = transcribe_clip(clip.audio.read_bytes(), stages)
        pages = {
            OURS: write_page(ours, Pitches.MEANT),
            AS_SUNG: write_page(ours, Pitches.SUNG),
        }
        if has_musescore:
            raw = segment(_detector(), read_clip(clip.audio))
            heard = [NoteEvent(on, off, round(pitch)) for on, off, pitch in raw.tolist()]
            pages[SAME_NOTES] = write_by_musescore(pages[OURS].performed, cache)
            pages[RAW_NOTES] = write_by_musescore(heard, cache)
        for system, written in pages.items():
            figures = judge(clip.reference, written.page, written.performed)
            judged[system].append(Judged(clip.audio.stem, clip.reference.exercise, figures))
    return dict(judged)


def average(judged: Iterable[Judged]) -> PageFigures:
    """Return the mean over exercises of the means over their clips."""
    exercises: defaultdict[str, list[PageFigures]] = defaultdict(list)
    for page in judged:
        exercises[page.exercise].append(page.figures)
    return mean_figures([mean_figures(clips) for clips in exercises.values()])


# Systems


def write_page(transcription: Transcription, pitches: Pitches) -> WrittenPage:
    """Return the page that the service writes."""
    wanted = RenderOptions(formats=frozenset({Format.MUSICXML}), pitches=pitches)
    (page,) = render(transcription, wanted, _unheard).artifacts
    parts = choose_pitches(transcription, pitches).parts
    notes = sorted(note for part in parts if not part.is_drum for note in part.notes)
    return WrittenPage(read_page(page.data), tuple(notes))


def write_by_musescore(notes: Sequence[NoteEvent], cache: Path) -> WrittenPage:
    """Return the page that MuseScore 3 makes of notes; see :func:`import_page`."""
    transcription = Transcription(
        duration_s=max((note.offset_s for note in notes), default=0.0),
        tuning_cents=0.0,
        tempo_bpm=120.0,
        time_signature=str(COMMON_TIME),
        key=Key("C", "major"),
        parts=(Part("vocals", "Vocals", tuple(notes), VOICE),),
        beats=(),
        chords=(),
    )
    return WrittenPage(import_page(transcription, cache), tuple(notes))


def import_page(transcription: Transcription, cache: Path) -> MelodyPage:
    """Return MuseScore 3's page of the first part, given all notes without beats, metre and key.

    Raises
    ------
    FileNotFoundError
        If MuseScore 3 is not installed.
    subprocess.SubprocessError
        If it fails, or takes more than ten minutes.
    """
    midi = encode_performance(
        replace(
            transcription,
            tempo_bpm=120.0,
            time_signature=str(COMMON_TIME),
            key=Key("C", "major"),
            beats=(),
            chords=(),
            placements=(),
        )
    )
    name = hashlib.sha256(midi).hexdigest()[:24]
    cached = cache / "sung_pages" / "musescore3" / f"{name}.musicxml.gz"
    return read_page(peers.import_by_musescore(midi, cached))


def transcribe_clip(audio: bytes, stages: StageSet) -> Transcription:
    """Return what is heard in a recording of one voice."""
    waveform = decode(audio, build_limits(AudioSettings()), ignore)
    return transcribe(waveform, Preset.VOICE, stages, _unheard)


@keep
def _detector() -> SwiftF0:
    return SwiftF0(threads=2)


def _unheard(stage: Stage, fraction: float) -> None:
    """Report progress to nobody."""


# The section of the bench


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure every system on both halves.

    Raises
    ------
    FileNotFoundError
        If the pages or their recordings are absent.
    """
    judged = measure(list_clips(data), cache)
    for system in SYSTEMS:
        if system not in judged:
            yield Row(f"{system}: skipped, as musescore3 is not installed", float("nan"))
            continue
        for half, title in HALVES.items():
            pages = [page for page in judged[system] if find_half(page.exercise) == half]
            targets = TARGETS if (system, half) == (OURS, REPORTED) else {}
            yield from _rows(f"{system}, {title}, {_count(pages)}", pages, targets)


def _rows(title: str, pages: Sequence[Judged], targets: Mapping[str, float]) -> Iterator[Row]:
    figures = average(pages)
    yield Row(f"{title}: {_WORDS['bars']}", figures.bars, targets.get("bars"))
    for name in FIGURES:
        if name != "bars":
            yield Row(f"  {_WORDS[name]}", getattr(figures, name), targets.get(name))


def _count(pages: Sequence[Judged]) -> str:
    return f"{len(pages)} clips of {len({page.exercise for page in pages})} exercises"


def smoke() -> Iterator[Row]:
    """Measure on a synthetic singer of a tune in 4/4, at 120 beats a minute."""
    starts = np.cumsum([0, *(quarters for _, quarters in _TUNE)]) / 2
    notes = [
        NoteEvent(float(start_s), float(start_s) + quarters / 2 - 0.02, pitch)
        for start_s, (pitch, quarters) in zip(starts, _TUNE, strict=False)
    ]
    printed = tuple(ReferenceNote(n.onset_s, 2 * n.onset_s, n.pitch) for n in notes)
    sung = sing(notes)
    audio = encode_audio(sung.samples, "flac", rate_hz=sung.sample_rate_hz)
    written = write_page(transcribe_clip(audio, build_stages(ModelSettings())), Pitches.MEANT)
    figures = judge(ReferencePage("tune", (COMMON_TIME,), printed), written.page, written.performed)
    for name in FIGURES:
        target = {"heard": 0.9, "pitch": 0.9}.get(name)
        yield Row(f"a sung tune: {_WORDS[name]}", getattr(figures, name), target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every system's figures as a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sung_pages", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--clips", action="store_true", help="print every clip, the worst page first"
    )
    options = parser.parse_args(arguments)
    judged = measure(list_clips(DATA), ROOT / "var" / "bench")
    if options.clips:
        for page in sorted(judged[OURS], key=lambda page: page.figures.bars):
            print(f"{page.clip:>16} {page.exercise:<20}", _format(page.figures, "  "))
    models = build_stages(ModelSettings()).models
    print("models: " + ", ".join(models[task] for task in _MODELS) + "\n")
    print(f"| system | {' | '.join(FIGURES)} |\n|{'---|' * (len(FIGURES) + 1)}")
    for system, pages in judged.items():
        for half, title in HALVES.items():
            chosen = [page for page in pages if find_half(page.exercise) == half]
            print(f"| {system}, {title} ({_count(chosen)}) | {_format(average(chosen), ' | ')} |")
        print(f"| {system}, all ({_count(pages)}) | {_format(average(pages), ' | ')} |")


def _format(figures: PageFigures, separator: str) -> str:
    return separator.join(f"{getattr(figures, name):.3f}" for name in FIGURES)


if __name__ == "__main__":
    main()
