"""Compare continuations of held-out songs with the songs themselves.

Every song is cut after a phrase near its middle, and eight composed bars are compared with the
song's next eight. Distributions are compared by total variation distance, half the sum of the
absolute differences: 0 if they are equal, 1 if they do not overlap. For reference, the same
distance is given for the continuation of another song, the next in the list, transposed to this
song's key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TypeVar

import numpy as np

from inference_service.continuation.analysis import PHRASE_BARS, find_phrase_ends, name_cadence
from inference_service.continuation.compose import Continuation, continue_music
from inference_service.continuation.degrees import signature_tonic
from inference_service.continuation.harmony import find_slots
from inference_service.continuation.melody import TICKS, MelodyBar
from inference_service.continuation.options import ContinuationOptions
from inference_service.errors import NothingToContinue
from inference_service.harmony.key import KeyProfileEstimator
from inference_service.music.events import Key, NoteEvent
from inference_service.music.excerpt import cut_score
from inference_service.music.score import Score, ScoreNote
from model_zoo.training.continuation.learn import LEAST_GIVEN, NEW_BARS, Lesson
from model_zoo.training.continuation.song import Song
from model_zoo.training.continuation.survey import STYLES

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Passage:
    """The features of some bars that are compared.

    Attributes
    ----------
    key : Key
        Estimated from the notes.
    classes : mapping of int to float
        Share of the duration of each pitch class, relative to the tonic of the song's signature.
    onsets : mapping of Fraction to float
        Share of the melody's notes at each position in the bar.
    """

    key: Key
    classes: dict[int, float]
    onsets: dict[Fraction, float]


@dataclass(frozen=True, slots=True)
class Case:
    """A song that was cut: the true and the composed bars after the cut."""

    name: str
    true: Passage
    made: Passage
    written_key: Key
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares and mean distances over cases.

    Attributes
    ----------
    key, key_of_song : float
        Share of continuations in the key of the true bars, and in the song's annotated key.
    true_key_of_song : float
        Share of the true bars in the song's annotated key.
    classes, shuffled_classes : float
        Distance from the true bars in pitch classes, for the continuation and for another song's.
    onsets, shuffled_onsets : float
        The same for positions in the bar.
    closed : float
        Share of continuations that end with a cadence in the tonic.
    """

    key: float
    key_of_song: float
    true_key_of_song: float
    classes: float
    shuffled_classes: float
    onsets: float
    shuffled_onsets: float
    closed: float


def list_cases(songs: Iterable[Song], seed: int = 0) -> Iterator[Case]:
    """Yield a case for each song that is long enough."""
    for song in songs:
        place = find_cut(song)
        if place is None:
            continue
        bars = Lesson(song).bars
        start, cut, stop = (
            bars[0].start_beats,
            bars[place].start_beats,
            bars[place + NEW_BARS - 1].stop_beats,
        )
        given = cut_score(song.score, start, cut)
        melody = [n for n in song.melody if start <= n.start_beats and n.stop_beats <= cut]
        options = ContinuationOptions(
            measures=NEW_BARS, style=STYLES[song.corpus], seed=seed, context_measures=0
        )
        try:
            made = continue_music(given, [_shift(n, -start) for n in melody], options)[0]
        except NothingToContinue:
            continue
        true = cut_score(song.score, cut, stop)
        holder = {(n.start_beats - cut, n.pitch) for n in song.melody}
        key = given.key_at(cut - start)
        tonic = signature_tonic(key)
        sung = [n for p in true.parts for n in p.notes if (n.start_beats, n.pitch) in holder]
        yield Case(
            song.name,
            _describe(true, sung, tonic),
            _describe(made.score, _melody_of(made, given, melody, start), tonic),
            key,
            _closes(made),
        )


def find_cut(song: Song) -> int | None:
    """Return the bar nearest to the middle that follows the end of a phrase.

    None if no such bar is far enough from both ends of the song, and from a change of key or metre.
    """
    lesson = Lesson(song)
    lines = lesson.melody or [MelodyBar(4, ())] * len(lesson.slots)
    changes = {c.start_beats for c in song.score.key_changes}
    changes |= {c.start_beats for c in song.score.time_changes}
    places = [
        end + 1
        for end in find_phrase_ends(lesson.slots, lines)
        if LEAST_GIVEN <= end + 1 <= len(lesson.bars) - NEW_BARS
        and not any(
            int(b.start_beats) in changes for b in lesson.bars[end + 1 : end + 1 + NEW_BARS]
        )
    ]
    return min(places, key=lambda place: abs(place - len(lesson.bars) / 2), default=None)


def summarise(cases: Sequence[Case]) -> Figures:
    """Return the figures of all cases."""
    others = [*cases[1:], cases[0]]
    return Figures(
        key=_mean(case.made.key == case.true.key for case in cases),
        key_of_song=_mean(case.made.key == case.written_key for case in cases),
        true_key_of_song=_mean(case.true.key == case.written_key for case in cases),
        classes=_mean(distance(case.made.classes, case.true.classes) for case in cases),
        shuffled_classes=_mean(
            distance(other.made.classes, case.true.classes)
            for case, other in zip(cases, others, strict=True)
        ),
        onsets=_mean(distance(case.made.onsets, case.true.onsets) for case in cases),
        shuffled_onsets=_mean(
            distance(other.made.onsets, case.true.onsets)
            for case, other in zip(cases, others, strict=True)
        ),
        closed=_mean(case.is_closed for case in cases),
    )


def describe_figures(figures: Figures) -> Iterator[str]:
    """Yield a line for each figure."""
    for field in fields(figures):
        yield f"{field.name:18} {getattr(figures, field.name):.3f}"


def distance(one: dict[K, float], other: dict[K, float]) -> float:
    """Return the total variation distance between two distributions."""
    return 0.5 * sum(abs(one.get(k, 0.0) - other.get(k, 0.0)) for k in set(one) | set(other))


def _describe(score: Score, melody: Sequence[ScoreNote], tonic: int) -> Passage:
    notes = [n for part in score.parts if not part.is_drum for n in part.notes]
    classes: Counter[int] = Counter()
    for note in notes:
        classes[(note.pitch - tonic) % 12] += round(note.duration_beats * TICKS)
    heard = [
        NoteEvent(float(n.start_beats), float(n.start_beats + n.duration_beats), n.pitch)
        for n in notes
    ]
    beats = score.signature.beats
    onsets = Counter(note.start_beats % beats for note in melody or notes)
    return Passage(
        KeyProfileEstimator().estimate(sorted(heard), ())[0].key, _share(classes), _share(onsets)
    )


def _melody_of(
    made: Continuation, given: Score, melody: Sequence[ScoreNote], start: Fraction
) -> list[ScoreNote]:
    """Return the new notes of the part with the melody."""
    sung = {(n.start_beats - start, n.pitch) for n in melody}
    counts = [sum((n.start_beats, n.pitch) in sung for n in p.notes) for p in given.parts]
    if not melody:
        return []
    return list(made.score.parts[counts.index(max(counts))].notes)


def _closes(made: Continuation) -> bool:
    score = made.score
    bars = score.bars()[-PHRASE_BARS:]
    slots = find_slots(score, bars)
    return name_cadence(slots, len(slots) - 1, score.key) in ("authentic", "plagal")


def _shift(note: ScoreNote, beats: Fraction) -> ScoreNote:
    return ScoreNote(note.start_beats + beats, note.duration_beats, note.pitch, note.velocity)


def _share(counts: Counter[K]) -> dict[K, float]:
    total = counts.total()
    return {key: count / total for key, count in counts.items()}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([float(value) for value in values]))
