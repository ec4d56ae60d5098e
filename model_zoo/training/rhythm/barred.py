"""Melodies of scores with their bars, from which the melody bar network learns.

The corpora are named in :data:`CORPORA`. The melody of a song or hymn is taken
(:func:`.melodies.find_melody`), or all lines of other music (:func:`.melodies.find_lines`).
One piece in twenty is held out, by its name. What is learnt from has no melody that shares a tune
with one held out, nor a line of another edition or repeat of what was read before; and its rests
are shortened to at most a bar or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.melody_network import BAR_TICKS, QUARTER_TICKS
from inference_service.rhythm.from_notes.score_network import METRES
from model_zoo.training.rhythm.corpora import is_dev
from model_zoo.training.sources.kern import read_kern_archive
from model_zoo.training.sources.melodies import (
    WrittenMelody,
    find_key,
    find_lines,
    find_melody,
    iterate_scores,
)
from model_zoo.training.sources.music21_corpus import iterate_tunes
from model_zoo.training.sources.mutopia import read_mutopia
from model_zoo.training.sources.pop909 import count_songs, read_melody
from model_zoo.training.sources.scores import WrittenPiece, parse_score, read_archive

SONGS: Final = "songs"
POLISH, CHOPIN, MUTOPIA = "polish_scores", "chopin_first_editions", "mutopia"
QUARTETS, POP909, TUNES = "openscore_quartets", "pop909", "tunes"
CORPORA: Final = (SONGS, POLISH, CHOPIN, MUTOPIA, QUARTETS, POP909, TUNES)
"""SONGS are the archives of :mod:`.sources.melodies`; TUNES are those in music21's corpus."""

MIN_BARS: Final = 6
MIN_NOTES: Final = 16
LONGEST_REST_BARS: Final = 2

SHINGLE: Final = 8
MOST_SHARED: Final = 0.25
"""Melodies share a tune if more than this share of the sequences of ``SHINGLE`` intervals, in pitch
and in relative time, is the same. Set by hand."""

_SAME_METRE: Final = {(2, 2): (4, 4), (4, 8): (2, 4)}
_MIN_SAME_METRE: Final = 0.95
_MIN_SAME_PHASE: Final = 0.9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BarredMelody:
    """A melody of N notes whose bars are all of one metre of METRES.

    Attributes
    ----------
    onset_q, duration_q : np.ndarray, shape (N,)
        In quarters, in the values of that metre.
    pitch : np.ndarray of int, shape (N,)
    tonic : int
        Pitch class.
    metre : int
        Index in METRES.
    phase_q : float
        Where bars begin, modulo the length of a bar.
    corpus : str
        One of :data:`CORPORA`.
    """

    onset_q: Floats
    duration_q: Floats
    pitch: NDArray[np.int64]
    tonic: int
    metre: int
    phase_q: float
    corpus: str = SONGS

    @property
    def bar_q(self) -> float:
        """Length of a bar in quarters."""
        return BAR_TICKS[self.metre] / QUARTER_TICKS

    def find_phase(self, first_q: float) -> int:
        """Return how many ticks after a note's tick the next bar begins, 0 included."""
        ticks = round((self.phase_q - floor_to_tick(first_q)) * QUARTER_TICKS)
        return ticks % BAR_TICKS[self.metre]


def floor_to_tick(position_q: float) -> float:
    """Return the last tick that is not after a position, in quarters."""
    return float(np.floor(position_q * QUARTER_TICKS) / QUARTER_TICKS)


@dataclass(frozen=True, slots=True)
class Melodies:
    """Melodies to learn from; those held out of songs and hymns; and those of other music."""

    learnt: tuple[BarredMelody, ...]
    held_out: tuple[BarredMelody, ...]
    held_out_others: tuple[BarredMelody, ...] = ()


def load_melodies(folder: Path, tunes: Path | None = None) -> Melodies:
    """Read the corpora in a folder, as zip files, which takes a quarter of an hour.

    Only the archives of songs must be there.

    Parameters
    ----------
    tunes : Path, optional
        Folder of music21's corpus; by default, that of the installed package. No tunes are read
        where it is not installed.
    """
    groups: dict[str, list[BarredMelody]] = {"learnt": [], "held out": [], "others": []}
    for corpus, pieces in _iterate_corpora(folder, tunes):
        for piece in pieces:
            if corpus == SONGS:
                melody = find_melody(piece)
                lines = [melody] if melody else []
            else:
                lines = find_lines(piece)
            barred = [bar_melody(piece, line, corpus) for line in lines]
            group = "learnt" if not is_dev(piece) else "held out" if corpus == SONGS else "others"
            groups[group] += [melody for melody in barred if melody is not None]
    learnt = drop_known(groups["learnt"], [*groups["held out"], *groups["others"]])
    return Melodies(
        tuple(shorten_rests(melody) for melody in learnt),
        tuple(groups["held out"]),
        tuple(shorten_rests(melody) for melody in groups["others"]),
    )


def _iterate_corpora(
    folder: Path, tunes: Path | None
) -> Iterator[tuple[str, Iterable[WrittenPiece]]]:
    yield SONGS, iterate_scores(folder)
    readers: dict[str, Callable[[Path], Iterable[WrittenPiece]]] = {
        POLISH: read_kern_archive,
        CHOPIN: read_kern_archive,
        MUTOPIA: read_mutopia,
        QUARTETS: _read_scores,
        POP909: _read_pop909,
    }
    for corpus, read in readers.items():
        path = folder / f"{corpus}.zip"
        if path.exists():
            yield corpus, read(path)
    if find_spec("music21"):
        yield TUNES, iterate_tunes(tunes)


def _read_scores(archive: Path) -> Iterator[WrittenPiece]:
    for name, text in read_archive(archive):
        try:
            yield parse_score(name, text)
        except ValueError:
            continue  # a score without notes


def _read_pop909(archive: Path) -> Iterator[WrittenPiece]:
    for number in range(1, count_songs(archive) + 1):
        try:
            yield read_melody(archive, number)
        except ValueError:
            continue  # no melody, or no bars


def bar_melody(
    piece: WrittenPiece, melody: WrittenMelody, corpus: str = SONGS
) -> BarredMelody | None:
    """Return a melody of a piece with its bars; None if it is too short, or these are irregular.

    Cut time counts as 4/4. Other metres in halves are halved to metres in quarters.
    """
    bars = len(piece.bar_start_q)
    if len(melody.pitch) < MIN_NOTES or bars < MIN_BARS:
        return None
    signatures = np.stack([piece.bar_beats, piece.bar_unit], axis=1)
    found, counts = np.unique(signatures, axis=0, return_counts=True)
    beats, unit = (int(value) for value in found[counts.argmax()])
    scale = 0.5 if unit == 2 and beats != 2 else 1.0
    written = (beats, 4) if scale == 0.5 else _SAME_METRE.get((beats, unit), (beats, unit))
    if counts.max() < _MIN_SAME_METRE * bars or written not in METRES:
        return None
    metre = METRES.index(written)
    length = BAR_TICKS[metre]
    ticks = np.round(piece.bar_start_q * scale * QUARTER_TICKS).astype(np.int64)
    phases = np.bincount(ticks % length, minlength=length)
    if phases.max() < _MIN_SAME_PHASE * bars:
        return None
    return BarredMelody(
        onset_q=melody.onset_q * scale,
        duration_q=melody.duration_q * scale,
        pitch=melody.pitch,
        tonic=find_key(melody)[0],
        metre=metre,
        phase_q=int(phases.argmax()) / QUARTER_TICKS,
        corpus=corpus,
    )


def shorten_rests(melody: BarredMelody) -> BarredMelody:
    """Return a melody without the whole bars by which rests exceed LONGEST_REST_BARS.

    Other parts play in them, and a singer who is alone waits less.
    """
    end_q = melody.onset_q + melody.duration_q
    rest_q = melody.onset_q[1:] - np.maximum.accumulate(end_q)[:-1]
    bars = np.floor(rest_q / melody.bar_q - LONGEST_REST_BARS + 1)
    removed_q = np.concatenate([[0.0], np.cumsum(np.maximum(bars, 0) * melody.bar_q)])
    return replace(melody, onset_q=melody.onset_q - removed_q)


def drop_known(
    melodies: Iterable[BarredMelody], held_out: Iterable[BarredMelody]
) -> list[BarredMelody]:
    """Return the melodies that share no tune with those held out, nor with earlier ones."""
    known: set[int] = set()
    for melody in held_out:
        known |= _find_shingles(melody)
    kept = []
    for melody in melodies:
        shingles = _find_shingles(melody)
        if len(shingles & known) <= MOST_SHARED * len(shingles):
            kept.append(melody)
            known |= shingles
    return kept


def _find_shingles(melody: BarredMelody) -> set[int]:
    """Return hashes of the sequences of intervals, in pitch and in relative time."""
    gap_q = np.maximum(np.diff(melody.onset_q), 1 / 12)
    slower = np.round(2 * np.log2(gap_q[1:] / gap_q[:-1])).astype(np.int64).tolist()
    steps = list(zip(np.diff(melody.pitch).tolist(), slower, strict=False))
    return {hash(tuple(steps[i : i + SHINGLE])) for i in range(len(steps) - SHINGLE + 1)}
