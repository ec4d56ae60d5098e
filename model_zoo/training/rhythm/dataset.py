"""Performances of written music, with the targets that the score network learns.

What is played is drawn anew for each example: a song's piano alone, its voice alone, or both; a
quartet together or one of its lines; the melody of a lead sheet. Each is transposed at random.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

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
    SLOWEST_LOG2_S,
    TEMPO_BINS,
)
from model_zoo.training.rhythm.performance import NO_HAND, Performance, perform, select
from model_zoo.training.sources.scores import WrittenPiece, parse_score, read_archive

IGNORED: Final = -100
MIN_NOTES: Final = 24
ARCHIVES: Final = {"openscore_lieder": 0.7, "openscore_quartets": 0.18, "openewld": 0.12}
"""Probability that a piece is drawn from each archive."""

Pieces = dict[str, list[WrittenPiece]]
"""Pieces by archive."""

E = TypeVar("E")

_DEV_SHARE: Final = 20  # one piece in twenty is held out
_SAME_METRE: Final = {(2, 2): (4, 4), (4, 8): (2, 4), (4, 2): (4, 4)}
_INTERVAL_VALUES: Final = np.array([float(f) for f in INTERVALS])


@dataclass(frozen=True, slots=True)
class Batch:
    """B sequences of A attacks with N notes; targets are flattened, IGNORED where unknown."""

    attacks: Tensor
    notes: Tensor
    index: Tensor
    targets: dict[str, Tensor]


def load_pieces(folder: Path) -> Pieces:
    """Parse the archives in the data folder, which takes a few minutes."""
    pieces: Pieces = {}
    for archive in ARCHIVES:
        found = pieces.setdefault(archive, [])
        for name, text in read_archive(folder / f"{archive}.zip"):
            try:
                found.append(parse_score(name, text))
            except ValueError:
                continue  # a score without notes
    return pieces


def is_dev(piece: WrittenPiece) -> bool:
    """Return whether a piece is held out for evaluation, which its name decides."""
    return zlib.crc32(piece.name.encode()) % _DEV_SHARE == 0


def split_pieces(pieces: Pieces) -> tuple[Pieces, Pieces]:
    """Return the pieces to learn from, and those held out; an archive without any gives all."""
    learnt = {name: [p for p in own if not is_dev(p)] for name, own in pieces.items()}
    held_out = {name: [p for p in own if is_dev(p)] or own for name, own in pieces.items()}
    return learnt, held_out


def draw_batch(pieces: Pieces, random: Generator, size: int, length: int) -> Batch:
    """Draw ``size`` performed stretches of ``length`` attacks."""
    return collate(draw_examples(pieces, random, size, partial(_draw, length=length)))


def draw_examples(
    pieces: Pieces,
    random: Generator,
    size: int,
    draw: Callable[[WrittenPiece, Generator], E | None],
) -> list[E]:
    """Draw pieces by the archives' shares until ``size`` of them gave an example."""
    names, shares = list(ARCHIVES), np.array(list(ARCHIVES.values()))
    examples: list[E] = []
    while len(examples) < size:
        group = pieces[names[int(random.choice(len(names), p=shares / shares.sum()))]]
        example = draw(group[int(random.integers(len(group)))], random)
        if example is not None:
            examples.append(example)
    return examples


def _draw(piece: WrittenPiece, rng: np.random.Generator, length: int) -> Example | None:
    chosen, solo = choose_notes(piece, rng)
    if chosen is None:
        return None
    chosen = _excerpt(chosen, 4 * length, rng)
    low, high = int(chosen.pitch.min()), int(chosen.pitch.max())
    shift = int(rng.integers(max(-6, 21 - low), min(6, 108 - high) + 1)) if high - low < 75 else 0
    example = label(perform(chosen, rng, solo=solo), shift)
    return crop(example, length, rng)


def choose_notes(piece: WrittenPiece, rng: np.random.Generator) -> tuple[WrittenPiece | None, bool]:
    """Return the notes that one performer or ensemble plays, and whether it is one line."""
    staves = np.array(piece.staves)
    keyboards = np.flatnonzero(staves == 2)
    solo = len(staves) == 1
    keep = np.ones(len(piece.pitch), bool)
    if len(keyboards) and len(staves) > 1:
        chance = rng.random()
        if chance < 0.68:
            keep = piece.part == keyboards[0]
        elif chance < 0.82:
            keep = piece.part == int(rng.integers(len(staves) - 1))
            solo = True
    elif len(staves) > 1 and rng.random() < 0.15:
        keep = piece.part == int(rng.integers(len(staves)))
        solo = True
    if int(keep.sum()) < MIN_NOTES:
        return None, solo
    return select(piece, keep), solo


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


def label(played: Performance, shift: int = 0) -> Example:
    """Return the features and targets of a performance transposed by ``shift`` semitones."""
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
        attacks=describe_attacks(attacks, played.offset_s, pitch, played.velocity),
        notes=describe_notes(attacks, played.onset_s, played.offset_s, pitch, played.velocity),
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
    step = (SLOWEST_LOG2_S - FASTEST_LOG2_S) / (TEMPO_BINS - 1)
    place = ((octaves.nan_to_num(0.0) - FASTEST_LOG2_S) / step).clamp(0, TEMPO_BINS - 1)
    bins = torch.arange(TEMPO_BINS, dtype=torch.float32)
    weights = (1 - (place[:, None] - bins[None, :]).abs()).clamp(min=0)
    return weights * known[:, None]
