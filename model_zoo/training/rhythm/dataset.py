"""Performances of written music, with the targets that the score network learns.

What is played is drawn anew for each example: a song's piano alone, its voice alone, or both; a
quartet together or one of its lines; a keyboard piece; the melody of a lead sheet. Each is
transposed at random. In most examples the network is told the usual length of a quarter, roughly,
and the values may then be halved or doubled along with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from inference_service.rhythm.from_notes.attacks import (
    describe_attacks,
    describe_notes,
    find_attacks,
)
from inference_service.rhythm.from_notes.score_network import (
    FASTEST_LOG2_S,
    FIFTHS,
    INTERVALS,
    METRES,
    PLACES,
    QUARTER_PARTS,
    TEMPO_BIN_OCTAVES,
    TEMPO_BINS,
)
from model_zoo.training.rhythm.corpora import Pieces, choose_notes, draw_examples
from model_zoo.training.rhythm.performance import NO_HAND, Performance, perform, select
from model_zoo.training.sources.scores import WrittenPiece

IGNORED: Final = -100

UNKNOWN_TEMPO: Final = 0.25
"""Share of the examples in which the length of a quarter is not given."""
SCALES: Final = (1.0, 0.5, 2.0)
SCALE_SHARES: Final = (0.7, 0.15, 0.15)
"""Factors of the written values where it is given, and how often each is drawn."""
TEMPO_ERROR_OCTAVES: Final = 0.15

_SAME_METRE: Final = {(2, 2): (4, 4), (4, 8): (2, 4), (4, 2): (4, 4)}
_INTERVAL_VALUES: Final = np.array([float(f) for f in INTERVALS])


@dataclass(frozen=True, slots=True)
class Batch:
    """B sequences of A attacks with N notes; targets are flattened, IGNORED where unknown."""

    attacks: Tensor
    notes: Tensor
    index: Tensor
    targets: dict[str, Tensor]


def draw_batch(pieces: Pieces, random: Generator, size: int, length: int) -> Batch:
    """Draw ``size`` performed stretches of ``length`` attacks."""
    return collate(draw_examples(pieces, random, size, partial(_draw, length=length)))


def _draw(piece: WrittenPiece, rng: np.random.Generator, length: int) -> Example | None:
    chosen, solo = choose_notes(piece, rng)
    if chosen is None:
        return None
    chosen = _excerpt(chosen, 4 * length, rng)
    low, high = int(chosen.pitch.min()), int(chosen.pitch.max())
    shift = int(rng.integers(max(-6, 21 - low), min(6, 108 - high) + 1)) if high - low < 75 else 0
    played = perform(chosen, rng, solo=solo)
    if rng.random() < UNKNOWN_TEMPO:
        return crop(label(played, shift), length, rng)
    scale = float(rng.choice(SCALES, p=SCALE_SHARES))
    quarter_s = _usual_quarter_s(played) / scale * 2.0 ** rng.normal(0.0, TEMPO_ERROR_OCTAVES)
    return crop(label(scale_values(played, scale), shift, quarter_s), length, rng)


def _usual_quarter_s(played: Performance) -> float:
    """Return the median length of a quarter between attacks that are a sixteenth apart or more."""
    main = ~played.extra
    places, first = np.unique(played.onset_q[main], return_index=True)
    steps = np.diff(places)
    long = steps > 0.2
    if not long.any():
        return 0.6
    onset_s = np.maximum.accumulate(played.onset_s[main][first])
    return float(np.clip(np.median((np.diff(onset_s) / steps)[long]), 0.05, 4.0))


def scale_values(played: Performance, scale: float) -> Performance:
    """Return the performance as one of music in halved or doubled values."""
    if scale == 1.0:
        return played
    piece = played.piece
    unit = np.maximum(np.rint(piece.bar_unit / scale), 1).astype(np.int64)
    bars = replace(piece, bar_start_q=piece.bar_start_q * scale, bar_unit=unit)
    return replace(
        played,
        piece=bars,
        onset_q=played.onset_q * scale,
        duration_q=played.duration_q * scale,
    )


def _excerpt(piece: WrittenPiece, notes: int, rng: np.random.Generator) -> WrittenPiece:
    """Return some bars with about ``notes`` notes: what is cropped later need not be played."""
    if len(piece.pitch) <= notes:
        return piece
    first = piece.onset_q[int(rng.integers(0, len(piece.pitch) - notes // 2))]
    bar = max(int(np.searchsorted(piece.bar_start_q, first, side="right")) - 1, 0)
    start_q = float(piece.bar_start_q[bar])
    begin = int(np.searchsorted(piece.onset_q, start_q - 1e-6))
    inside = np.zeros(len(piece.pitch), bool)
    inside[begin : begin + notes] = True
    cut = select(piece, inside)
    return replace(
        cut,
        onset_q=cut.onset_q - start_q,
        bar_start_q=piece.bar_start_q[bar:] - start_q,
        bar_beats=piece.bar_beats[bar:],
        bar_unit=piece.bar_unit[bar:],
        bar_fifths=piece.bar_fifths[bar:],
    )


@dataclass(frozen=True, slots=True)
class Example:
    """A performance: features and targets of its attacks and its notes."""

    attacks: NDArray[np.float32]
    notes: NDArray[np.float32]
    index: NDArray[np.int64]
    attack_targets: dict[str, NDArray[np.float32] | NDArray[np.int64]]
    note_targets: dict[str, NDArray[np.int64]]


def label(played: Performance, shift: int = 0, quarter_s: float | None = None) -> Example:
    """Return the features and targets of a performance transposed by ``shift`` semitones.

    The network is told ``quarter_s``, the usual length of a quarter, if it is given.
    """
    pitch = played.pitch + shift
    attacks = find_attacks(played.onset_s)
    order = np.lexsort((pitch, attacks.index))
    count = len(attacks.onset_s)
    main = ~played.extra
    written_q = np.full(count, np.nan)
    for note in order[::-1]:  # so that the lowest note of an attack decides
        if main[note]:
            written_q[attacks.index[note]] = played.onset_q[note]
    known = np.isfinite(written_q)
    return Example(
        attacks=describe_attacks(attacks, played.offset_s, pitch, played.velocity, quarter_s),
        notes=describe_notes(
            attacks, played.onset_s, played.offset_s, pitch, played.velocity, quarter_s
        ),
        index=attacks.index,
        attack_targets=_attack_targets(played.piece, attacks.onset_s, written_q, known, shift),
        note_targets={
            "length": np.where(main, _nearest_interval(played.duration_q), IGNORED),
            "hand": np.where(played.hand == NO_HAND, IGNORED, played.hand),
            "extra": played.extra.astype(np.int64),
        },
    )


def _attack_targets(
    piece: WrittenPiece,
    onset_s: NDArray[np.float64],
    written_q: NDArray[np.float64],
    known: NDArray[np.bool_],
    shift: int,
) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    count = len(onset_s)
    place = np.full(count, IGNORED)
    interval = np.full(count, IGNORED)
    beat, downbeat = np.full(count, IGNORED), np.full(count, IGNORED)
    metre, fifths = np.full(count, IGNORED), np.full(count, IGNORED)
    tempo = np.full(count, np.nan, np.float32)
    here = np.flatnonzero(known)
    q = written_q[here]
    bar = np.clip(np.searchsorted(piece.bar_start_q, q + 1e-4, side="right") - 1, 0, None)
    beats, unit = piece.bar_beats[bar], piece.bar_unit[bar]
    nominal = 4.0 * beats / unit
    starts = np.append(piece.bar_start_q, piece.bar_start_q[-1] + nominal[-1])
    within = q - starts[bar]
    short = (bar == 0) & (starts[1] - starts[0] < nominal - 1e-3)
    within = np.where(short, within + nominal - (starts[1] - starts[0]), within)
    parts = within % 1.0 * QUARTER_PARTS
    nearest = np.abs(parts[:, None] - np.array([*PLACES, QUARTER_PARTS])[None, :]).argmin(1)
    error = np.abs(parts - np.array([*PLACES, QUARTER_PARTS])[nearest])
    whole_quarters = np.abs(nominal - np.round(nominal)) < 1e-6
    place[here] = np.where((error < 0.3) & whole_quarters, nearest % len(PLACES), IGNORED)
    if len(here) > 1:
        interval[here[:-1]] = _nearest_interval(np.diff(q))
        interval[here[:-1]] = np.where(np.diff(q) < -1e-3, IGNORED, interval[here[:-1]])
    compound = (unit >= 8) & (beats % 3 == 0)
    beat_q = np.where(compound, 12.0 / unit, 4.0 / unit)
    beat_q = np.where((unit == 8) & ~compound, 1.0, beat_q)
    phase = within / beat_q
    beat[here] = np.abs(phase - np.round(phase)) < 0.02
    downbeat[here] = np.abs(within) < 0.02
    for attack, signature in zip(
        here, zip(beats.tolist(), unit.tolist(), strict=True), strict=True
    ):
        signature = _SAME_METRE.get(signature, signature)
        metre[attack] = METRES.index(signature) if signature in METRES else IGNORED
    moved = (piece.bar_fifths[bar] + 7 * shift + 6) % 12 - 6
    fifths[here] = np.where(shift, moved, np.clip(piece.bar_fifths[bar], -7, 7)) - FIFTHS[0]
    tempo[here] = _local_tempo(q, onset_s[here])
    return {
        "place": place,
        "interval": interval,
        "tempo": tempo,
        "beat": beat,
        "downbeat": downbeat,
        "metre": metre,
        "fifths": fifths,
    }


def _nearest_interval(quarters: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the class of each written interval, IGNORED if it has none."""
    nearest = np.abs(quarters[:, None] - _INTERVAL_VALUES[None, :]).argmin(1)
    fits = np.abs(_INTERVAL_VALUES[nearest] - quarters) < 0.015
    longest = quarters > _INTERVAL_VALUES[-2] + 0.5
    return np.where(longest, len(INTERVALS) - 1, np.where(fits, nearest, IGNORED))


def _local_tempo(q: NDArray[np.float64], onset_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return log2 of the seconds per quarter at each place, over two quarters to either side."""
    steps, first = np.unique(q, return_index=True)
    if len(steps) < 2:
        return np.full(len(q), np.nan, np.float32)
    times = np.maximum.accumulate(onset_s[first])
    begin, end = np.maximum(q - 2, steps[0]), np.minimum(q + 2, steps[-1])
    slope = (np.interp(end, steps, times) - np.interp(begin, steps, times)) / np.maximum(
        end - begin, 1e-3
    )
    return np.asarray(np.log2(np.clip(slope, 0.03, 16.0)), np.float32)


def crop(example: Example, length: int, rng: np.random.Generator) -> Example | None:
    """Cut out ``length`` attacks at random; None if there are fewer than half of that."""
    count = len(example.attacks)
    if count < length // 2:
        return None
    start = int(rng.integers(0, max(count - length, 0) + 1))
    inside = (example.index >= start) & (example.index < start + length)
    return Example(
        example.attacks[start : start + length],
        example.notes[inside],
        example.index[inside] - start,
        {k: v[start : start + length] for k, v in example.attack_targets.items()},
        {k: v[inside] for k, v in example.note_targets.items()},
    )


def collate(examples: Sequence[Example]) -> Batch:
    """Join examples, the shorter ones padded with silence."""
    length = max(len(e.attacks) for e in examples)
    attacks = np.zeros((len(examples), length, examples[0].attacks.shape[1]), np.float32)
    targets: dict[str, list[NDArray[np.float32] | NDArray[np.int64]]] = {}
    for row, example in enumerate(examples):
        count = len(example.attacks)
        attacks[row, :count] = example.attacks
        for name, values in example.attack_targets.items():
            blank = np.nan if name == "tempo" else IGNORED
            padded = np.full(length, blank, values.dtype)
            padded[:count] = values
            targets.setdefault(name, []).append(padded)
        for name, own in example.note_targets.items():
            targets.setdefault(name, []).append(own)
    index = [e.index + row * length for row, e in enumerate(examples)]
    joined = {name: torch.from_numpy(np.concatenate(v)) for name, v in targets.items()}
    joined["tempo"] = _two_hot(joined["tempo"])
    return Batch(
        torch.from_numpy(attacks),
        torch.from_numpy(np.concatenate([e.notes for e in examples])),
        torch.from_numpy(np.concatenate(index)),
        joined,
    )


def _two_hot(octaves: Tensor) -> Tensor:
    """Share each tempo between its two nearest bins; zeros where it is unknown."""
    known = torch.isfinite(octaves)
    place = (octaves.nan_to_num(0.0) - FASTEST_LOG2_S) / TEMPO_BIN_OCTAVES
    place = place.clamp(0, TEMPO_BINS - 1)
    bins = torch.arange(TEMPO_BINS, dtype=torch.float32)
    weights = (1 - (place[:, None] - bins[None, :]).abs()).clamp(min=0)
    return weights * known[:, None]
