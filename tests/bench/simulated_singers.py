"""Melodies of held-out songs, sung by a simulated singer: pages, and how sure their readings are.

    python -m tests.bench.simulated_singers DIR    DIR: the archives of songs, as zip files

The singer's tempo drifts, notes come early or late with heavy tails, long notes and the pauses
after them last as long as breath does, some notes are lost or wrong. The magnitudes are those of
the intervals between notes of voice_pages, on the half to choose constants on. Pages are judged as
in :mod:`tests.bench.melody_page`.

The second table compares the probability of the chosen reading with how often it is right: that is,
in the right metre, with at least :data:`MOSTLY` of the notes at their place in the bar.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from inference_service.assembly import build_stages
from inference_service.music.events import Key, NoteEvent, Part, Transcription
from inference_service.music.metre import TimeSignature
from inference_service.music.programs import VOICE
from inference_service.pipeline.options import Pitches, Preset
from inference_service.pipeline.stages import RhythmReader
from inference_service.rhythm.from_notes.score_network import METRES
from inference_service.settings import ModelSettings
from model_zoo.training.rhythm.barred import BarredMelody, bar_melody
from model_zoo.training.rhythm.corpora import is_dev
from model_zoo.training.sources.melodies import find_melody, iterate_scores
from tests.bench.melody_page import (
    FIGURES,
    PageFigures,
    ReferenceNote,
    ReferencePage,
    judge,
    mean_figures,
)
from tests.bench.sung_pages import write_page

EXCERPTS: Final = 2
"""Excerpts of each melody."""

SEED: Final = 1
MIN_NOTES: Final = 16
SHORTEST_BARS, LONGEST_BARS = 8, 24
MOSTLY: Final = 0.8
EDGES: Final = (0.0, 0.4, 0.6, 0.8, 0.9, 1.0)

_TONICS: Final = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_RELATED: Final = (-3, 3, 5, 7)
_EQUAL: Final = {(4, 4): (2, 4), (2, 4): (4, 4), (3, 8): (6, 8), (12, 8): (6, 8)}
"""Metres that are as right as another one."""


@dataclass(frozen=True, slots=True)
class Song:
    """What is sung, in a key, from a page."""

    notes: tuple[NoteEvent, ...]
    key: Key
    page: ReferencePage


@dataclass(frozen=True, slots=True)
class Read:
    """The figures of a page, and the probability of its reading."""

    figures: PageFigures
    probability: float

    @property
    def is_right(self) -> bool:
        """Whether metre and bars are right."""
        return self.figures.metre == 1.0 and self.figures.barline >= MOSTLY


def sing(melody: BarredMelody, rng: Generator) -> Song | None:
    """Sing an excerpt; None if it has too few notes."""
    bars = int(rng.integers(SHORTEST_BARS, LONGEST_BARS + 1))
    begin_q = _draw_phrase(melody, rng) if rng.random() < 0.5 else 0.0
    end_q = begin_q + bars * melody.bar_q
    inside = (melody.onset_q >= begin_q) & (melody.onset_q < end_q)
    if inside.sum() < MIN_NOTES:
        return None
    onset_q, duration_q = melody.onset_q[inside], melody.duration_q[inside]
    metre = METRES[melody.metre]
    quarter_s = 60 / 95 if metre[1] == 4 else 40 / 70
    quarter_s *= 2.0 ** -rng.normal(0, 0.3)
    steps_q = np.diff(onset_q)
    quarter_s = max(quarter_s, 0.13 / float(np.percentile(steps_q, 10)))
    looseness = float(rng.choice([0.4, 1.0, 1.0, 1.5]))
    onset_s = _time_onsets(steps_q, quarter_s, looseness, rng)
    until_s = np.append(np.diff(onset_s), 2 * quarter_s)
    lasts_s = np.minimum(until_s, 1.2 * quarter_s * duration_q)
    lasts_s = np.maximum(lasts_s * rng.uniform(0.5, 0.98, len(onset_s)), 0.05)
    printed = melody.pitch[inside] + int(rng.integers(-5, 6))
    wrong = rng.random(len(printed)) < 0.02
    pitch = np.where(wrong, printed + rng.choice([-2, -1, 1, 2], len(printed)), printed)
    heard = rng.random(len(onset_s)) >= rng.choice([0.0, 0.0, 0.02, 0.05])
    tonic = melody.tonic + int(printed[0] - melody.pitch[inside][0])
    if rng.random() < 0.1:
        tonic += int(rng.choice(_RELATED))
    rows = list(zip(onset_s.tolist(), (onset_s + lasts_s).tolist(), pitch.tolist(), strict=True))
    page = ReferencePage(
        exercise="",
        metres=tuple(TimeSignature(*m) for m in (metre, _EQUAL.get(metre)) if m),
        notes=tuple(
            ReferenceNote(time_s, position_q, int(number))
            for time_s, position_q, number in zip(
                onset_s.tolist(), (onset_q - melody.phase_q).tolist(), printed, strict=True
            )
        ),
    )
    notes = tuple(NoteEvent(*row) for row, kept in zip(rows, heard, strict=True) if kept)
    return Song(notes, Key(_TONICS[tonic % 12], "major"), page)


def _draw_phrase(melody: BarredMelody, rng: Generator) -> float:
    """Return where a phrase begins, after a long note; 0 if there are none."""
    steps_q = np.diff(melody.onset_q)
    early = melody.onset_q[1:] < melody.onset_q[-1] - 6 * melody.bar_q
    starts_q = melody.onset_q[1:][(steps_q >= 2 * np.median(steps_q)) & early]
    return float(rng.choice(starts_q)) if len(starts_q) else 0.0


def _time_onsets(
    steps_q: np.ndarray[tuple[int], np.dtype[np.float64]],
    quarter_s: float,
    looseness: float,
    rng: Generator,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return when notes begin, ascending, for the written steps between them."""
    octaves = np.zeros(len(steps_q))
    drift = 0.0
    for index, step_q in enumerate(steps_q):
        drift = 0.95**step_q * drift + rng.normal(0, 0.05 * np.sqrt(min(step_q, 4.0)))
        octaves[index] = looseness * drift
    is_long = (steps_q >= 1.5) | (steps_q >= 2 * np.median(steps_q))
    breaths = np.clip(0.07 * looseness * rng.standard_t(2, len(steps_q)), -0.3, 0.8)
    steps_s = steps_q * quarter_s * 2.0 ** (octaves + np.where(is_long, breaths, 0.0))
    errors_s = np.clip(0.018 * looseness * rng.standard_t(3, len(steps_q) + 1), -0.15, 0.15)
    onset_s = np.concatenate([[0.0], np.cumsum(steps_s)]) + errors_s
    for index in range(1, len(onset_s)):
        onset_s[index] = max(onset_s[index], onset_s[index - 1] + 0.06)
    return np.asarray(onset_s - onset_s[0], np.float64)


def draw_songs(melodies: Iterable[BarredMelody], seed: int = SEED) -> list[Song]:
    """Sing :data:`EXCERPTS` excerpts of each melody, leaving out those that are too short."""
    rng = np.random.default_rng(seed)
    sung = [sing(melody, rng) for melody in melodies for _ in range(EXCERPTS)]
    return [song for song in sung if song is not None]


def read(song: Song, reader: RhythmReader) -> Read:
    """Write the page of what is sung, and judge it."""
    rhythm = reader.estimate(song.notes, song.key)
    assert rhythm is not None, "there are many notes"
    transcription = reader.place(
        Transcription(
            duration_s=song.notes[-1].offset_s,
            tuning_cents=0.0,
            tempo_bpm=rhythm.tempo_bpm,
            time_signature=rhythm.time_signature,
            key=song.key,
            parts=(Part("vocals", "Vocals", song.notes, VOICE),),
            beats=rhythm.beats,
            chords=(),
            preset=Preset.VOICE,
        )
    )
    written = write_page(transcription, Pitches.MEANT)
    figures = judge(song.page, written.page, written.performed)
    return Read(figures, rhythm.readings[0].probability)


def load_held_out(folder: Path) -> list[BarredMelody]:
    """Return the melodies of songs that the network did not learn from."""
    found = []
    for piece in iterate_scores(folder):
        melody = find_melody(piece) if is_dev(piece) else None
        barred = bar_melody(piece, melody) if melody else None
        if barred:
            found.append(barred)
    return found


def print_tables(pages: Sequence[Read]) -> None:
    """Print the mean figures, and how often readings of a probability are right."""
    figures = mean_figures([page.figures for page in pages])
    print(f"| pages | {' | '.join(FIGURES)} |\n|{'---|' * (len(FIGURES) + 1)}")
    print(f"| {len(pages)} | {' | '.join(f'{getattr(figures, n):.3f}' for n in FIGURES)} |\n")
    print("| probability | pages | mean | right |\n|---|---|---|---|")
    for low, high in pairwise(EDGES):
        own = [p for p in pages if low <= p.probability < high or p.probability == high == 1.0]
        if own:
            mean = np.mean([page.probability for page in own])
            right = np.mean([page.is_right for page in own])
            print(f"| {low} to {high} | {len(own)} | {mean:.2f} | {right:.2f} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.simulated_singers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    options = parser.parse_args(arguments)
    reader = build_stages(ModelSettings()).rhythm
    print_tables([read(song, reader) for song in draw_songs(load_held_out(options.data))])


if __name__ == "__main__":
    main()
