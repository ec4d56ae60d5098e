"""Learn a style: count the grammars' rules in its corpus.

First, bars are parsed by rules that can parse any bar, so that these counts are exact. Then the
four bars before each phrase end (:func:`find_phrase_ends`) are parsed as a phrase, using the
probabilities learnt from bars to choose the most probable parse. The last bars of a song are parsed
as a closing phrase if possible.

The discounts maximise the likelihood of development songs. The usual surprise of the style is also
measured on these: for every eight bars, with probabilities adapted to all preceding bars, as for a
continuation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import Final

import numpy as np

from inference_service.continuation.adaptation import (
    adapt_harmony,
    adapt_melody,
    read_bars,
    read_melody_bars,
)
from inference_service.continuation.analysis import PHRASE_BARS, find_harmony, find_phrase_ends
from inference_service.continuation.degrees import signature_tonic
from inference_service.continuation.grammar import start_at
from inference_service.continuation.harmony import Slots, find_slots, list_changes, write_harmony
from inference_service.continuation.melody import METRES, HarmonyAt, MelodyBar, cut_bars, list_tones
from inference_service.continuation.options import Style
from inference_service.continuation.parser import Parser
from inference_service.continuation.probabilities import (
    Choice,
    Probabilities,
    learn_probabilities,
)
from inference_service.continuation.scale import Harmony
from inference_service.continuation.styles import (
    Language,
    StyleModel,
    SurpriseStatistics,
    load_grammar,
)
from inference_service.music.score import Bar
from model_zoo.training.continuation.ngrams import DISCOUNTS
from model_zoo.training.continuation.song import Song

NEW_BARS: Final = 8
LEAST_GIVEN: Final = 16
CONTEXT: Final = 2
"""Number of preceding degrees that a chord is conditioned on."""

ROUNDS: Final = 2
TAIL_BARS: Final = 12
"""Maximum number of bars after the final chord of a song in which it is only held."""

PHRASE_RULES: Final = ("phrase", "half_close", "full_close", "approach", "leading", "cadence")
"""Prefixes of the names of the rules that are counted in phrases."""


@dataclass(frozen=True)
class Lesson:
    """A song as bars of chords and melody."""

    song: Song

    @cached_property
    def bars(self) -> list[Bar]:
        """The full bars."""
        return [bar for bar in self.song.score.bars() if bar.number > 0]

    @cached_property
    def slots(self) -> list[Slots]:
        """The degrees of each bar, in the key in force."""
        return find_slots(self.song.score, self.bars)

    @cached_property
    def melody(self) -> list[MelodyBar]:
        """The melody of each bar; empty if the grammar has no rule for the length of a bar."""
        lengths = [int(bar.length_beats) for bar in self.bars]
        if not self.song.melody or not METRES.issuperset(lengths):
            return []
        return cut_bars(list_tones(self.song.melody, self.bars[0].start_beats), lengths)

    def harmony_at(self, bar: int, place: int) -> Harmony:
        """Return the chord at a position in a bar, in ticks."""
        key = self.song.score.key_at(self.bars[bar].start_beats)
        beats = int(self.bars[bar].length_beats)
        return find_harmony(self.slots[bar], beats, place, signature_tonic(key))


def learn_language(style: Style, train: Sequence[Song], dev: Sequence[Song]) -> Language:
    """Learn the harmony and the melody of a style."""
    lessons = [Lesson(song) for song in train]
    tests = [Lesson(song) for song in dev]
    harmony = choose_discounts(learn_harmony(lessons), _list_chord_choices(tests))
    melody = choose_discounts(learn_melody(lessons), _list_melody_choices(tests))
    return Language(
        style,
        StyleModel(harmony, _measure(measure_harmony(harmony, lesson) for lesson in tests)),
        StyleModel(melody, _measure(measure_melody(melody, lesson) for lesson in tests)),
    )


def learn_harmony(lessons: Iterable[Lesson]) -> Probabilities:
    """Count bars, then phrases."""
    grammar = load_grammar("harmony")
    lessons = [lesson for lesson in lessons if lesson.slots]
    choices = _list_chord_choices(lessons)
    known = learn_probabilities(grammar, choices)
    for lesson in lessons:
        choices += [c for c in _read_phrases(known, lesson) if c.rule.startswith(PHRASE_RULES)]
    return learn_probabilities(grammar, choices)


def choose_discounts(known: Probabilities, choices: Sequence[Choice]) -> Probabilities:
    """Return the probabilities with the discounts that maximise the likelihood of choices.

    The discounts are optimised one by one, that of the longest context first, in :data:`ROUNDS`.
    """
    often = Counter(choices)

    def count_bits(tried: Probabilities) -> float:
        return -sum(
            times * log2(tried.after(rule, context)[production])
            for (rule, context, production), times in often.items()
        )

    for _ in range(ROUNDS):
        for length in reversed(range(len(known.discounts))):
            own = known.discounts
            tried = [known.discounted((*own[:length], d, *own[length + 1 :])) for d in DISCOUNTS]
            known = min(tried, key=count_bits)
    return known


def read_in_fours(known: Probabilities, slots: Sequence[Slots]) -> list[Choice]:
    """Return the choices in the parses of bars, parsed four at a time."""
    choices: list[Choice] = []
    before: list[str] = []
    for start in range(0, len(slots), PHRASE_BARS):
        group = slots[start : start + PHRASE_BARS]
        choices += read_bars(known, group, before[-CONTEXT:])
        before = list_changes([tuple(before), *group])
    return choices


def _read_phrases(known: Probabilities, lesson: Lesson) -> Iterator[Choice]:
    slots = lesson.slots
    ends = find_phrase_ends(slots, lesson.melody or [MelodyBar(4, ())] * len(slots))
    for end in ends:
        if end >= PHRASE_BARS:
            yield from _read_as(known, ["phrase"], slots, end - PHRASE_BARS + 1, end + 1)
    mode = lesson.song.score.key_at(lesson.bars[-1].start_beats).mode
    for stop in range(len(slots), max(len(slots) - TAIL_BARS, PHRASE_BARS), -1):
        names = [f"last_phrase_{mode}"]
        found = list(_read_as(known, names, slots, stop - PHRASE_BARS, stop))
        if found:  # the bars after it only hold the final chord
            yield from found
            break


def _read_as(
    known: Probabilities, names: Sequence[str], slots: Sequence[Slots], start: int, stop: int
) -> Iterator[Choice]:
    before = list_changes(slots[max(start - PHRASE_BARS, 0) : start])
    words = write_harmony(slots[start:stop], before[-1] if before else "")
    parser = Parser(known.within(start_at(known.grammar, names)))
    yield from parser.read(words, before[-CONTEXT:]).choices


def learn_melody(lessons: Iterable[Lesson]) -> Probabilities:
    """Count bars of melody."""
    return learn_probabilities(load_grammar("melody"), _list_melody_choices(lessons))


def _list_chord_choices(lessons: Iterable[Lesson]) -> list[Choice]:
    even = Probabilities(load_grammar("harmony"), {})
    read = (read_in_fours(even, lesson.slots) for lesson in lessons if lesson.slots)
    return [choice for choices in read for choice in _learnt(choices)]


def _list_melody_choices(lessons: Iterable[Lesson]) -> list[Choice]:
    even = Probabilities(load_grammar("melody"), {})
    return [
        choice
        for lesson in lessons
        for choices in read_melody_bars(even, lesson.melody, lesson.harmony_at)
        for choice in _learnt(choices)
    ]


def measure_harmony(known: Probabilities, lesson: Lesson) -> list[float]:
    """Return the bits per bar of every eight bars after the first sixteen."""
    slots, found = lesson.slots, []
    for start in range(LEAST_GIVEN, len(slots) - NEW_BARS + 1, NEW_BARS):
        adapted = adapt_harmony(known, slots[:start])
        before = list_changes(slots[:start])[-CONTEXT:]
        choices = read_bars(adapted, slots[start : start + NEW_BARS], before)
        found.append(_count_bits(adapted, choices) / NEW_BARS)
    return found


def measure_melody(known: Probabilities, lesson: Lesson) -> list[float]:
    """Return the bits per note of the same bars."""
    bars, found = lesson.melody, []
    at: HarmonyAt = lesson.harmony_at
    for start in range(LEAST_GIVEN, len(bars) - NEW_BARS + 1, NEW_BARS):
        adapted = adapt_melody(known, bars[:start], at)
        read = read_melody_bars(adapted, bars[: start + NEW_BARS], at, start)
        notes = sum(len(bar.attacks) for bar in bars[start : start + NEW_BARS])
        if notes >= NEW_BARS:
            found.append(sum(_count_bits(adapted, choices) for choices in read) / notes)
    return found


def _count_bits(known: Probabilities, choices: Sequence[Choice]) -> float:
    return -sum(
        float(np.log2(known.after(rule, context)[production]))
        for rule, context, production in _learnt(choices)
    )


def _learnt(choices: Sequence[Choice]) -> list[Choice]:
    """Leave out the choice of a start symbol, which is not in the grammar files."""
    return [choice for choice in choices if choice.rule != "sentence"]


def _measure(found: Iterable[list[float]]) -> SurpriseStatistics:
    values = [bits for song in found for bits in song]
    if len(values) < 2:
        return SurpriseStatistics(0.0, 1.0)
    return SurpriseStatistics(float(np.mean(values)), float(np.std(values)))
