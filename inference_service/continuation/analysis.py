"""Analyse the key, harmony, phrases, melody and rhythm of a piece for its continuation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from inference_service.continuation.degrees import SILENCE, find_function, signature_tonic
from inference_service.continuation.harmony import Slots, find_slots, list_changes
from inference_service.continuation.melody import (
    METRES,
    TICKS,
    MelodyBar,
    cut_bars,
    list_tones,
)
from inference_service.continuation.scale import Harmony, build_harmony
from inference_service.errors import NothingToContinue
from inference_service.music.events import Key
from inference_service.music.score import Bar, Score, ScoreNote

MIN_NOTES: Final = 4
PHRASE_BARS: Final = 4
KEPT_BARS: Final = 32
"""Number of bars, from the end, that are analysed. The end is the best guide to what follows."""

_GRAMS: Final = (2, 3)

# Bonuses in the search for phrases, in units of a bar of rest. Set by hand; not fitted.
_CLOSING: Final = 0.2
"""Bonus for a phrase that ends with a tonic after a dominant."""
_FROM_THE_FIRST: Final = 0.1
"""Bonus for phrases counted from the first bar."""


@dataclass(frozen=True, slots=True)
class MelodyStatistics:
    """Statistics of a melody, each a distribution; empty if there is nothing to count.

    Attributes
    ----------
    durations : mapping of ticks to share
        Durations of notes.
    onsets : mapping of ticks to share
        Positions of onsets in the bar.
    divisions : mapping of (bool, int) to share
        Whether a segment begins with an onset, and its position in the beat in ticks.
    intervals : mapping of tuples to share
        Sequences of two and of three intervals, each with the duration of the note it leads to.
    """

    durations: dict[int, float]
    onsets: dict[int, float]
    divisions: dict[tuple[bool, int], float]
    intervals: dict[tuple[Hashable, ...], float]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Analysis of the last bars of a piece, at most :data:`KEPT_BARS`.

    Attributes
    ----------
    bars : tuple of Bar
        The analysed bars, at their positions in the score.
    key : Key
        Key at the end.
    tonic : int
        Tonic, as a pitch class, of the major key with the same signature.
    slots : tuple of Slots
        Degrees of each bar in the key at the end.
    melody : tuple of MelodyBar
        Melody of each bar.
    bars_into_phrase : int
        Number of bars since the last phrase ended.
    statistics : MelodyStatistics
        Statistics of the melody.
    low, high : int
        Register of the melody: its 3rd and 97th percentile of pitch.
    notes_per_bar : float
        Mean number of notes in bars with melody.
    changes_per_bar : float
        Mean number of chord changes, at least a quarter.
    """

    bars: tuple[Bar, ...]
    key: Key
    tonic: int
    slots: tuple[Slots, ...]
    melody: tuple[MelodyBar, ...]
    bars_into_phrase: int
    statistics: MelodyStatistics
    low: int
    high: int
    notes_per_bar: float
    changes_per_bar: float

    @property
    def degrees(self) -> tuple[str, ...]:
        """The degrees in order, without immediate repetitions."""
        return tuple(list_changes(self.slots))

    @property
    def has_melody(self) -> bool:
        """Whether any melody note begins in the bars."""
        return any(bar.attacks for bar in self.melody)

    def harmony_at(self, bar: int, place: int) -> Harmony:
        """Return the chord at a position, in ticks, of one of the bars."""
        return find_harmony(self.slots[bar], int(self.bars[bar].length_beats), place, self.tonic)


def find_harmony(slots: Slots, beats: int, place: int, tonic: int) -> Harmony:
    """Return the chord at a position, in ticks, of a bar with a number of beats."""
    return build_harmony(slots[min(place * len(slots) // (beats * TICKS), len(slots) - 1)], tonic)


def analyse(score: Score, melody: Sequence[ScoreNote]) -> Analysis:
    """Analyse the end of a piece.

    Raises
    ------
    NothingToContinue
        If it has fewer than :data:`MIN_NOTES` pitched notes, or ends in a metre for which the
        melody grammar has no rules.
    """
    count = sum(len(part.notes) for part in score.parts if not part.is_drum)
    bars = _last_bars(score)
    if not bars:
        raise NothingToContinue("the metre at the end is not supported", minimum=MIN_NOTES)
    if count < MIN_NOTES:
        raise NothingToContinue(
            f"{count} notes with a pitch are too few to go on from", minimum=MIN_NOTES
        )
    key = score.key_at(bars[-1].start_beats)
    slots = find_slots(score, bars, key)
    lengths = [int(bar.length_beats) for bar in bars]
    tones = list_tones(melody, bars[0].start_beats)
    lines = cut_bars(tones, lengths)
    tonic = signature_tonic(key)
    ends = find_phrase_ends(slots, lines)
    pitches = [tone.pitch for tone in tones] or [60, 76]
    sung = [len(line.attacks) for line in lines if line.attacks]
    changes = len(list_changes(slots)) / len(bars)
    return Analysis(
        bars=tuple(bars),
        key=key,
        tonic=tonic,
        slots=tuple(slots),
        melody=tuple(lines),
        bars_into_phrase=len(bars) - 1 - ends[-1] if ends else len(bars) % PHRASE_BARS,
        statistics=describe_melody(lines),
        low=int(np.percentile(pitches, 3)),
        high=int(np.percentile(pitches, 97)),
        notes_per_bar=float(np.mean(sung)) if sung else 0.0,
        changes_per_bar=max(changes, 0.25),
    )


def _last_bars(score: Score) -> list[Bar]:
    """Return the last full bars as far back as their metres are in :data:`METRES`."""
    bars: list[Bar] = []
    for bar in reversed(score.bars()):
        if bar.number <= 0 or bar.length_beats not in METRES or len(bars) == KEPT_BARS:
            break
        bars.append(bar)
    return bars[::-1]


def find_phrase_ends(slots: Sequence[Slots], melody: Sequence[MelodyBar]) -> list[int]:
    """Return the indices of the bars that end four-bar phrases.

    Of the four possible alignments, the one with the most restful ends is chosen. Rest is measured
    by the silence or long note at the end of the bar, with a bonus for a tonic after a dominant.
    """
    rest = [line.repose + _closes(slots, index) for index, line in enumerate(melody)]
    means = [
        (float(np.mean(rest[phase::PHRASE_BARS])) if rest[phase::PHRASE_BARS] else 0.0)
        for phase in range(PHRASE_BARS)
    ]
    means[PHRASE_BARS - 1] += _FROM_THE_FIRST
    best = max(range(PHRASE_BARS), key=lambda phase: (means[phase], phase))
    return list(range(best, len(melody), PHRASE_BARS))


def _closes(slots: Sequence[Slots], bar: int) -> float:
    if bar == 0:
        return 0.0
    before, now = list_changes(slots[bar - 1 : bar])[-1], slots[bar][-1]
    functions = find_function(before), find_function(now)
    return _CLOSING if functions[1] == "tonic" and functions[0] in ("dominant", "applied") else 0.0


def name_cadence(slots: Sequence[Slots], bar: int, key: Key) -> str:
    """Return the kind of cadence at the end of a bar."""
    changes = list_changes(slots[max(bar - 1, 0) : bar + 1])
    last, before = changes[-1], changes[-2] if len(changes) > 1 else SILENCE
    tonic, relative = ("I", "vi") if key.mode == "major" else ("vi", "I")
    dominants = ("V", "viio") if key.mode == "major" else ("III", "#vo", "iii")
    if last == tonic:
        return "authentic" if before in dominants else "plagal"
    if last in dominants:
        return "half"
    return "deceptive" if last == relative and before in dominants else "none"


def describe_melody(melody: Sequence[MelodyBar]) -> MelodyStatistics:
    """Return the statistics of bars of melody."""
    durations: Counter[int] = Counter()
    onsets: Counter[int] = Counter()
    divisions: Counter[tuple[bool, int]] = Counter()
    grams: Counter[tuple[Hashable, ...]] = Counter()
    moves: list[tuple[int, int]] = []
    before: int | None = None
    for line in melody:
        divisions.update((isinstance(p.pitch, int), p.start % TICKS) for p in line.segments)
        for segment in line.attacks:
            assert isinstance(segment.pitch, int)
            durations[segment.stop - segment.start] += 1
            onsets[segment.start] += 1
            if before is not None:
                moves.append((segment.pitch - before, segment.stop - segment.start))
            before = segment.pitch
    for size in _GRAMS:
        grams.update(zip(*(moves[index:] for index in range(size)), strict=False))
    return MelodyStatistics(_share(durations), _share(onsets), _share(divisions), _share(grams))


K = TypeVar("K", bound=Hashable)


def _share(counts: Counter[K]) -> dict[K, float]:
    total = counts.total()
    return {key: count / total for key, count in counts.items()}
