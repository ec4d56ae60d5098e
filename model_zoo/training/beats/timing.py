"""Performs written music with a simple model of timing.

The tempo is a base tempo times a smooth random curve, slower at the end of some phrases; onsets
have independent errors, chords are spread, durations shortened, and accents follow the bar
slightly. A third of all performances are exact, as a computer plays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from model_zoo.training.sources.piece import VELOCITY, Line, Piece, end_of, warp
from model_zoo.training.sources.scores import WrittenPiece, beats_of, staves_of

MAX_ONSETS_PER_S: Final = 9.0
BPM: Final = (40.0, 200.0)


def perform(
    score: WrittenPiece, lines: list[Line], random: Generator, bpm: float | None = None
) -> Piece:
    """Perform lines whose times are in quarters, at ``bpm`` or at a tempo drawn at random.

    Raises
    ------
    ValueError
        If the music's metre is irregular.
    """
    beats_q, positions, bar_beats, compound = beats_of(score)
    beat_q = float(np.median(np.diff(beats_q)))
    bpm = bpm or draw_bpm(score, beat_q, compound == 1, random)
    written = Piece(score.name, tuple(lines), beats_q, positions, bar_beats, compound)
    end_q = float(beats_q[-1]) + 16.0
    return _perform(written, beat_q, end_q, bpm / 60.0 * beat_q, random)


def humanise(piece: Piece, random: Generator) -> Piece:
    """Perform a piece whose timing is exact, near its own tempos; return any other as it is."""
    if not piece.deadpan:
        return piece
    beat_s = float(np.median(np.diff(piece.beats_s))) if len(piece.beats_s) > 1 else 0.5
    return _perform(piece, beat_s, end_of(piece) + 1.0, 1.0, random)


def _perform(piece: Piece, beat: float, end: float, rate: float, random: Generator) -> Piece:
    """Perform a piece whose times are in any unit, of which ``rate`` pass in a second.

    In that unit, ``beat`` is the length of a beat, and ``end`` is at least the length of the piece.
    """
    deadpan = random.random() < 0.33
    grid = np.arange(0.0, end, beat / 2)
    seconds = _walk(len(grid), beat / 2, rate, piece.bar_beats, deadpan, random)
    jitter_s = 0.0 if deadpan else float(random.uniform(0.003, 0.02))
    downbeats = np.round(piece.beats_s[piece.positions == 1], 3)

    def clock(times: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.interp(times, grid, seconds), np.float64)

    performed = []
    for line in piece.lines:
        notes = line.notes.copy()
        played = (notes[:, 1] - notes[:, 0]) * random.uniform(0.7, 1.0)
        notes[:, 1] = notes[:, 0] + np.maximum(played, 0.05)
        accents = np.isin(np.round(notes[:, 0], 3), downbeats)
        notes[:, 3] += accents * random.uniform(0, 15) + random.normal(0, 6, len(notes))
        notes[:, 3] = np.clip(notes[:, 3], 25, 120)
        notes[:, :2] = clock(notes[:, :2])
        shift_s = random.normal(0.0, jitter_s + 1e-9, len(notes))
        notes[:, :2] = np.maximum(notes[:, :2] + shift_s[:, None], 0.0)
        pedal = line.pedal.copy()
        pedal[:, 0] = clock(pedal[:, 0])
        performed.append(replace(line, notes=notes, pedal=pedal))
    lines = tuple(line for line in performed if len(line.notes))
    return replace(warp(replace(piece, lines=()), clock), lines=lines, deadpan=False)


def draw_bpm(score: WrittenPiece, beat_q: float, compound: bool, random: Generator) -> float:
    """Draw beats per minute that suit the metre and are playable."""
    centre = {0.5: 150.0, 2.0: 70.0}.get(beat_q, 70.0 if compound else 100.0)
    bpm = float(centre * np.exp(random.normal(0.0, 0.3)))
    onsets_per_q = len(np.unique(np.round(score.onset_q, 3))) / max(float(score.onset_q[-1]), 1.0)
    return float(np.clip(min(bpm, 60.0 * MAX_ONSETS_PER_S / onsets_per_q / beat_q), *BPM))


def _walk(
    count: int,
    step_q: float,
    quarters_per_s: float,
    bar_beats: int,
    deadpan: bool,
    random: Generator,
) -> NDArray[np.float64]:
    """Return the time in seconds of each grid point, after a short silence."""
    log_tempo = np.zeros(count)
    if not deadpan:
        for width, depth in ((16 * bar_beats, 0.06), (2 * bar_beats, 0.03), (1, 0.008)):
            course = gaussian_filter1d(random.standard_normal(count), width, mode="reflect")
            course /= course.std() + 1e-9
            log_tempo += random.uniform(0.0, depth) * course
        phrase = 2 * bar_beats * int(random.choice([4, 8]))
        if random.random() < 0.4:
            into = np.arange(count) % phrase
            slowing = np.clip((into - phrase + bar_beats) / bar_beats, 0.0, 1.0)
            log_tempo -= random.uniform(0.05, 0.35) * slowing
    durations_s = step_q / quarters_per_s * np.exp(-log_tempo)
    seconds = np.concatenate([[0.0], np.cumsum(durations_s[:-1])])
    walked: NDArray[np.float64] = seconds + random.uniform(0.0, 1.5)
    return walked


def lines_of(score: WrittenPiece, random: Generator) -> list[Line]:
    """Return a line for each staff, with times in quarters and a random loudness."""
    lines = []
    for line in staves_of(score):
        notes = line.notes.copy()
        notes[:, VELOCITY] = random.uniform(55, 95)
        lines.append(replace(line, notes=notes))
    return lines
