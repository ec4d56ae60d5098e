"""The pages of rendered songs' melodies, compared with the printed tunes that were sung.

    python -m tests.bench.song_pages            a table of every system on both halves
    python -m tests.bench.song_pages --songs    first, the figures of Notabot's page for each song

40 tunes (:mod:`tests.bench.song_tunes`) are rendered with a singer and an accompaniment
(:mod:`tests.bench.song_rendering`), and transcribed with the preset for songs. The melody of the
lead sheet is judged by :mod:`tests.bench.melody_page`. Constants may be chosen on one half of the
songs; figures and the target are those of the other half. A checksum of the name decides the half.

The peer is MuseScore 3's import of all notes that Notabot heard, at a steady 120 beats a minute
without beats, metre and key; its page is that of the vocals. Renderings and its pages are cached.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from inference_service.assembly import build_limits, build_stages
from inference_service.audio.decode import decode
from inference_service.music.events import NoteEvent, Transcription
from inference_service.music.metre import COMMON_TIME
from inference_service.notation.views import View
from inference_service.pipeline.options import Format, Preset, RenderOptions
from inference_service.pipeline.render import render
from inference_service.pipeline.stages import StageSet, Task
from inference_service.pipeline.transcribe import VOCALS, transcribe
from inference_service.progress import Stage, ignore
from inference_service.settings import AudioSettings, ModelSettings
from model_zoo.training.sources.groove import read_grooves
from tests.bench import peers
from tests.bench.melody_page import (
    FIGURES,
    PageFigures,
    ReferenceNote,
    ReferencePage,
    judge,
    mean_figures,
    read_page,
    read_reference,
)
from tests.bench.song_rendering import RenderedSong, load_voices, render_song
from tests.bench.song_tunes import load_tunes
from tests.bench.sung_pages import HALVES, REPORTED, Judged, WrittenPage, find_half, import_page
from tests.bench.table import Row
from tests.conftest import DATA, ROOT
from tests.factories import build_notes, encode_audio, sing

TITLE = "Songs' pages: the melodies of rendered songs"
TARGETS: Final = {"bars": 0.60}
"""Lower bounds on the reported half."""

OURS: Final = "Notabot"
SAME_NOTES: Final = "MuseScore 3, Notabot's notes"
SYSTEMS: Final = (OURS, SAME_NOTES)

_WORDS: Final = {
    "bars": "bars exactly right",
    "heard": "notes heard",
    "pitch": "right pitch",
    "value": "right value",
    "metre": "right metre",
    "barline": "right place in the bar",
}
_MODELS: Final = (Task.SEPARATION, Task.VOICE, Task.PITCH, Task.BEATS, Task.RHYTHM, Task.KEY)


def render_songs(data: Path, cache: Path) -> Iterator[RenderedSong]:
    """Render all songs that are not in the cache.

    Raises
    ------
    FileNotFoundError
        If an archive, a soundfont, FluidSynth or espeak-ng is missing.
    """
    symbolic, folder = data / "symbolic", cache / "song_pages"
    bank = load_voices(folder)
    grooves = list(read_grooves(symbolic / "groove_midi.zip"))
    for number, tune in enumerate(load_tunes(symbolic)):
        yield render_song(tune, number, grooves, bank, folder)


def measure(songs: Iterable[RenderedSong], cache: Path) -> dict[str, list[Judged]]:
    """Judge the melodies' pages, by system; the peer is left out where it is not installed."""
    stages = build_stages(ModelSettings())
    has_musescore = peers.find_musescore() is not None
    judged: defaultdict[str, list[Judged]] = defaultdict(list)
    for song in songs:
        reference = read_reference(song.reference, song.labels)
        heard = transcribe_song(song.audio.read_bytes(), stages)
        pages = {OURS: write_melody(heard)}
        if has_musescore:
            imported = import_page(heard, cache)
            pages[SAME_NOTES] = WrittenPage(imported, find_vocals(heard))
        for system, written in pages.items():
            figures = judge(reference, written.page, written.performed)
            judged[system].append(Judged(song.audio.stem, reference.exercise, figures))
    return dict(judged)


def transcribe_song(audio: bytes, stages: StageSet) -> Transcription:
    """Transcribe a recording as a song."""
    waveform = decode(audio, build_limits(AudioSettings()), ignore)
    return transcribe(waveform, Preset.SONG, stages, _unheard)


def write_melody(heard: Transcription) -> WrittenPage:
    """Return the melody of the lead sheet that the service writes."""
    wanted = RenderOptions(view=View.LEAD_SHEET, formats=frozenset({Format.MUSICXML}))
    (page,) = render(heard, wanted, _unheard).artifacts
    return WrittenPage(read_page(page.data), find_vocals(heard))


def find_vocals(heard: Transcription) -> tuple[NoteEvent, ...]:
    """Return the notes of the vocals, sorted."""
    return tuple(sorted(n for part in heard.parts if part.id == VOCALS for n in part.notes))


def _unheard(stage: Stage, fraction: float) -> None:
    """Report progress to nobody."""


# The section of the bench


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure every system on both halves.

    Raises
    ------
    FileNotFoundError
        If an archive, a soundfont, FluidSynth or espeak-ng is missing.
    """
    judged = measure(render_songs(data, cache), cache)
    for system in SYSTEMS:
        if system not in judged:
            yield Row(f"{system}: skipped, as musescore3 is not installed", float("nan"))
            continue
        for half, title in HALVES.items():
            figures, count = _average(judged[system], half)
            targets = TARGETS if (system, half) == (OURS, REPORTED) else {}
            for name, words in _WORDS.items():
                what = (
                    f"{system}, {title}, {count} songs: {words}" if name == "bars" else f"  {words}"
                )
                yield Row(what, getattr(figures, name), targets.get(name))


def _average(judged: Sequence[Judged], half: int) -> tuple[PageFigures, int]:
    """Return the mean figures of a half, and the number of its songs."""
    pages = [page.figures for page in judged if find_half(page.exercise) == half]
    return mean_figures(pages), len(pages)


def smoke() -> Iterator[Row]:
    """Measure on a synthetic singer with chords, in 4/4 at 120 beats a minute."""
    tune = (60, 62, 64, 65, 67, 67, 69, 69, 67, 65, 64, 62, 60)
    notes = [NoteEvent(0.5 * k, 0.5 * k + 0.45, pitch) for k, pitch in enumerate(tune)]
    chords = [
        NoteEvent(float(second), second + 0.9, pitch)
        for second in range(6)
        for pitch in ((48, 52, 55), (43, 47, 50))[second % 2]
    ]
    printed = tuple(ReferenceNote(n.onset_s, 2 * n.onset_s, n.pitch) for n in notes)
    voice, band = sing(notes), build_notes(chords)
    count = min(voice.samples.shape[1], band.samples.shape[1])
    samples = 0.6 * voice.samples[:, :count] + 0.4 * band.samples[:, :count]
    audio = encode_audio(samples, "flac", rate_hz=voice.sample_rate_hz)
    written = write_melody(transcribe_song(audio, build_stages(ModelSettings())))
    figures = judge(ReferencePage("tune", (COMMON_TIME,), printed), written.page, written.performed)
    for name in FIGURES:
        target = {"heard": 0.7}.get(name)
        yield Row(f"a song's melody: {_WORDS[name]}", getattr(figures, name), target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every system's figures as a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.song_pages", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--songs", action="store_true", help="print every song, the worst first")
    options = parser.parse_args(arguments)
    cache = ROOT / "var" / "bench"
    judged = measure(render_songs(DATA, cache), cache)
    if options.songs:
        for page in sorted(judged[OURS], key=lambda page: page.figures.bars):
            print(f"{page.exercise[:40]:<40}", _format(page.figures, "  "))
    models = build_stages(ModelSettings()).models
    print("models: " + ", ".join(models[task] for task in _MODELS) + "\n")
    print(f"| system | {' | '.join(FIGURES)} |\n|{'---|' * (len(FIGURES) + 1)}")
    for system, pages in judged.items():
        for half, title in HALVES.items():
            figures, count = _average(pages, half)
            print(f"| {system}, {title} ({count} songs) | {_format(figures, ' | ')} |")


def _format(figures: PageFigures, separator: str) -> str:
    return separator.join(f"{getattr(figures, name):.3f}" for name in FIGURES)


if __name__ == "__main__":
    main()
