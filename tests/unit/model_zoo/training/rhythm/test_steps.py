"""Steps counted in melodies."""

from __future__ import annotations

import numpy as np

from inference_service.rhythm.from_notes.melody_location import BAR_PLACES, FIRST_ROW, STEPS
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from model_zoo.training.rhythm.steps import count_steps
from tests.unit.model_zoo.training.rhythm.melodies import build_melodies

FOUR, WALTZ = METRES.index((4, 4)), METRES.index((3, 4))


def test_steps_are_probabilities_of_each_place() -> None:
    waltz, tune = build_melodies()
    step, beginning = count_steps([waltz] * 40 + [tune] * 40)
    assert step.shape == (FIRST_ROW[-1], STEPS)
    np.testing.assert_allclose(np.exp(step).sum(1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.add.reduceat(np.exp(beginning), FIRST_ROW[:-1]), 1.0)
    quarter = QUARTER_PARTS // 2
    assert step[FIRST_ROW[FOUR], quarter] > np.log(0.9), "the tune has quarters alone"
    assert step[FIRST_ROW[WALTZ], 2 * quarter] > np.log(0.8), "the waltz has halves on downbeats"
    third = FIRST_ROW[WALTZ] + int(np.flatnonzero(BAR_PLACES[WALTZ] == 48)[0])
    assert (
        int(beginning[FIRST_ROW[WALTZ] : FIRST_ROW[WALTZ + 1]].argmax()) == third - FIRST_ROW[WALTZ]
    )


def test_no_step_leads_where_no_note_begins() -> None:
    step, _ = count_steps(build_melodies())
    assert step[FIRST_ROW[FOUR], 1] < -1000, "two 24ths of a quarter after the downbeat"
    assert step[FIRST_ROW[FOUR], 0] < -1000, "notes begin one after another"
    assert np.isfinite(step.astype(np.float16)).all()
