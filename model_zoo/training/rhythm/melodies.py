"""Training of the melody bar network, on the melodies of scores.

A reading of an excerpt is a scale of its written values, a metre, and the tick at which the first
bar begins; from there all bars are of one length. The network learns to tell the written reading
from all others: the loss is its negative log probability, a softmax over the scores of all
readings. Changes of phase and the tempo, which serving weighs too, play no part in it.

Metres are balanced by drawing them first. The faults of melodies that were heard and located are
simulated: lost notes, wrong pitches and positions, notes that end early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference_service.rhythm.from_notes.melody_bars import LONGEST_END_TICKS, SCALES
from inference_service.rhythm.from_notes.melody_network import (
    BAR_TICKS,
    FIRST_PLACE,
    PLACES,
    QUARTER_TICKS,
    MelodyBarNetwork,
    MelodyBarNetworkConfig,
    describe_melody,
)
from inference_service.rhythm.from_notes.score_network import METRES
from model_zoo.training.loop import Options, cosine, learn
from model_zoo.training.rhythm.dataset import is_dev
from model_zoo.training.sources.melodies import find_key, find_melody, iterate_scores
from model_zoo.training.sources.scores import WrittenPiece

OPTIONS: Final = Options(
    minutes=45.0,
    batch=8,
    learning_rate=2e-3,
    schedule=partial(cosine, floor=0.02),
    warm_up_steps=50,
    average_decay=0.998,
    report_every_s=120.0,
)

METRE_SHARES: Final = (0.2, 0.22, 0.3, 0.14, 0.04, 0.04, 0.06)
"""Share of the examples that each metre is drawn for."""

MIN_BARS: Final = 6
MIN_NOTES: Final = 16
SHORTEST_BARS: Final = 8
LONGEST_BARS: Final = 32
LONGEST_TICKS: Final = 1536
"""Longest excerpt in doubled values: 32 bars of the longest metre."""

_SAME_METRE: Final = {(2, 2): (4, 4), (4, 8): (2, 4)}
_MIN_SAME_METRE: Final = 0.95
_MIN_SAME_PHASE: Final = 0.9
_OPENING_COUNTS: Final = 0.3
"""Melodies that each first phase is given beside those counted. Set by hand."""

_FROM_BEGINNING: Final = 0.4
_LOST: Final = (0.0, 0.03, 0.08)
_WRONG_PITCH: Final = 0.03
_MISPLACED: Final = 0.03
_DEV_EXCERPTS: Final = 2
_DEV_SEED: Final = 20_000_000

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
    """

    onset_q: Floats
    duration_q: Floats
    pitch: NDArray[np.int64]
    tonic: int
    metre: int
    phase_q: float

    @property
    def bar_q(self) -> float:
        """Length of a bar in quarters."""
        return BAR_TICKS[self.metre] / QUARTER_TICKS

    def find_phase(self, first_q: float) -> int:
        """Return how many ticks after a note's tick the next bar begins, 0 included."""
        ticks = round((self.phase_q - _floor_to_tick(first_q)) * QUARTER_TICKS)
        return ticks % BAR_TICKS[self.metre]


@dataclass(frozen=True, slots=True)
class Example:
    """An excerpt of a melody.

    Attributes
    ----------
    features : tuple of np.ndarray, each of shape (FEATURES, T)
        As :func:`.describe_melody` returns them, for each of SCALES.
    target : int
        Index of the written reading among the scores of :func:`score_readings`.
    """

    features: tuple[NDArray[np.float32], ...]
    target: int


def load_melodies(folder: Path) -> tuple[list[BarredMelody], list[BarredMelody]]:
    """Return the melodies of the archives in a folder: those learnt from, and those held out."""
    learnt: list[BarredMelody] = []
    held_out: list[BarredMelody] = []
    for piece in iterate_scores(folder):
        melody = bar_melody(piece)
        if melody is not None:
            (held_out if is_dev(piece) else learnt).append(melody)
    return learnt, held_out


def bar_melody(piece: WrittenPiece) -> BarredMelody | None:
    """Return a piece's melody with its bars; None if it is too short, or its bars are irregular.

    Cut time counts as 4/4. Other metres in halves are halved to metres in quarters.
    """
    melody = find_melody(piece)
    bars = len(piece.bar_start_q)
    if melody is None or len(melody.pitch) < MIN_NOTES or bars < MIN_BARS:
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
    )


def count_openings(melodies: Iterable[BarredMelody]) -> NDArray[np.float32]:
    """Return the network's ``opening``, shape (PLACES,): log probabilities of first phases."""
    counts = np.full(PLACES, _OPENING_COUNTS)
    for melody in melodies:
        counts[FIRST_PLACE[melody.metre] + melody.find_phase(melody.onset_q[0])] += 1
    totals = np.add.reduceat(counts, FIRST_PLACE)
    return np.asarray(np.log(counts / np.repeat(totals, BAR_TICKS)), np.float32)


def draw_example(melody: BarredMelody, rng: Generator) -> Example | None:
    """Return an excerpt with simulated errors; None if it is too short or too long."""
    bar_q, onset_q = melody.bar_q, melody.onset_q
    bars = int(rng.integers(SHORTEST_BARS, LONGEST_BARS + 1))
    begin_q = 0.0
    if rng.random() >= _FROM_BEGINNING:
        begin_q = rng.uniform(-bar_q, max(onset_q[-1] - SHORTEST_BARS / 2 * bar_q, 0.0))
    inside = (onset_q >= begin_q) & (onset_q < begin_q + bars * bar_q)
    if inside.sum() < MIN_NOTES:
        return None
    onset_q, duration_q, pitch = _corrupt(
        onset_q[inside], melody.duration_q[inside], melody.pitch[inside], rng
    )
    positions_q = onset_q - _floor_to_tick(onset_q[0])
    features = []
    for scale in SCALES:
        positions, durations = (v * scale * QUARTER_TICKS for v in (positions_q, duration_q))
        end = int(np.clip(durations[-1], 1, LONGEST_END_TICKS))
        count = int(positions[-1]) + end + 1
        if count > LONGEST_TICKS:
            return None
        features.append(describe_melody(positions, durations, pitch, melody.tonic, count))
    return Example(tuple(features), FIRST_PLACE[melody.metre] + melody.find_phase(onset_q[0]))


def _corrupt(
    onset_q: Floats, duration_q: Floats, pitch: NDArray[np.int64], rng: Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return onsets, durations and pitches with simulated errors, onsets ascending."""
    kept = rng.random(len(onset_q)) >= rng.choice(_LOST)
    kept[0] = True
    onset_q, duration_q, pitch = onset_q[kept], duration_q[kept], pitch[kept]
    count = len(onset_q)
    wrong = rng.random(count) < _WRONG_PITCH
    pitch = np.where(wrong, pitch + rng.choice([-2, -1, 1, 2], count), pitch)
    duration_q = duration_q * rng.uniform(0.6, 1.05) * np.exp(rng.normal(0, 0.1, count))
    if rng.random() < 0.5:
        misplaced = rng.random(count) < _MISPLACED
        onset_q = np.where(
            misplaced, onset_q + rng.choice([-0.5, -0.25, 0.25, 0.5], count), onset_q
        )
    order = np.argsort(onset_q, kind="stable")
    return onset_q[order], duration_q[order], pitch[order]


def _floor_to_tick(position_q: float) -> float:
    return float(np.floor(position_q * QUARTER_TICKS) / QUARTER_TICKS)


def draw_batch(melodies: Sequence[BarredMelody], random: Generator, size: int) -> list[Example]:
    """Draw excerpts, their metres by :data:`METRE_SHARES`, leaving out metres that none has.

    Raises
    ------
    ValueError
        If there are no melodies.
    """
    if not melodies:
        raise ValueError("no melodies in regular bars to learn from")
    groups = [[m for m in melodies if m.metre == metre] for metre in range(len(METRES))]
    shares = np.array([s if g else 0.0 for s, g in zip(METRE_SHARES, groups, strict=True)])
    examples: list[Example] = []
    while len(examples) < size:
        group = groups[int(random.choice(len(groups), p=shares / shares.sum()))]
        example = draw_example(group[int(random.integers(len(group)))], random)
        if example is not None:
            examples.append(example)
    return examples


def score_phases(potentials: Tensor, metre_bias: Tensor) -> Tensor:
    """Return the score of each metre at each constant phase.

    Parameters
    ----------
    potentials : Tensor, shape (PLACES, T)
    metre_bias : Tensor, shape (len(METRES),)

    Returns
    -------
    Tensor, shape (PLACES,)
        At ``FIRST_PLACE[metre] + phase``, for bars that begin ``phase`` ticks after the first tick.
    """
    scores = []
    for metre, (first, length) in enumerate(zip(FIRST_PLACE, BAR_TICKS, strict=True)):
        own = potentials[first : first + length]
        padded = functional.pad(own, (0, -own.shape[1] % length))
        by_tick = padded.view(length, -1, length).sum(1)  # (place, tick modulo length)
        tick = torch.arange(length, device=own.device)
        place = (tick - tick[:, None]) % length  # (phase, tick)
        scores.append(by_tick[place, tick].sum(1) + metre_bias[metre])
    return torch.cat(scores)


def score_readings(network: MelodyBarNetwork, example: Example, device: str = "cpu") -> Tensor:
    """Return the scores of all readings of an excerpt, shape (len(SCALES) * PLACES,)."""
    scores = []
    for features in example.features:
        potentials = network(torch.from_numpy(features).to(device)[None])[0]
        scores.append(score_phases(potentials, network.metre_bias))
    return torch.cat(scores)


def compute_loss(scores: Tensor, target: int) -> Tensor:
    """Return the negative log probability of the written reading, a scalar."""
    return torch.logsumexp(scores, 0) - scores[target]


def train_melodies(
    learnt: Sequence[BarredMelody],
    held_out: Sequence[BarredMelody],
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    config: MelodyBarNetworkConfig | None = None,
) -> MelodyBarNetwork:
    """Train on melodies until the time is spent; return the average.

    Writes ``melody_bars.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`. Where no melodies are held out, evaluates on those learnt.

    Raises
    ------
    ValueError
        If there are no melodies to learn from.
    """
    torch.manual_seed(options.seed)
    dev = draw_dev_examples(held_out or learnt)
    network = MelodyBarNetwork(config)
    network.opening.copy_(torch.from_numpy(count_openings(learnt)))

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        examples = draw_batch(learnt, random, options.batch)
        losses = [
            compute_loss(score_readings(network, example, options.device), example.target)
            for example in examples
        ]
        return {"all": torch.stack(losses).mean()}

    return learn(
        network,
        folder / "melody_bars.safetensors",
        options,
        compute_losses,
        lambda average: measure(average, dev, options.device),
        say,
    )


def draw_dev_examples(melodies: Iterable[BarredMelody]) -> list[Example]:
    """Draw two excerpts of each melody, always the same ones, leaving out those too short."""
    random = np.random.default_rng(_DEV_SEED)
    drawn = [draw_example(melody, random) for melody in melodies for _ in range(_DEV_EXCERPTS)]
    return [example for example in drawn if example is not None]


def measure(
    network: MelodyBarNetwork, examples: Sequence[Example], device: str = "cpu"
) -> dict[str, float]:
    """Return the mean loss, and the shares of excerpts whose likeliest reading is right.

    ``scale`` is the share with the written values; ``metre`` that with these and the written metre;
    ``bars`` that with the bars beginning where they are written, too.
    """
    losses, right = [], np.zeros(3)
    with torch.inference_mode():
        for example in examples:
            scores = score_readings(network, example, device).cpu()
            losses.append(compute_loss(scores, example.target).item())
            scale, reading = divmod(int(scores.argmax()), PLACES)
            metre, written = (_find_metre(index) for index in (reading, example.target))
            is_scale = scale == 0
            right += (
                is_scale,
                is_scale and metre == written,
                is_scale and reading == example.target,
            )
    shares = (right / max(len(examples), 1)).tolist()
    loss = float(np.mean(losses)) if losses else 0.0
    return {"loss": loss, **dict(zip(("scale", "metre", "bars"), shares, strict=True))}


def _find_metre(reading: int) -> int:
    return int(np.searchsorted(FIRST_PLACE, reading, side="right")) - 1
