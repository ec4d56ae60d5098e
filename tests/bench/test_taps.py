"""The reader who knows the page, and counts taps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference_service.music.events import Alternative, Key, Transcription
from inference_service.pipeline.correct import correct
from tests.bench import taps
from tests.bench.taps import Judge, Verdict, count_taps
from tests.factories import perform, place

KEY = Key("C", "major")


def play() -> Transcription:
    notes = [(beat, 1, 60 + beat % 3) for beat in range(24)]
    return place(perform({"vocals": notes}, key=KEY))


def wants(metre: str, first_downbeat_s: float) -> Judge:
    """A judge for whom a page is right that has this metre and this first downbeat."""

    def judge(page: Transcription) -> Verdict:
        performance = correct(page).performance
        downbeat_s = next(beat.time_s for beat in performance.beats if beat.position == 1)
        is_metre = performance.time_signature == metre
        is_there = abs(downbeat_s - first_downbeat_s) < 0.01
        return Verdict(is_metre and is_there, is_metre + is_there)

    return judge


def test_taps_are_counted() -> None:
    heard = play()
    first_s, second_s = (beat.time_s for beat in heard.beats[:2])
    assert count_taps(heard, wants("4/4", first_s)) == 0
    assert count_taps(heard, wants("3/4", first_s)) == 1
    assert count_taps(heard, wants("3/4", second_s)) == 2
    assert count_taps(heard, wants("5/4", first_s)) is None


def test_an_alternative_takes_one_tap() -> None:
    heard = play()
    readings = (Alternative("4/4", 1.0, 1.0, KEY, 0.6), Alternative("3/4", 1.0, 2.0, KEY, 0.4))
    judge = wants("3/4", heard.beats[1].time_s)
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
