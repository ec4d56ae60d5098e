"""The reader who knows the page, and counts taps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import Corrections
from inference_service.music.events import Alternative, Key, Transcription
from inference_service.pipeline.correct import correct
from tests.bench import taps
from tests.bench.taps import Judge, Verdict, count_taps
from tests.factories import perform, place

KEY = Key("C", "major")


def play() -> Transcription:
    notes = [(beat, 1, 60 + beat % 3) for beat in range(24)]
    return place(perform({"vocals": notes}, key=KEY))


@dataclass(frozen=True)
class Wants:
    """A judge for whom a page is right that has this metre and this first, or last, downbeat."""

    metre: str
    downbeat_s: float
    place: int = 0
    foresees: bool = False

    def __call__(self, page: Transcription) -> Verdict:
        performance = correct(page).performance
        downbeats_s = [beat.time_s for beat in performance.beats if beat.position == 1]
        is_metre = performance.time_signature == self.metre
        distance_s = abs(downbeats_s[self.place] - self.downbeat_s)
        return Verdict(is_metre and distance_s < 0.01, is_metre - distance_s)

    def foresee(self, downbeats_s: Sequence[float]) -> float | None:
        return -abs(downbeats_s[self.place] - self.downbeat_s) if self.foresees else None


def test_taps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = play()
    first_s, second_s = (beat.time_s for beat in heard.beats[:2])
    assert count_taps(heard, Wants("4/4", first_s)) == 0
    assert count_taps(heard, Wants("3/4", first_s)) == 1
    assert count_taps(heard, Wants("3/4", second_s)) == 2
    monkeypatch.setattr(taps, "MOST_TAPS", 2)
    assert count_taps(heard, Wants("5/4", first_s)) is None


@pytest.mark.parametrize("foresees", [False, True])
def test_bar_lines_of_a_later_bar_take_one_tap(foresees: bool) -> None:
    heard = play()
    first_s = next(beat.time_s for beat in heard.beats if beat.position == 1)
    last_s = [beat.time_s for beat in heard.beats if beat.position == 2][-1]

    class First(Wants):
        def __call__(self, page: Transcription) -> Verdict:
            first, last = super().__call__(page), Wants("4/4", last_s, -1)(page)
            return min(first, last)

    assert count_taps(heard, First("4/4", first_s, foresees=foresees)) == 1


def test_an_alternative_takes_one_tap() -> None:
    heard = play()
    readings = (Alternative("4/4", 1.0, 1.0, KEY, 0.6), Alternative("3/4", 1.0, 2.0, KEY, 0.4))
    judge: Judge = Wants("3/4", heard.beats[1].time_s)
    assert count_taps(replace(heard, alternatives=readings), judge) == 1


def test_the_table_says_what_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    taps.print_table([0, 1, 3, None], 0.9)
    printed = capsys.readouterr().out.splitlines()
    assert printed[2:] == [
        "| 0 | 0.25 |",
        "| 1 | 0.50 |",
        "| 2 | 0.50 |",
        "| 3 | 0.75 (wanted: 0.90) |",
    ]


def test_a_sketch_has_the_beats_of_the_piece() -> None:
    chords = [(beat, 1, pitch) for beat in (0, 1, 3, 4, 6, 7, 8, 12) for pitch in (48, 64)]
    heard = place(perform({"piano": chords}, key=KEY))
    moved = Corrections(time_signature="3/4", bar_moves=(BarMove(Fraction(4), Fraction(1)),))
    whole, reduced = (
        correct(replace(music, corrections=moved)).performance.beats
        for music in (heard, taps.sketch(heard))
    )
    assert whole == reduced
