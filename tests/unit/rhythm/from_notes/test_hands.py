"""The hands follow lines."""

from __future__ import annotations

import numpy as np

from inference_service.rhythm.from_notes.hands import follow_lines


def lower(pitches: list[int], odds: list[float], starts: list[int] | None = None) -> list[bool]:
    where = np.array(starts if starts is not None else list(range(len(pitches))))
    hands = follow_lines(where * 6, where * 0.2, np.array(pitches), np.array(odds))
    return [bool(value > 0) for value in hands]


def test_the_last_note_of_a_scale_stays_in_its_hand() -> None:
    scale = [48, 50, 52, 53, 55, 57, 59, 60]
    assert lower(scale, [3.0] * 7 + [-1.0]) == [True] * 8


def test_a_line_may_go_from_hand_to_hand() -> None:
    scale = [48, 50, 52, 53, 55, 57, 59, 60]
    assert lower(scale, [4.0] * 4 + [-4.0] * 4) == [True] * 4 + [False] * 4


def test_a_leap_or_a_silence_begins_another_line() -> None:
    assert lower([48, 50, 72], [3.0, 3.0, -1.0]) == [True, True, False]
    assert lower([48, 50, 52], [3.0, 3.0, -1.0], [0, 1, 9]) == [True, True, False]


def test_each_line_of_two_keeps_its_hand() -> None:
    pitches = [76, 48, 77, 50, 79, 52]
    hands = lower(pitches, [-2.0, 2.0, 0.5, 2.0, -2.0, -0.5], [0, 0, 1, 1, 2, 2])
    assert hands == [False, True] * 3


def test_no_notes_have_no_hands() -> None:
    assert lower([], []) == []
