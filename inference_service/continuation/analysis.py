"""What a piece tells about how it could go on: its key, harmony, phrases, melody and rhythm."""

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
"""The end of a piece tells most about what follows; no more of it is weighed."""

_GRAMS: Final = (2, 3)
_CLOSING: Final = 0.2
_FROM_THE_FIRST: Final = 0.1
"""What speaks for phrases that are counted from the first bar."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """A phrase's end.

    Attributes
    ----------
    bar : int
        Its index among the analysed bars.
    kind : str
        ``authentic``, ``plagal``, ``deceptive``, ``half`` or ``none``, by the last two chords.
    """

    bar: int
    kind: str


@dataclass(frozen=True, slots=True)
class Habits:
    """How often things come in a melody: each a distribution, empty without bars.

    Attributes
    ----------
    durations : mapping of ticks to share
    onsets : mapping of places in the bar, in ticks, to share
    divisions : mapping of whether a note begins, and the place in the beat, in ticks, to share
        Of notes, and of what goes on or is silent.
    intervals : mapping of two and three moves in a row, each with its duration, to share
    """

    durations: dict[int, float]
    onsets: dict[int, float]
    divisions: dict[tuple[bool, int], float]
    intervals: dict[tuple[Hashable, ...], float]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A piece's last bars, at most :data:`KEPT_BARS`.

    Attributes
    ----------
    bars : tuple of Bar
        Full ones, as they stand in the score.
    key : Key
        At the end.
    tonic : int
        Pitch class of the major key with its signature.
    slots : tuple of Slots
        The degrees of each bar, as of the key at the end.
    melody : tuple of MelodyBar
        Of each bar.
    cadences : tuple of Cadence
    bars_into_phrase : int
        Bars since the last phrase ended.
    habits : Habits
    low, high : int
        Between these pitches the melody moves.
    notes_per_bar, changes_per_bar : float
        Of melody and harmony, where there are any.
    """

    bars: tuple[Bar, ...]
    key: Key
    tonic: int
    slots: tuple[Slots, ...]
    melody: tuple[MelodyBar, ...]
    cadences: tuple[Cadence, ...]
    bars_into_phrase: int
    habits: Habits
    low: int
    high: int
    notes_per_bar: float
    changes_per_bar: float

    @property
    def degrees(self) -> tuple[str, ...]:
        """The chords in their order, none twice in a row."""
        return tuple(list_changes(self.slots))

    @property
    def functions(self) -> tuple[str, ...]:
        """What each of :attr:`degrees` does."""
        return tuple(find_function(degree) for degree in self.degrees)

    @property
    def has_melody(self) -> bool:
        """Whether any of the bars has a note of melody."""
        return any(bar.attacks for bar in self.melody)

    def harmony_at(self, bar: int, place: int) -> Harmony:
        """Return the chord at a place, in ticks, of one of the bars."""
        return find_harmony(self.slots[bar], int(self.bars[bar].length_beats), place, self.tonic)


def find_harmony(slots: Slots, beats: int, place: int, tonic: int) -> Harmony:
    """Return the chord at a place, in ticks, of a bar of so many beats."""
    return build_harmony(slots[min(place * len(slots) // (beats * TICKS), len(slots) - 1)], tonic)


def analyse(score: Score, melody: Sequence[ScoreNote]) -> Analysis:
    """Return what the end of a piece tells.

    Raises
    ------
    NothingToContinue
        If it has fewer than :data:`MIN_NOTES` notes with a pitch, or ends in a metre that the
        grammar of melody lacks.
    """
    count = sum(len(part.notes) for part in score.parts if not part.is_drum)
    bars = _last_bars(score)
    if not bars:
        raise NothingToContinue("the music ends in no metre that is known", minimum=MIN_NOTES)
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
        cadences=tuple(Cadence(end, name_cadence(slots, end, key)) for end in ends),
        bars_into_phrase=len(bars) - 1 - ends[-1] if ends else len(bars) % PHRASE_BARS,
        habits=describe_habits(lines),
        low=int(np.percentile(pitches, 3)),
        high=int(np.percentile(pitches, 97)),
        notes_per_bar=float(np.mean(sung)) if sung else 0.0,
        changes_per_bar=max(changes, 0.25),
    )


def _last_bars(score: Score) -> list[Bar]:
    """Return the last full bars, back to the first that is in no metre of :data:`METRES`."""
    bars: list[Bar] = []
    for bar in reversed(score.bars()):
        if bar.number <= 0 or bar.length_beats not in METRES or len(bars) == KEPT_BARS:
            break
        bars.append(bar)
    return bars[::-1]


def find_phrase_ends(slots: Sequence[Slots], melody: Sequence[MelodyBar]) -> list[int]:
    """Return the bars with which phrases of four end.

    Of the four ways to count in fours the one is taken whose ends are the most restful: by the
    silence or the long note with which the melody's bar closes, and by a tonic after a dominant.
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
    """Return what kind of cadence a bar closes with."""
    changes = list_changes(slots[max(bar - 1, 0) : bar + 1])
    last, before = changes[-1], changes[-2] if len(changes) > 1 else SILENCE
    tonic, relative = ("I", "vi") if key.mode == "major" else ("vi", "I")
    dominants = ("V", "viio") if key.mode == "major" else ("III", "#vo", "iii")
    if last == tonic:
        return "authentic" if before in dominants else "plagal"
    if last in dominants:
        return "half"
    return "deceptive" if last == relative and before in dominants else "none"


def describe_habits(melody: Sequence[MelodyBar]) -> Habits:
    """Count what comes in bars of melody."""
    durations: Counter[int] = Counter()
    onsets: Counter[int] = Counter()
    divisions: Counter[tuple[bool, int]] = Counter()
    grams: Counter[tuple[Hashable, ...]] = Counter()
    moves: list[tuple[int, int]] = []
    before: int | None = None
    for line in melody:
        divisions.update((isinstance(p.pitch, int), p.start % TICKS) for p in line.pieces)
        for piece in line.attacks:
            assert isinstance(piece.pitch, int)
            durations[piece.stop - piece.start] += 1
            onsets[piece.start] += 1
            if before is not None:
                moves.append((piece.pitch - before, piece.stop - piece.start))
            before = piece.pitch
    for size in _GRAMS:
        grams.update(zip(*(moves[index:] for index in range(size)), strict=False))
    return Habits(_share(durations), _share(onsets), _share(divisions), _share(grams))


K = TypeVar("K", bound=Hashable)


def _share(counts: Counter[K]) -> dict[K, float]:
    total = counts.total()
    return {key: count / total for key, count in counts.items()}
