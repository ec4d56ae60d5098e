"""Compare whole readings of a song: which beats, in which metre, beginning where.

A reading is a sequence of beats (:mod:`.beat_paths` finds one for each tempo, and the middles
between its beats make another), a metre that holds throughout, and the place of the first
downbeat. Its score is a log probability up to a constant, a nested logit: the evidence at every
beat and the repetition of bars (:mod:`.evidence`) decide between the bars on the same beats, and
together with the traits of the sequences (:data:`.reading_model.TRAITS`) between the sequences.
Evidence is summed over the song but grows only with the square root of its length, because
neighbouring bars repeat each other's errors. The parameters are fitted on held-out music; see
``model_zoo/experiments/014-song-bars.md``.

A beat too many or too few, as in an odd bar, moves the bars that follow at a cost
(:data:`SLIP_PRICE`). The metre changes only if the bars of another one fit so much better that they
pay for :data:`CHANGE_PRICE` twice or reach the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks
from scipy.special import logsumexp

from inference_service.music.events import ChordSegment
from inference_service.rhythm.from_sound.beat_paths import BeatPath, find_paths, score_beats
from inference_service.rhythm.from_sound.evidence import (
    describe_beats,
    find_onsets,
    measure_repetition,
)
from inference_service.rhythm.from_sound.features import FRAMES_PER_S, Features
from inference_service.rhythm.from_sound.reading_model import (
    BAR_LENGTHS,
    Metre,
    ReadingModel,
    name_metre,
)

MAX_PATHS: Final = 7
REFERENCE_S: Final = 30.0
"""Evidence of a song of this length counts in full."""

SLIP_PRICE: Final = 3.0
CHANGE_PRICE: Final = 6.0
"""Costs in log odds of a beat too many or too few, and of another metre. On held-out music whose
bars are all alike, one song of 92 lost bars at these costs, and seven at less than half."""

MIDDLE_BPM: Final = 100.0
DOTTED_OCTAVES: Final = 0.5
"""How much slower dotted beats usually are."""

USUAL_CHORD_OCTAVES: Final = 1.0
"""Duration of chords in a song without any: two beats, in octaves."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to count a song.

    Attributes
    ----------
    frames : np.ndarray of int, shape (B,)
        Frames of the beats.
    positions : np.ndarray of int, shape (B,)
        Positions in the bar, 1 for the downbeat.
    metre : Metre
    probability : float
        Of all readings of the song, which add up to 1.
    """

    frames: NDArray[np.int64]
    positions: NDArray[np.int64]
    metre: Metre
    probability: float

    @property
    def beat_frames(self) -> float:
        """Mean length of a beat."""
        return float(self.frames[-1] - self.frames[0]) / (len(self.frames) - 1)

    @property
    def quarter_frames(self) -> float:
        """Mean length of a quarter; the beat of a compound metre is a dotted quarter."""
        return self.beat_frames / (1.5 if self.metre[1] else 1.0)

    @property
    def first_bar_frame(self) -> float:
        """Where the first full bar begins; after the last beat, if none does before."""
        downbeats = self.frames[self.positions == 1]
        if len(downbeats):
            return float(downbeats[0])
        missing = self.metre[0] + 1 - int(self.positions[-1])
        return float(self.frames[-1]) + missing * self.beat_frames

    @property
    def time_signature(self) -> str:
        """Name of the metre."""
        return name_metre(self.metre)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sequence of beats with what is heard at them.

    Attributes
    ----------
    frames : np.ndarray of int, shape (B,), B >= 2
    traits : np.ndarray, shape (2, len(TRAITS))
        For beats that divide in two, and in three.
    evidence : np.ndarray, shape (B, len(KINDS))
    compound : float
        Mean log odds that beats divide in three.
    repetition : np.ndarray, shape (len(BAR_LENGTHS),)
        How alike beats are that are bars apart.
    """

    frames: NDArray[np.int64]
    traits: NDArray[np.float64]
    evidence: NDArray[np.float64]
    compound: float
    repetition: NDArray[np.float64]


def find_candidates(
    activations: NDArray[np.floating], features: Features, chords: Sequence[ChordSegment]
) -> list[Candidate]:
    """Return the sequences of beats of a song.

    Parameters
    ----------
    activations : np.ndarray, shape (3, T), float in [0, 1]
        Probabilities of a beat, a downbeat, and beats that divide in three.
    features : np.ndarray, shape (F, T)
    chords : sequence of ChordSegment
        May be empty.
    """
    beat, downbeat, compound = activations.astype(np.float64)
    likely = np.clip(compound, 1e-3, 1 - 1e-3)
    odds = np.log(likely / (1 - likely))
    onset_rate = _count_onsets(features) / len(beat)
    chord_frames = _typical_chord(chords) * FRAMES_PER_S
    found = []
    for path, between in _iterate_paths(beat):
        frames = path.frames
        evidence = describe_beats(frames, downbeat, features, chords)
        traits = _describe_path(path, between, len(beat), onset_rate, chord_frames)
        divided = float(odds[frames].mean())
        repetition = measure_repetition(frames, features, BAR_LENGTHS)
        found.append(Candidate(frames, traits, evidence, divided, repetition))
    return found


def compare(
    candidates: Sequence[Candidate], model: ReadingModel, duration_s: float
) -> list[Reading]:
    """Return all readings with their probabilities, the most probable first."""
    scores, keys = score_readings(candidates, model, duration_s)
    if not keys:
        return []
    shares = np.exp(scores / model.temperature - logsumexp(scores / model.temperature))
    readings = []
    for index in np.argsort(-shares, kind="stable"):
        candidate, metre, first = keys[index]
        positions = (np.arange(len(candidate.frames)) + first) % metre[0] + 1
        readings.append(Reading(candidate.frames, positions, metre, float(shares[index])))
    return readings


def score_readings(
    candidates: Sequence[Candidate], model: ReadingModel, duration_s: float
) -> tuple[NDArray[np.float64], list[tuple[Candidate, Metre, int]]]:
    """Return the score of each reading, and its beats, metre and 0-based position of the first."""
    scale = discount(duration_s)
    scores: list[NDArray[np.float64]] = []
    keys = []
    for candidate in candidates:
        bars, traits = [], []
        for metre in model.metres:
            length, compound = metre
            sums = sum_evidence(candidate.evidence, model, length) @ model.kinds * scale
            divided = candidate.compound if compound else -candidate.compound
            repeated = candidate.repetition[BAR_LENGTHS.index(length)]
            alike = model.compound * divided + model.repetition * repeated
            bars.append(sums + model.metres[metre] + alike)
            traits.append(np.full(length, candidate.traits[int(compound)] @ model.traits))
            keys += [(candidate, metre, first) for first in range(length)]
        inner = np.concatenate(bars)
        scores.append(np.concatenate(traits) + inner - (1.0 - model.bars) * logsumexp(inner))
    return np.concatenate(scores) if scores else np.zeros(0), keys


def sum_evidence(
    evidence: NDArray[np.float64], model: ReadingModel, length: int
) -> NDArray[np.float64]:
    """Return the log likelihood ratios of bars of a length, shape (length, K).

    Row ``k`` is for a first beat at the 0-based position ``k``.
    """
    ratios = model.emissions[length].compare(evidence)
    beats = np.arange(len(evidence))
    return np.stack(
        [ratios[beats, (beats + first) % length].sum(axis=0) for first in range(length)]
    )


def discount(duration_s: float) -> float:
    """Return the factor of sums over the beats of a song."""
    return float(np.sqrt(REFERENCE_S / max(duration_s, REFERENCE_S)))


def place_bars(candidate: Candidate, reading: Reading, model: ReadingModel) -> NDArray[np.int64]:
    """Return the positions of a reading's beats, with odd bars and changes of metre where the
    evidence for them is strong.

    The best path through positions of all metres (Viterbi), at the costs of slips and changes.
    """
    lengths = np.repeat(BAR_LENGTHS, BAR_LENGTHS)
    places = np.concatenate([np.arange(length) for length in BAR_LENGTHS])
    gains = np.concatenate(
        [
            model.emissions[length].compare(candidate.evidence) @ model.kinds
            for length in BAR_LENGTHS
        ],
        axis=1,
    )
    other = lengths[:, None] != lengths[None, :]
    follows = ~other & (places[None, :] == (places[:, None] + 1) % lengths[:, None])
    prices = np.where(other, CHANGE_PRICE, np.where(follows, 0.0, SLIP_PRICE))
    # A metre changes at a bar line.
    prices += np.where(other & (places[None, :] > 0), SLIP_PRICE, 0.0)
    start = np.where(lengths == reading.metre[0], 0.0, -CHANGE_PRICE)
    start -= np.where(places == reading.positions[0] - 1, 0.0, SLIP_PRICE / 2)
    totals, came = start + gains[0], np.zeros(gains.shape, np.intp)
    for index in range(1, len(gains)):
        options = totals[:, None] - prices
        came[index] = options.argmax(axis=0)
        totals = options.max(axis=0) + gains[index]
    states = np.zeros(len(gains), np.intp)
    states[-1] = totals.argmax()
    for index in range(len(gains) - 1, 0, -1):
        states[index - 1] = came[index, states[index]]
    return places[states] + 1


def _iterate_paths(beat: NDArray[np.float64]) -> list[tuple[BeatPath, bool]]:
    """Return sequences of beats, each followed by that of the middles between its beats."""
    gains = score_beats(beat)
    paths = []
    for path in find_paths(beat, FRAMES_PER_S)[:MAX_PATHS]:
        paths.append((path, False))
        if len(path.frames) >= 4:
            middles = _halve(path, len(beat))
            near = np.clip(middles[:, None] + np.arange(-1, 2), 0, len(beat) - 1)
            price = float(gains[path.frames].sum()) - path.gain
            gain = float(gains[near].max(axis=1).sum()) - price
            paths.append((BeatPath(middles, gain), True))
    return paths


def _halve(path: BeatPath, frame_count: int) -> NDArray[np.int64]:
    """Return the middles between beats, and the ones before the first and after the last."""
    frames = path.frames
    before = frames[0] - (frames[1] - frames[0]) // 2
    after = frames[-1] + (frames[-1] - frames[-2]) // 2
    middles = np.array([before, *((frames[:-1] + frames[1:]) // 2), after])
    return middles[(middles >= 0) & (middles < frame_count)]


def _describe_path(
    path: BeatPath, between: bool, frame_count: int, onset_rate: float, chord_frames: float
) -> NDArray[np.float64]:
    scale = discount(frame_count / FRAMES_PER_S)
    interval = path.interval_frames
    tempo = float(np.log2(60.0 * FRAMES_PER_S / interval / MIDDLE_BPM))
    dotted = tempo + DOTTED_OCTAVES
    onsets = float(np.log2(max(onset_rate * interval, 0.1)))
    chords = float(np.log2(chord_frames / interval)) if chord_frames else USUAL_CHORD_OCTAVES
    common = [path.gain * scale / 20, len(path.frames) * scale / 10, float(between)]
    rates = [onsets, onsets**2, chords, chords**2]
    return np.array(
        [
            [*common, tempo, tempo**2, 0.0, 0.0, *rates],
            [*common, 0.0, 0.0, dotted, dotted**2, *rates],
        ]
    )


def _count_onsets(features: Features) -> int:
    """Return the number of clear onsets of a recording."""
    onsets = find_onsets(features).mean(axis=0)
    peaks, _ = find_peaks(onsets, height=onsets.mean() + 0.5 * onsets.std(), distance=4)
    return len(peaks)


def _typical_chord(chords: Sequence[ChordSegment]) -> float:
    """Return the median duration of chords in seconds; 0 with fewer than five."""
    starts_s = np.array([chord.start_s for chord in chords[1:]])
    return float(np.median(np.diff(starts_s))) if len(starts_s) > 4 else 0.0
