"""Fits the parameters with which readings of a song are compared.

The development part is cut into whole pieces and half minutes. On the sequence of beats that is
right, the evidence at each position of the bar gives normal distributions. The weights then
maximise the probability of the right readings. The temperature is the one that fits the pieces
left out in each of five folds. Metres and tempi are finally weighted as often as they are in songs
(:data:`METRE_SHARES`, :data:`SONG_TEMPO`), not as in the development part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import mir_eval
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference_service.music.events import ChordSegment
from inference_service.rhythm.from_sound.evidence import KINDS
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.network import BeatNet
from inference_service.rhythm.from_sound.reading_model import (
    BAR_LENGTHS,
    METRES,
    TRAITS,
    Emission,
    Metre,
    ReadingModel,
)
from inference_service.rhythm.from_sound.readings import (
    MIDDLE_BPM,
    Candidate,
    discount,
    find_candidates,
    sum_evidence,
)
from model_zoo.training.beats.dataset import Example, load_example
from model_zoo.training.sources.piece import UNKNOWN

METRE_SHARES: Final[dict[Metre, float]] = {
    (4, False): 0.86,
    (3, False): 0.06,
    (2, False): 0.03,
    (2, True): 0.03,
    (3, True): 0.002,
    (4, True): 0.018,
}
"""Shares of metres among songs, assumed: closer to POP909's recordings, of which 4 % are in three,
than to OpenEWLD's older lead sheets (4/4 59 %, 2/4 22 %, 3/4 16 %, compound 3 %)."""

SONG_TEMPO: Final = (float(np.log2(92.0 / MIDDLE_BPM)), 0.37)
"""Mean and standard deviation of the tempo of POP909's recordings, in octaves from MIDDLE_BPM."""

MIN_SPREAD: Final = 0.2
"""Least standard deviation of the tempo in the development part, in octaves."""

FOLDS: Final = 5
PULL: Final = 0.02
"""Weight of the squared distance of the parameters from :func:`_prior`."""

KIND_PRIOR: Final = 0.08
BARS_PRIOR: Final = 0.3
RIGHT_BEATS: Final = 0.8
RIGHT_DOWNBEATS: Final = 0.7
"""Least F1 of a reading that is right."""

CUT_FRAMES: Final = 1500
SMOOTHING: Final = 10.0
"""Number of beats of the overall distribution that are added to each position's."""

READINGS: Final = 2 * sum(BAR_LENGTHS)
TEMPERATURES: Final = np.arange(0.6, 3.0, 0.05)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An excerpt with its candidates; beats in seconds."""

    name: str
    duration_s: float
    beats_s: NDArray[np.float64]
    positions: NDArray[np.int64]
    bar_beats: int
    compound: int
    candidates: list[Candidate]


def read_excerpts(
    example: Example, chords_s: NDArray[np.float64], network: BeatNet, random: np.random.Generator
) -> list[Excerpt]:
    """Return a piece as a whole, and a random half minute of it."""
    features = example.features.astype(np.float32)
    total = features.shape[1]
    with torch.inference_mode():
        logits = torch.cat(network(torch.from_numpy(features)[None]))
    activations = torch.sigmoid(logits).numpy()
    spans = [(0, total)]
    if total > 1.4 * CUT_FRAMES:
        start = int(random.integers(0, total - CUT_FRAMES))
        spans.append((start, start + CUT_FRAMES))
    excerpts = []
    for start, stop in spans:
        kept = (example.beats >= start) & (example.beats < stop)
        heard = chords_s * FRAMES_PER_S
        heard = (heard[(heard > start) & (heard < stop)] - start) / FRAMES_PER_S
        chords = [ChordSegment(float(t), float(t), "") for t in (0.0, *heard)]
        found = find_candidates(activations[:, start:stop], features[:, start:stop], chords)
        if kept.sum() >= 8 and found and example.bar_beats in BAR_LENGTHS:
            excerpts.append(
                Excerpt(
                    example.name,
                    (stop - start) / FRAMES_PER_S,
                    (example.beats[kept] - start) / FRAMES_PER_S,
                    example.positions[kept],
                    example.bar_beats,
                    example.compound,
                    found,
                )
            )
    return excerpts


def fit(excerpts: Sequence[Excerpt], say: Callable[[str], None]) -> ReadingModel:
    """Fit all parameters."""
    model = ReadingModel(
        emissions=fit_emissions(excerpts),
        kinds=np.full(len(KINDS), KIND_PRIOR),
        traits=np.zeros(len(TRAITS)),
        compound=0.0,
        repetition=0.0,
        metres=dict.fromkeys(METRES, 0.0),
        bars=BARS_PRIOR,
        temperature=1.0,
    )
    table = _tabulate(excerpts, model)
    names = sorted({excerpt.name for excerpt in excerpts})
    fold = torch.tensor([names.index(excerpt.name) % FOLDS for excerpt in excerpts])
    left_out = []
    for number in range(FOLDS):
        weights = _fit_weights(table.take(fold != number))
        left_out.append(table.take(fold == number).score(weights))
    rights = torch.cat([table.take(fold == number).right for number in range(FOLDS)])
    scores = torch.cat(left_out)
    temperature = min(TEMPERATURES, key=lambda t: _loss(scores / t, rights))
    known = rights.flatten(1).any(1)
    best = scores.flatten(1).argmax(1, keepdim=True)
    say(
        f"{len(excerpts)} excerpts of {len(names)} pieces; a right reading is among the candidates "
        f"of {known.double().mean():.2f}; of these, chosen {_share(rights, best, known):.2f}; "
        f"loss {_loss(scores, rights):.3f}, at temperature {temperature:.2f} "
        f"{_loss(scores / temperature, rights):.3f}"
    )
    weights = _fit_weights(table)
    model = _model_of(weights, model.emissions, float(temperature))
    tally = Counter((e.bar_beats, e.compound == 1) for e in excerpts)
    offsets = {
        metre: float(np.log(share * (len(excerpts) + 12) / (tally[metre] + 2)))
        for metre, share in METRE_SHARES.items()
    }
    return replace(
        model,
        metres={m: value + offsets[m] for m, value in model.metres.items()},
        traits=model.traits + _shift_tempo(excerpts),
    )


def _shift_tempo(excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
    """Return what to add to the weights of the traits, so that tempi are as frequent as in songs.

    The logarithm of the ratio of two normal densities is quadratic in the tempo.
    """
    octaves = [
        np.log2(60.0 / float(np.median(np.diff(excerpt.beats_s))) / MIDDLE_BPM)
        for excerpt in excerpts
        if excerpt.compound != 1
    ]
    mean, deviation = float(np.mean(octaves)), max(float(np.std(octaves)), MIN_SPREAD)
    wanted, spread = SONG_TEMPO
    shift = np.zeros(len(TRAITS))
    shift[TRAITS.index("tempo")] = wanted / spread**2 - mean / deviation**2
    shift[TRAITS.index("tempo squared")] = 0.5 / deviation**2 - 0.5 / spread**2
    return shift


def fit_emissions(excerpts: Sequence[Excerpt]) -> dict[int, Emission]:
    """Return the distributions of the evidence on the right beats, by length of the bar."""
    rows: dict[int, list[list[NDArray[np.float64]]]] = {
        length: [[] for _ in range(length)] for length in BAR_LENGTHS
    }
    for excerpt in excerpts:
        matches = [
            mir_eval.beat.f_measure(excerpt.beats_s, c.frames / FRAMES_PER_S)
            for c in excerpt.candidates
        ]
        best = int(np.argmax(matches))
        if matches[best] < RIGHT_BEATS:
            continue
        candidate = excerpt.candidates[best]
        distances = np.abs(candidate.frames[:, None] / FRAMES_PER_S - excerpt.beats_s[None, :])
        positions = np.where(distances.min(1) < 0.07, excerpt.positions[distances.argmin(1)], 0)
        for place, kept in enumerate(rows[excerpt.bar_beats]):
            kept.append(candidate.evidence[positions == place + 1])
    return {length: _describe(rows[length]) for length in BAR_LENGTHS}


def _describe(rows: list[list[NDArray[np.float64]]]) -> Emission:
    places = [np.concatenate([np.zeros((0, len(KINDS))), *place]) for place in rows]
    everything = np.concatenate(places)
    if not len(everything):
        unknown = np.zeros(len(KINDS))
        rest = np.tile(unknown, (len(rows), 1))
        return Emission(rest, rest + 1.0, unknown, unknown + 1.0)
    mean, deviation = everything.mean(0), everything.std(0) + 0.05
    means = [(p.sum(0) + SMOOTHING * mean) / (len(p) + SMOOTHING) for p in places]
    deviations = [
        np.sqrt((((p - m) ** 2).sum(0) + SMOOTHING * deviation**2) / (len(p) + SMOOTHING))
        for p, m in zip(places, means, strict=True)
    ]
    return Emission(np.array(means), np.array(deviations), mean, deviation)


@dataclass(frozen=True, slots=True)
class _Table:
    """All readings of all excerpts, in the order of :func:`.readings.score_readings`.

    ``traits (N, C, R, J)``, ``bars (N, C, R, K + 2 + M)``, ``right (N, C, R)``, ``known (N, C)``.
    """

    traits: Tensor
    bars: Tensor
    right: Tensor
    known: Tensor

    def take(self, kept: Tensor) -> _Table:
        return _Table(self.traits[kept], self.bars[kept], self.right[kept], self.known[kept])

    def score(self, weights: Tensor) -> Tensor:
        traits, bars, share = torch.tensor_split(weights, [len(TRAITS), len(weights) - 1])
        inner = self.bars @ bars
        whole = torch.logsumexp(inner, -1, keepdim=True)
        scores = self.traits @ traits + inner - (1.0 - share) * whole
        return scores.masked_fill(~self.known[..., None], -1e9)


def _tabulate(excerpts: Sequence[Excerpt], model: ReadingModel) -> _Table:
    most = max(len(excerpt.candidates) for excerpt in excerpts)
    size = (len(excerpts), most, READINGS)
    traits = np.zeros((*size, len(TRAITS)))
    bars = np.zeros((*size, len(KINDS) + 2 + len(METRES)))
    right, known = np.zeros(size, bool), np.zeros(size[:2], bool)
    for i, excerpt in enumerate(excerpts):
        scale = discount(excerpt.duration_s)
        for c, candidate in enumerate(excerpt.candidates):
            known[i, c] = True
            row = 0
            for m, (length, compound) in enumerate(METRES):
                span = slice(row, row + length)
                traits[i, c, span] = candidate.traits[int(compound)]
                bars[i, c, span, : len(KINDS)] = (
                    sum_evidence(candidate.evidence, model, length) * scale
                )
                bars[i, c, span, len(KINDS)] = candidate.compound * (1 if compound else -1)
                bars[i, c, span, len(KINDS) + 1] = candidate.repetition[BAR_LENGTHS.index(length)]
                bars[i, c, span, len(KINDS) + 2 + m] = 1.0
                right[i, c, span] = [
                    _is_right(excerpt, candidate, (length, compound), first)
                    for first in range(length)
                ]
                row += length
    return _Table(*(torch.from_numpy(values) for values in (traits, bars, right, known)))


def _is_right(excerpt: Excerpt, candidate: Candidate, metre: Metre, first: int) -> bool:
    length, compound = metre
    known = excerpt.compound != UNKNOWN
    if length != excerpt.bar_beats or compound != (known and excerpt.compound == 1):
        return False
    beats_s = candidate.frames / FRAMES_PER_S
    if mir_eval.beat.f_measure(excerpt.beats_s, beats_s) < RIGHT_BEATS:
        return False
    downbeats_s = beats_s[(np.arange(len(beats_s)) + first) % length == 0]
    truth_s = excerpt.beats_s[excerpt.positions == 1]
    return bool(mir_eval.beat.f_measure(truth_s, downbeats_s) >= RIGHT_DOWNBEATS)


def _scales() -> Tensor:
    """Return typical sizes of the columns, by which weights are comparable."""
    return torch.tensor(
        [1.0] * len(TRAITS) + [10.0] * len(KINDS) + [2.0, 0.2] + [1.0] * (len(METRES) + 1),
        dtype=torch.double,
    )


def _prior() -> Tensor:
    prior = torch.zeros(len(TRAITS) + len(KINDS) + 3 + len(METRES), dtype=torch.double)
    prior[len(TRAITS) : len(TRAITS) + len(KINDS)] = KIND_PRIOR
    prior[-1] = BARS_PRIOR
    return prior


def _fit_weights(table: _Table) -> Tensor:
    prior, scales = _prior(), _scales()
    weights = (prior * scales).requires_grad_(True)
    optimiser = torch.optim.LBFGS([weights], max_iter=150, line_search_fn="strong_wolfe")

    def close() -> Tensor:
        optimiser.zero_grad()
        loss = _loss(table.score(weights / scales), table.right)
        loss = loss + PULL * ((weights - prior * scales) ** 2).sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(close)  # type: ignore[no-untyped-call]
    return (weights / scales).detach()


def _loss(scores: Tensor, right: Tensor) -> Tensor:
    """Return the mean negative log probability of the right readings, where there is one."""
    scores, right = scores.flatten(1), right.flatten(1)
    scores, right = scores[right.any(1)], right[right.any(1)]
    chosen = torch.logsumexp(scores.masked_fill(~right, -1e9), 1)
    return (torch.logsumexp(scores, 1) - chosen).mean()


def _share(right: Tensor, best: Tensor, known: Tensor) -> float:
    return float(right.flatten(1).gather(1, best)[known].double().mean())


def _model_of(weights: Tensor, emissions: dict[int, Emission], temperature: float) -> ReadingModel:
    traits, kinds, alike, metres, bars = np.split(
        weights.numpy(), np.cumsum([len(TRAITS), len(KINDS), 2, len(METRES)])
    )
    return ReadingModel(
        emissions=emissions,
        kinds=kinds,
        traits=traits,
        compound=float(alike[0]),
        repetition=float(alike[1]),
        metres=dict(zip(METRES, map(float, metres), strict=True)),
        bars=float(bars[0]),
        temperature=temperature,
    )


def fit_folder(cache: Path, network: BeatNet, say: Callable[[str], None]) -> ReadingModel:
    """Fit on the development part of a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    random = np.random.default_rng(0)
    excerpts = []
    for path in sorted((cache / "dev").glob("*.npz")):
        with np.load(path) as kept:
            chords_s = kept["chord_s"].astype(np.float64)
        excerpts += read_excerpts(load_example(path), chords_s, network, random)
    if not excerpts:
        raise FileNotFoundError(f"nothing prepared in {cache / 'dev'}")
    return fit(excerpts, say)
