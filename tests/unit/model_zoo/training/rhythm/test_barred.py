"""Melodies of scores with their bars."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference_service.rhythm.from_notes.score_network import METRES
from model_zoo.training.rhythm import barred
from model_zoo.training.rhythm.barred import (
    LONGEST_REST_BARS,
    POLISH,
    TUNES,
    drop_known,
    load_melodies,
    shorten_rests,
)
from model_zoo.training.sources.melodies import ARCHIVES
from model_zoo.training.sources.scores import parse_score
from tests.unit.model_zoo.training.rhythm.melodies import (
    TUNE,
    bar,
    build_melodies,
    read_waltz,
    write_archives,
)
from tests.unit.model_zoo.training.rhythm.pieces import write_melody

FOUR, WALTZ = METRES.index((4, 4)), METRES.index((3, 4))
ROW = ["4e", "4f", "4g", "4a", "=1", "2g", "8e", "8d", "4c", "=2"]


def test_a_pickup_is_the_phase_of_bars() -> None:
    waltz, tune = build_melodies()
    assert (waltz.metre, waltz.phase_q, waltz.bar_q) == (WALTZ, 1.0, 3.0)
    assert (tune.metre, tune.phase_q, tune.bar_q) == (FOUR, 0.0, 4.0)
    assert waltz.find_phase(0.0) == 4
    assert waltz.find_phase(1.0) == 0
    assert waltz.find_phase(1.3) == 11, "a note off the grid counts from the tick before it"


@pytest.mark.parametrize(
    ("time", "metre", "scale"),
    [
        ((2, 2), (4, 4), 1.0),
        ((4, 4), (4, 4), 1.0),
        ((4, 2), (4, 4), 0.5),
        ((3, 2), (3, 4), 0.5),
        ((4, 8), (2, 4), 1.0),
        ((12, 8), (12, 8), 1.0),
        ((5, 4), None, 1.0),
    ],
)
def test_metres_that_are_not_read_are_written_as_others(
    time: tuple[int, int], metre: tuple[int, int] | None, scale: float
) -> None:
    written = parse_score("tune", write_melody(TUNE))
    bars = len(written.bar_start_q)
    piece = replace(
        written,
        bar_start_q=np.arange(0.0, bars) * 4 * time[0] / time[1],
        bar_beats=np.full(bars, time[0]),
        bar_unit=np.full(bars, time[1]),
    )
    melody = bar(piece)
    assert (melody and METRES[melody.metre]) == metre
    if melody is not None:
        np.testing.assert_allclose(melody.onset_q, scale * written.onset_q)


def test_irregular_bars_are_left_out() -> None:
    written = read_waltz()
    beats = written.bar_beats.copy()
    beats[:4] = 4
    assert bar(replace(written, bar_beats=beats)) is None
    moved = written.bar_start_q.copy()
    moved[12:] += 1
    assert bar(replace(written, bar_start_q=moved)) is None
    assert bar(parse_score("short", write_melody(TUNE[:20]))) is None


def test_long_rests_are_shortened_by_whole_bars() -> None:
    waltz, _ = build_melodies()
    late = replace(waltz, onset_q=waltz.onset_q + 21.0 * (np.arange(len(waltz.pitch)) >= 10))
    shortened = shorten_rests(late)
    rest_q = shortened.onset_q[10] - shortened.onset_q[9] - shortened.duration_q[9]
    assert 3 * (LONGEST_REST_BARS - 1) <= rest_q <= 3 * LONGEST_REST_BARS
    moved_q = (late.onset_q - shortened.onset_q)[10:]
    assert set(moved_q.tolist()) == {moved_q[0]}
    assert moved_q[0] % 3 == 0
    np.testing.assert_array_equal(shorten_rests(waltz).onset_q, waltz.onset_q)


def test_a_tune_is_learnt_once_and_never_if_it_is_held_out() -> None:
    rng = np.random.default_rng(0)
    waltz, _ = build_melodies()
    count = len(waltz.pitch)
    first, other = (replace(waltz, pitch=60 + rng.integers(0, 12, count)) for _ in range(2))
    again = replace(first, pitch=first.pitch + 5, onset_q=2 * first.onset_q)
    assert drop_known([first, again, other], []) == [first, other]
    assert drop_known([first, other], [again]) == [other]


def write_kern(folder: Path) -> None:
    rows = [*ROW, *(["4g", "4e", "4c", "4d", "=3", "1c", "=4"])] * 4
    song = "\n".join(["**kern", "*M4/4", *rows, "*-"])
    with zipfile.ZipFile(folder / f"{POLISH}.zip", "w") as files:
        files.writestr("kern/a.krn", song)


def test_all_corpora_that_there_are_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archives(tmp_path)
    write_kern(tmp_path)
    monkeypatch.setattr(barred, "iterate_tunes", lambda _: [parse_score("t", write_melody(TUNE))])
    monkeypatch.setattr(barred, "drop_known", lambda melodies, _: list(melodies))
    found = load_melodies(tmp_path)
    songs = [m for m in (*found.learnt, *found.held_out) if m.corpus == "songs"]
    assert len(songs) == 16 * len(ARCHIVES)
    assert 0 < len(found.held_out) < len(songs) / 4
    others = [m.corpus for m in (*found.learnt, *found.held_out_others)]
    assert {POLISH, TUNES} <= set(others)


def test_tunes_are_left_out_where_music21_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barred, "find_spec", lambda _: None)
    monkeypatch.setattr(barred, "drop_known", lambda melodies, _: list(melodies))
    write_archives(tmp_path)
    found = load_melodies(tmp_path)
    assert len(found.learnt) + len(found.held_out) == 16 * len(ARCHIVES)
