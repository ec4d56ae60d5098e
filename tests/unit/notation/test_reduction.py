"""Playable piano reductions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

from inference_service.music.score import ScoreNote, ScorePart
from inference_service.notation.arrange import arrange
from inference_service.notation.quantize import quantize
from inference_service.notation.reduction import (
    LEFT_HAND_NOTES,
    RIGHT_HAND_NOTES,
    SPAN_SEMITONES,
    reduce_to_piano,
)
from inference_service.notation.views import View
from tests.factories import perform


def note(start: float, duration: float, pitch: int) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(duration), pitch)


def check_playable(notes: Sequence[ScoreNote]) -> None:
    for staff, most in ((1, RIGHT_HAND_NOTES), (2, LEFT_HAND_NOTES)):
        hand = [n for n in notes if n.staff == staff]
        for start in {n.start_beats for n in hand}:
            sounding = [n.pitch for n in hand if n.start_beats <= start < n.stop_beats]
            assert len(sounding) <= most
            assert len(set(sounding)) == len(sounding)
            assert max(sounding) - min(sounding) <= SPAN_SEMITONES


def band(seed: int) -> tuple[list[ScoreNote], list[ScoreNote]]:
    """Return a tune, and a pad, strummed chords, a bass and a doubling of the tune."""
    chance = random.Random(seed)
    tune = [note(k, 1, chance.randint(62, 81)) for k in range(32)]
    chords = [sorted(chance.sample(range(45, 80), 6)) for _ in range(8)]
    others = [note(4 * k, 4, p) for k, chord in enumerate(chords) for p in chord]
    others += [note(k / 4, 0.25, p + 12) for k in range(128) for p in chords[k // 16][:4]]
    others += [note(k, 1, chance.randint(28, 40)) for k in range(32)]
    others += [note(float(n.start_beats), 1, n.pitch - 12) for n in tune]
    return tune, others


def test_every_hand_stays_within_its_span_and_its_fingers() -> None:
    for seed in range(10):
        check_playable(reduce_to_piano(*band(seed)))


def test_the_melody_is_whole_and_on_top() -> None:
    for seed in range(10):
        tune, others = band(seed)
        right = [n for n in reduce_to_piano(tune, others) if n.staff == 1]
        for sung in tune:
            mates = [n for n in right if n.start_beats == sung.start_beats]
            assert max(mates, key=lambda n: n.pitch).pitch == sung.pitch
            (kept,) = [n for n in mates if n.pitch == sung.pitch]
            assert kept.duration_beats == sung.duration_beats


def test_the_bass_stays_at_the_bottom() -> None:
    tune, others = [note(0, 4, 72)], [note(0, 4, p) for p in (36, 40, 43, 48, 55, 64)]
    left = [n.pitch for n in reduce_to_piano(tune, others) if n.staff == 2]
    assert min(left) == 36
    assert 40 not in left  # a third in this register sounds muddy


def test_sixteenths_that_only_repeat_a_chord_become_eighths() -> None:
    pad = [note(k / 4, 0.25, p) for k in range(16) for p in (60, 64, 67)]
    starts = {n.start_beats for n in reduce_to_piano([], pad)}
    assert starts == {Fraction(k, 2) for k in range(8)}


def test_a_sixteenth_figure_that_moves_is_kept() -> None:
    figure = [note(k / 4, 0.25, (60, 64, 67, 72)[k % 4]) for k in range(16)]
    assert len(reduce_to_piano([], figure)) == 16


def test_drums_are_left_out_and_a_pianists_own_part_is_left_alone() -> None:
    chord = [(k, 1, p) for k in range(4) for p in (48, 55, 64, 67, 71, 76)]
    drums = [(k, 0.1, 36) for k in range(4)]
    score = arrange(quantize(perform({"piano": chord, "drums": drums}), ""), View.PIANO)
    (part,) = score.parts
    assert isinstance(part, ScorePart)
    assert {n.pitch for n in part.notes} == {48, 55, 64, 67, 71, 76}


def test_nothing_is_reduced_to_nothing() -> None:
    assert reduce_to_piano([], []) == []
