"""A model of expressive performance: from written music to played notes.

The tempo drifts as an autoregressive walk, arches over phrases, slows at their ends, and halts at
fermatas and breaths; chords are spread and the melody leads; ornaments are played out; notes are
held short, legato or by the pedal; some are wrong or missing. Magnitudes are drawn anew for every
performance, from ranges that span those reported for pianists (Repp, "Diversity and commonality in
music performance", JASA 92, 1992; Goebl, "Melody lead in piano performance", JASA 110, 2001; Widmer
and Goebl, "Computational models of expressive music performance", JNMR 33:3, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_zoo.training.sources.scores import MARKS, WrittenPiece

Floats = NDArray[np.float64]

STEP_Q: Final = 0.125
"""Resolution of the tempo curve, in quarters."""

_TRILL, _MORDENT, _TURN, _TREMOLO, _ARPEGGIO, _STACCATO, _FERMATA = range(len(MARKS))
NO_HAND: Final = -1


@dataclass(frozen=True, slots=True)
class Performance:
    """N played notes, sorted by onset, with the written notes behind them.

    Attributes
    ----------
    onset_s, offset_s : np.ndarray, shape (N,)
    pitch, velocity : np.ndarray of int, shape (N,)
    onset_q, duration_q : np.ndarray, shape (N,)
        Written place and length of the note, or of the note that it ornaments.
    extra : np.ndarray of bool, shape (N,)
        True for grace notes and for the notes that an ornament adds.
    hand : np.ndarray of int, shape (N,)
        0 upper staff, 1 lower, :data:`NO_HAND` where the music has no two staves.
    swung : bool
        Whether written eighths were played long and short.
    """

    piece: WrittenPiece
    onset_s: Floats
    offset_s: Floats
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    onset_q: Floats
    duration_q: Floats
    extra: NDArray[np.bool_]
    hand: NDArray[np.int64]
    swung: bool


def select(piece: WrittenPiece, keep: NDArray[np.bool_]) -> WrittenPiece:
    """Return the piece with the notes that ``keep`` selects."""
    return replace(
        piece,
        onset_q=piece.onset_q[keep],
        duration_q=piece.duration_q[keep],
        pitch=piece.pitch[keep],
        part=piece.part[keep],
        staff=piece.staff[keep],
        grace=piece.grace[keep],
        marks=piece.marks[keep],
    )


def perform(piece: WrittenPiece, rng: np.random.Generator, *, solo: bool = False) -> Performance:
    """Play a piece once.

    Parameters
    ----------
    piece : WrittenPiece
        At least one note.
    rng : np.random.Generator
    solo : bool
        One line, sung or played on a melody instrument: looser timing, no pedal.
    """
    style = _Style.draw(rng, solo)
    seconds, swung = _tempo_map(piece, style, rng, solo)
    onset_s = _attack_times(piece, seconds, style, rng)
    offset_s = _releases(piece, seconds, onset_s, style, rng)
    velocity = _velocities(piece, rng)
    hands = np.where(
        np.array(piece.staves)[piece.part] == 2, np.minimum(piece.staff, 2) - 1, NO_HAND
    )
    columns = [
        onset_s,
        offset_s,
        piece.pitch.astype(float),
        velocity,
        piece.onset_q,
        piece.duration_q,
        piece.grace.astype(float),
        hands.astype(float),
    ]
    table = np.stack(columns, axis=1)
    table = np.concatenate([table, _ornaments(piece, table, rng)])
    table = _mistakes(table, style, rng)
    table = table[np.lexsort((table[:, 2], table[:, 0]))]
    table[:, :2] -= table[0, 0]
    table[:, 1] = np.maximum(table[:, 1], table[:, 0] + 0.02)
    return Performance(
        piece=piece,
        onset_s=table[:, 0],
        offset_s=table[:, 1],
        pitch=table[:, 2].astype(np.int64),
        velocity=np.clip(table[:, 3], 1, 127).astype(np.int64),
        onset_q=table[:, 4],
        duration_q=table[:, 5],
        extra=table[:, 6] > 0,
        hand=table[:, 7].astype(np.int64),
        swung=swung,
    )


@dataclass(frozen=True, slots=True)
class _Style:
    """Properties that stay constant through a performance."""

    freedom: float
    chord_spread_s: float
    attack_noise_s: float
    melody_lead_s: float
    agogics: float
    articulation: tuple[float, float]
    staccato: float
    legato: float
    pedal: float
    wrong: float
    on_the_beat: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, solo: bool) -> _Style:
        mechanical = rng.random() < 0.08
        freedom = 0.0 if mechanical else float(rng.gamma(2.5, 0.4))
        loose = 1.8 if solo else 1.0
        return cls(
            freedom=min(freedom, 2.5),
            chord_spread_s=0.0 if mechanical else rng.uniform(0.003, 0.022),
            attack_noise_s=0.0 if mechanical else loose * rng.uniform(0.002, 0.018),
            melody_lead_s=0.0 if mechanical else rng.uniform(-0.005, 0.045),
            agogics=0.0 if mechanical else rng.uniform(0.02, 0.24),
            articulation=tuple(rng.uniform(0.3, 0.9) * rng.uniform(0.6, 1.1, 2)),
            staccato=rng.uniform(0.15, 0.5),
            legato=rng.uniform(0.0, 0.5),
            pedal=0.0 if solo or rng.random() < 0.7 else rng.uniform(0.3, 1.0),
            wrong=rng.choice([0.0, 0.005, 0.02, 0.06], p=[0.3, 0.35, 0.25, 0.1]),
            on_the_beat=bool(rng.random() < 0.35),
        )


def _tempo_map(
    piece: WrittenPiece, style: _Style, rng: np.random.Generator, solo: bool
) -> tuple[tuple[Floats, Floats], bool]:
    """Return the tempo map as knots (quarters, seconds), and whether eighths are swung."""
    stop_q = float((piece.onset_q + piece.duration_q).max()) + 4
    grid_q = np.arange(-2.0, stop_q + STEP_Q, STEP_Q)
    places = np.unique(np.round(piece.onset_q, 3))
    density = len(places) / max(float(places[-1] - places[0]), 1.0)  # attacks per quarter
    rate = rng.lognormal(np.log(2.6 if solo else 4.2), 0.45)  # attacks per second
    quarter_s = float(np.clip(density / rate, 0.2, 2.2))
    beat_q = 1.5 if piece.bar_unit[0] == 8 else 1.0
    log_tempo = style.freedom * (
        _walk(grid_q, beat_q, 0.03, 0.85, rng)
        + _walk(grid_q, beat_q / 2, 0.02, 0.3, rng)
        + _walk(grid_q, 4 * beat_q, 0.1, 0.0, rng)
        + _walk(grid_q, 8 * beat_q, 0.07, 0.7, rng)
        + _arches(piece, grid_q, rng)
    )
    ending_q = rng.uniform(1, 8) * beat_q
    late = np.clip((grid_q - (stop_q - 4 - ending_q)) / ending_q, 0, 1)
    log_tempo -= style.freedom * rng.uniform(0, 0.6) * late**2
    log_tempo -= style.freedom * _retards(piece, grid_q, beat_q, rng)
    step_s = quarter_s * STEP_Q * np.exp(-np.clip(log_tempo, -1.2, 1.2))
    for mark in np.flatnonzero(piece.marks[:, _FERMATA]):
        held = (grid_q >= piece.onset_q[mark]) & (
            grid_q < piece.onset_q[mark] + max(piece.duration_q[mark], STEP_Q)
        )
        step_s[held] *= 1.0 + rng.uniform(0.2, 1.2)
    if style.freedom > 0:
        for bar_q in piece.bar_start_q[1:]:  # a breath, or another tempo from here on
            here = np.searchsorted(grid_q, bar_q)
            chance = rng.random()
            if chance < 0.012 and here > 0:
                step_s[here - 1] += rng.uniform(0.05, 0.5)
            elif chance > 0.997:
                step_s[here:] *= np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.02:
        step_s[:] = quarter_s * STEP_Q
    swung = bool(solo and beat_q == 1.0 and rng.random() < 0.15)
    if swung:
        long = rng.uniform(1.3, 2.0)
        first = (np.round(grid_q / STEP_Q).astype(int) % 8) < 4
        step_s *= np.where(first, 2 * long / (1 + long), 2 / (1 + long))
    seconds = np.concatenate([[0.0], np.cumsum(step_s)[:-1]])
    return _stretch_intervals(places, (grid_q, seconds), style.agogics, rng), swung


def _stretch_intervals(
    places_q: Floats, seconds: tuple[Floats, Floats], deviation: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the tempo map with each interval between attacks lengthened or shortened."""
    times_s = np.interp(places_q, *seconds)
    stretched_s = np.diff(times_s) * np.exp(rng.normal(0.0, deviation, len(times_s) - 1))
    onsets_s = times_s[0] + np.concatenate([[0.0], np.cumsum(stretched_s)])
    moved_s = np.interp(seconds[0], places_q, onsets_s - times_s)
    return seconds[0], np.maximum.accumulate(seconds[1] + moved_s)


def _walk(
    grid_q: Floats, every_q: float, deviation: float, memory: float, rng: np.random.Generator
) -> Floats:
    """Return an autoregressive walk with a value ``every_q`` quarters, interpolated on the grid."""
    count = int((grid_q[-1] - grid_q[0]) / every_q) + 2
    noise = rng.normal(0, deviation, count)
    values = np.empty(count)
    state = 0.0
    for index in range(count):
        state = memory * state + noise[index]
        values[index] = state
    return np.interp(grid_q, grid_q[0] + every_q * np.arange(count), values)


def _arches(piece: WrittenPiece, grid_q: Floats, rng: np.random.Generator) -> Floats:
    """Return a tempo curve that is faster in the middle of a phrase and slower at its ends."""
    bars = int(rng.choice([2, 4, 4, 8]))
    edges = piece.bar_start_q[int(rng.integers(0, bars)) :: bars]
    if len(edges) < 2:
        return np.zeros(len(grid_q))
    index = np.clip(np.searchsorted(edges, grid_q, side="right") - 1, 0, len(edges) - 2)
    phase = np.clip((grid_q - edges[index]) / (edges[index + 1] - edges[index]), 0, 1)
    depth = rng.uniform(0, 0.15) * rng.uniform(0.3, 1.7, len(edges))[index]
    return np.asarray(depth * (1 - 4 * (phase - rng.uniform(0.4, 0.6)) ** 2))


def _retards(
    piece: WrittenPiece, grid_q: Floats, beat_q: float, rng: np.random.Generator
) -> Floats:
    """Return a tempo curve that slows before some bar lines."""
    slower = np.zeros(len(grid_q))
    for bar_q in piece.bar_start_q[1:]:
        if rng.random() < 0.05:
            before = (bar_q - grid_q) / (rng.uniform(0.5, 4) * beat_q)
            here = (before > 0) & (before < 1)
            slower[here] += rng.uniform(0.05, 0.4) * (1 - before[here])
    return slower


def _attack_times(
    piece: WrittenPiece,
    seconds: tuple[Floats, Floats],
    style: _Style,
    rng: np.random.Generator,
) -> Floats:
    """Return the onset of each note, in seconds."""
    placed_s = np.interp(piece.onset_q, *seconds)
    keys, attack = np.unique(np.round(piece.onset_q, 3), return_inverse=True)
    onset_s = placed_s + rng.normal(0, style.attack_noise_s, len(keys))[attack]
    main = ~piece.grace
    onset_s[main] += rng.normal(0, style.chord_spread_s, int(main.sum()))
    top = np.full(len(keys), -1)
    np.maximum.at(top, attack[main], piece.pitch[main])
    size = np.bincount(attack[main], minlength=len(keys))
    leads = main & (piece.pitch == top[attack]) & (size[attack] > 1)
    onset_s[leads] -= style.melody_lead_s
    rolled = np.zeros(len(keys), bool)
    rolled[attack[piece.marks[:, _ARPEGGIO]]] = True
    rolled |= (size > 2) & (rng.random(len(keys)) < 0.02)
    for key in np.flatnonzero(rolled):
        members = np.flatnonzero(main & (attack == key))
        spread = rng.uniform(0.02, 0.09) * np.arange(len(members))
        onset_s[members[np.argsort(piece.pitch[members])]] += spread - (
            0 if style.on_the_beat else spread[-1]
        )
    for key in np.unique(attack[piece.grace]):
        graces = np.flatnonzero(piece.grace & (attack == key))
        grace_s = rng.uniform(0.045, 0.13)
        ahead = np.arange(len(graces), 0, -1) * grace_s
        if style.on_the_beat:
            onset_s[main & (attack == key)] += ahead[0]
        onset_s[graces] = placed_s[graces] - ahead + (ahead[0] if style.on_the_beat else 0)
    return onset_s


def _releases(
    piece: WrittenPiece,
    seconds: tuple[Floats, Floats],
    onset_s: Floats,
    style: _Style,
    rng: np.random.Generator,
) -> Floats:
    """Return the offset of each note, in seconds, as the finger or the pedal ends it."""
    stop_s = np.interp(piece.onset_q + piece.duration_q, *seconds)
    held = np.maximum(stop_s - onset_s, 0.03)
    usual = np.array(style.articulation)[np.minimum(piece.staff, 2) - 1]
    part = np.clip(usual * np.exp(rng.normal(0, 0.3, len(held))), 0.1, 1.3)
    detached = rng.random(len(held)) < 0.06
    part[detached] = rng.uniform(0.25, 0.7, int(detached.sum()))
    part = np.where(piece.marks[:, _STACCATO], style.staccato, part)
    fingers = held * part
    legato = rng.random(len(held)) < style.legato
    fingers[legato] = held[legato] + rng.uniform(-0.02, 0.06, int(legato.sum()))
    offset_s = onset_s + np.where(piece.grace, rng.uniform(0.04, 0.15), fingers)
    if style.pedal:
        every_q = float(rng.choice([1.0, 2.0, 4.0]))
        lifts_q = np.arange(0.0, float(piece.onset_q[-1]) + 12, every_q)
        pressed = rng.random(len(lifts_q)) < style.pedal
        lifts_s = np.interp(lifts_q, *seconds) + rng.uniform(-0.03, 0.1)
        index = np.clip(np.searchsorted(lifts_s, offset_s), 1, len(lifts_s) - 1)
        sustained = pressed[index - 1] & (onset_s < lifts_s[index])
        offset_s = np.where(sustained, np.maximum(offset_s, lifts_s[index]), offset_s)
    return np.asarray(np.maximum(offset_s, onset_s + 0.03))


def _velocities(piece: WrittenPiece, rng: np.random.Generator) -> Floats:
    base, spread = rng.uniform(45, 85), rng.uniform(3, 12)
    curve = np.interp(
        piece.onset_q,
        np.linspace(0, piece.onset_q[-1] + 1, 12),
        np.cumsum(rng.normal(0, 6, 12)),
    )
    velocity = base + curve + rng.normal(0, spread, len(piece.pitch))
    velocity += rng.uniform(0, 0.4) * (piece.pitch - 60)
    on_bar = np.isin(np.round(piece.onset_q, 3), np.round(piece.bar_start_q, 3))
    velocity += rng.uniform(0, 10) * on_bar
    return np.asarray(np.clip(velocity, 12, 120))


def _ornaments(piece: WrittenPiece, table: Floats, rng: np.random.Generator) -> Floats:
    """Return the notes that trills and other ornaments add; main notes are shortened in place."""
    added: list[Floats] = []
    marked = piece.marks[:, [_TRILL, _MORDENT, _TURN, _TREMOLO]]
    for note in np.flatnonzero(marked.any(axis=1) & ~piece.grace):
        row = table[note]
        length_s = max(row[1] - row[0], 0.1)
        pace_s = rng.uniform(0.05, 0.12)
        step = float(rng.choice([1, 2]))
        if marked[note, 0] and rng.random() < 0.9:
            count = min(int(length_s * rng.uniform(0.6, 1.0) / pace_s), 60)
            pitches = [step * (i % 2) for i in range(count)]
            if rng.random() < 0.3:
                pitches = [step * ((i + 1) % 2) for i in range(count)]
        elif marked[note, 1]:
            pitches = [0.0, float(rng.choice([-1, 1])) * step, 0.0]
        elif marked[note, 2]:
            pitches = [step, 0.0, -float(rng.choice([1, 2])), 0.0]
            pitches = [0.0, *pitches] if rng.random() < 0.5 else pitches
        elif marked[note, 3]:
            pitches = [0.0] * min(int(length_s / pace_s), 40)
        else:
            continue
        if len(pitches) < 2:
            continue
        main = next((i for i, p in enumerate(pitches) if p == 0), 0)
        begin_s = row[0]
        for index, interval in enumerate(pitches):
            played = row.copy()
            played[0] = begin_s + index * pace_s * rng.uniform(0.9, 1.1)
            played[1] = played[0] + pace_s
            played[2] = row[2] + interval
            if index == main:
                table[note, 0] = played[0]
                table[note, 1] = played[1]
                continue
            played[6] = 1.0
            added.append(played)
    return np.array(added).reshape(-1, table.shape[1])


def _mistakes(table: Floats, style: _Style, rng: np.random.Generator) -> Floats:
    """Drop notes, and add wrong ones."""
    if not style.wrong:
        return table
    kept = rng.random(len(table)) >= style.wrong
    if not kept.any():
        return table
    struck = table[rng.random(len(table)) < style.wrong / 2].copy()
    struck[:, 2] += rng.choice([-12, -2, -1, 1, 2, 12, 19], len(struck))
    struck[:, 1] = struck[:, 0] + rng.uniform(0.03, 0.3, len(struck))
    struck[:, 0] += rng.normal(0, 0.02, len(struck))
    struck[:, 6] = 1.0
    return np.concatenate([table[kept], struck])
