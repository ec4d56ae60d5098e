"""Conversion between bars of melody and words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.continuation.derivation import derive
from inference_service.continuation.grammar import start_at
from inference_service.continuation.melody import (
    METRES,
    TICKS,
    MelodyBar,
    Tone,
    copy_bar,
    cut_bars,
    join_bars,
    read_melody,
    write_melody,
)
from inference_service.continuation.parser import Parser
from inference_service.continuation.probabilities import Probabilities
from inference_service.continuation.scale import Harmony, build_harmony
from inference_service.continuation.search import plan_melody
from inference_service.continuation.styles import load_grammar

CHORDS = ("I", "vi", "ii", "V", "III", "IV")
GRAMMAR = load_grammar("melody")


def _harmony_at(bar: int, place: int) -> Harmony:
    return build_harmony(CHORDS[bar % len(CHORDS)], 0)


def _line(*notes: tuple[float, float, int]) -> list[Tone]:
    return [Tone(int(s * TICKS), int(d * TICKS), pitch) for s, d, pitch in notes]


def test_notes_over_bar_lines_and_rests_survive_cutting_and_joining() -> None:
    notes = _line((0, 1, 60), (1.5, 1.5, 64), (3, 3, 67), (7, 1, 65))
    bars = cut_bars(notes, [4, 4])
    assert join_bars(bars) == notes
    assert [len(bar.attacks) for bar in bars] == [3, 1]
    assert bars[1].repose == 0.25


def test_words_say_how_each_note_is_reached() -> None:
    bars = cut_bars(_line((0, 1, 60), (1, 0.5, 62), (1.5, 0.5, 64), (2, 2, 67)), [4])
    [words] = write_melody(GRAMMAR, bars, _harmony_at)
    assert words == ["|", "1", "c0", "1/2", "s+1", "1/2", "c+1", "2", "c+1"]


def test_a_bar_like_an_earlier_one_is_its_copy() -> None:
    notes = _line((0, 1, 60), (1, 1, 62), (2, 2, 64), (4, 1, 62), (5, 1, 64), (6, 2, 65))
    bars = cut_bars(notes, [4, 4])

    def at(bar: int, place: int) -> Harmony:
        return build_harmony(("I", "ii")[bar], 0)

    assert write_melody(GRAMMAR, bars, at)[1] == ["|", "back1", "higher"]
    upside_down = copy_bar(bars[0], "inverted", 0, at)
    assert [segment.pitch for segment in upside_down.attacks] == [60, 59, 55]


@st.composite
def melodies(draw: st.DrawFn) -> tuple[int, list[Tone]]:
    beats = draw(st.sampled_from(sorted(METRES)))
    total = 3 * beats
    places = st.integers(0, 4 * total - 1).map(lambda n: n * TICKS // 4)
    starts = sorted(draw(st.sets(places, max_size=20)))
    stops = [*starts[1:], total * TICKS]
    pitch = draw(st.integers(55, 72))
    notes = []
    for start, stop in zip(starts, stops, strict=False):
        pitch += draw(st.integers(-4, 4))
        length = (stop - start) // draw(st.sampled_from((1, 2)))
        notes.append(Tone(start, max(length - length % (TICKS // 4), TICKS // 4), pitch))
    return beats, notes


@given(melodies())
def test_any_melody_on_the_grid_can_be_written_parsed_and_read(
    made: tuple[int, list[Tone]],
) -> None:
    beats, notes = made
    bars = cut_bars(notes, [beats] * 3)
    written = write_melody(GRAMMAR, bars, _harmony_at)
    for words in written:
        grammar = start_at(GRAMMAR, [f"bar_{beats}"])
        assert Parser(Probabilities(grammar, {})).read(words).choices
    words = [word for bar in written for word in bar]
    read = read_melody(words, [], [beats] * 3, _harmony_at, 0, _first(bars))
    assert len(read) == 3
    if "back1" not in words and "back2" not in words:
        starts = [tone.start for tone in join_bars(read)]
        assert starts == [tone.start for tone in notes], "rhythm is kept exactly"


def _first(bars: list[MelodyBar]) -> int:
    pitches = [segment.pitch for bar in bars for segment in bar.attacks]
    return pitches[0] if pitches and isinstance(pitches[0], int) else 67


@pytest.mark.parametrize("beats", sorted(METRES))
def test_every_sentence_fills_its_bars_and_can_be_parsed_back(beats: int) -> None:
    grammar = start_at(GRAMMAR, plan_melody(4, beats))
    likely = Probabilities(grammar, {})
    random = np.random.default_rng(beats)
    for _ in range(20):
        made = derive(likely, random.random(200).tolist())
        assert made.is_complete
        assert Parser(likely).read(made.words).choices
        bars = read_melody(made.words, [], [beats] * 4, _harmony_at, 0)
        assert [sum(p.stop - p.start for p in bar.segments) for bar in bars] == [beats * TICKS] * 4
