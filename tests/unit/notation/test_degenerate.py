"""Any transcription, however degenerate, can be written in every view."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Final

import pytest

from inference_service.errors import ScoreUnreadable
from inference_service.music.events import Beat, Transcription
from inference_service.music.score import Score
from inference_service.notation.arrange import arrange
from inference_service.notation.engrave import engrave
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from tests.factories import perform

STAFF_VIEWS: Final = (View.FULL, View.MELODY, View.LEAD_SHEET, View.PIANO)


def crowd(count: int, duration_beats: float) -> list[tuple[float, float, int]]:
    chance = random.Random(count)
    return [
        (chance.uniform(0, duration_beats), chance.uniform(0.02, 2), chance.randint(21, 108))
        for _ in range(count)
    ]


PERFORMANCES: Final[dict[str, Transcription]] = {
    "no notes": perform({}),
    "empty parts": perform({"vocals": [], "piano": [], "drums": []}),
    "one note": perform({"piano": [(0, 1, 60)]}),
    "one very short note": perform({"vocals": [(7.3, 0.001, 60)]}),
    "5,000 notes in a minute": perform({"piano": crowd(5000, 120)}),
    "only drums": perform({"drums": [(k / 2, 0.1, 35 + k % 47) for k in range(64)]}),
    "no beats": replace(perform({"piano": crowd(60, 30)}), beats=()),
    "no beats and no tempo": replace(perform({"piano": crowd(9, 5)}), beats=(), tempo_bpm=0.0),
    "the ends of MIDI's range": perform(
        {"piano": [(k, 1, (0, 127, 60)[k % 3]) for k in range(24)]}
    ),
    "only the lowest": perform({"bass": [(k, 1, 0) for k in range(8)]}),
    "only the highest": perform({"vocals": [(k, 1, 127) for k in range(8)]}),
    "20 parts": perform({f"part {k}": crowd(20, 16) for k in range(20)}),
    "one clump": perform({"piano": [(0, 4, pitch) for pitch in range(128)]}),
    "an hour of silence before": perform({"piano": [(7200, 1, 60)]}),
}


@cache
def write(name: str) -> Score:
    return quantize(PERFORMANCES[name], name)


@pytest.mark.parametrize("view", STAFF_VIEWS)
@pytest.mark.parametrize("name", PERFORMANCES)
def test_anything_becomes_a_page(name: str, view: View) -> None:
    score = arrange(write(name), view)
    pages = engrave(encode_musicxml(score))
    assert pages
    assert all(page.lstrip().startswith("<svg") for page in pages)
    written = [note for part in score.parts for note in part.notes]
    performed = [n for part in PERFORMANCES[name].parts if not part.is_drum for n in part.notes]
    assert bool(written) == bool(performed) or view is View.FULL


def test_a_score_without_end_is_refused() -> None:
    hours = replace(
        perform({"piano": [(0, 1, 60), (1, 1, 62)]}),
        beats=tuple(Beat(0.05 * number, 1) for number in range(200_000)),
        time_signature="1/4",
    )
    note = replace(hours.parts[0].notes[0], onset_s=9_000.0, offset_s=9_001.0)
    parts = (replace(hours.parts[0], notes=(*hours.parts[0].notes, note)),)
    with pytest.raises(ScoreUnreadable, match="bars"):
        quantize(replace(hours, parts=parts), "")
