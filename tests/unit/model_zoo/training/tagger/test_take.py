"""Labels: pedals, repeats, excerpts, mixtures."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.music.events import ChordSegment
from model_zoo.training.tagger.take import (
    Labels,
    Take,
    centre_velocities,
    cut,
    end_at_repeats,
    hold_by_pedal,
    mix,
)

RATE_HZ = 22_050
NO_PEDAL = np.zeros((0, 2))


def rows(*notes: tuple[float, ...]) -> Labels:
    return np.array(notes, float)


def test_a_pedal_holds_notes_until_it_is_released() -> None:
    notes = rows((0.0, 0.5, 60, 80), (0.2, 1.4, 64, 80), (2.0, 2.5, 67, 80))
    pedal = rows((0.1, 127), (1.2, 0))
    assert hold_by_pedal(notes, pedal)[:, 1].tolist() == [1.2, 1.4, 2.5]


def test_a_pedal_that_is_never_released_holds_for_ever() -> None:
    assert hold_by_pedal(rows((0.0, 0.5, 60, 80)), rows((0.1, 127)))[0, 1] == np.inf


def test_a_half_pressed_pedal_holds_nothing() -> None:
    assert hold_by_pedal(rows((0.0, 0.5, 60, 80)), rows((0.1, 40), (1.0, 0)))[0, 1] == 0.5


def test_a_held_note_ends_when_its_key_is_struck_again() -> None:
    held = hold_by_pedal(rows((0.0, 0.2, 60, 80), (0.6, 0.8, 60, 70)), rows((0.1, 127), (2.0, 0)))
    assert held[:, :2].tolist() == [[0.0, 0.6], [0.6, 2.0]]


def test_a_key_struck_twice_at_once_sounds_once_and_as_long_as_the_longer() -> None:
    ended = end_at_repeats(rows((1.0, 1.2, 60, 80), (1.0, 3.0, 60, 80), (1.0, 2.0, 61, 80)))
    assert sorted(ended[:, 1:3].tolist()) == [[2.0, 61.0], [3.0, 60.0]]


def test_an_excerpt_keeps_what_sounds_in_it() -> None:
    take = Take(
        np.arange(4 * RATE_HZ, dtype=np.float32),
        rows(
            (0.0, 0.9, 60, 80, 0), (0.5, 1.5, 62, 80, 0), (1.8, 3, 64, 80, 0), (2.5, 3, 65, 8, 0)
        ),
        rows((0.5, 0, 90), (1.2, 1, 90)),
    )  # fmt: skip
    excerpt = cut(take, 1.0, 1.0)
    assert excerpt.samples[[0, -1]].tolist() == [RATE_HZ, 2 * RATE_HZ - 1]
    assert excerpt.notes[:, :3] == pytest.approx(rows((-0.5, 0.5, 62), (0.8, 2.0, 64)))
    assert excerpt.drums[:, 0] == pytest.approx([0.2])


def test_a_mixture_has_every_label_in_order() -> None:
    first = Take(np.ones(4, np.float32), rows((0.3, 1, 60, 80, 0)), np.zeros((0, 3)))
    second = Take(np.ones(6, np.float32), rows((0.1, 1, 40, 80, 4)), rows((0.2, 0, 99)))
    both = mix([first, second], [1.0, 0.5])
    assert both.samples.tolist() == [1.5, 1.5, 1.5, 1.5, 0.5, 0.5]
    assert both.notes[:, 2].tolist() == [40, 60]
    assert len(both.drums) == 1


def test_velocities_are_relative_to_the_family_s() -> None:
    notes = rows((0, 1, 60, 20, 0), (1, 2, 62, 40, 0), (0, 1, 40, 120, 4), (1, 2, 41, 120, 4))
    centred = centre_velocities(notes)
    assert centred[:, 3].tolist() == [70, 90, 80, 80]
    assert notes[0, 3] == 20


def test_an_excerpt_keeps_the_chords_and_beats_within() -> None:
    chords = (ChordSegment(0.0, 1.0, "C"), ChordSegment(1.0, 3.0, "G"), ChordSegment(3.0, 4.0, "C"))
    beats = rows((0.5, 1), (1.5, 2), (2.5, 3))
    take = Take(
        np.zeros(4 * RATE_HZ, np.float32), np.zeros((0, 5)), np.zeros((0, 3)), beats, chords
    )
    excerpt = cut(take, 1.25, 1.0)
    assert excerpt.chords == (ChordSegment(0.0, 1.0, "G"),)
    assert excerpt.beats.tolist() == [[0.25, 2]]
