"""Bands that accompany a song on its chords, swing, and what is mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference_service.music.events import ChordSegment
from model_zoo.training.beats.arrange import arrange
from model_zoo.training.beats.band import add_band, anticipate, draw_rhythm, read_harmony
from model_zoo.training.beats.mix import one_voice
from model_zoo.training.beats.prepare import holds
from model_zoo.training.beats.swing import swing
from model_zoo.training.sources.piece import Piece
from model_zoo.training.sources.pop909 import count_bars, count_beats_as_recorded
from model_zoo.training.sources.splits import EXCLUDED_SONGS
from tests.unit.model_zoo.training.sources.pieces import piece, tune

BEAT_S = 0.5


@pytest.fixture(name="song")
def build_song() -> Piece:
    beats_s = np.arange(64, dtype=np.float64) * BEAT_S
    chords = tuple(
        ChordSegment(
            4 * k * BEAT_S, 4 * (k + 1) * BEAT_S, ("C:maj", "A:min7", "F:maj", "G:7")[k % 4]
        )
        for k in range(16)
    )
    positions = np.arange(64) % 4 + 1
    return replace(
        piece(tune(count=50)), beats_s=beats_s, positions=positions, bar_beats=4, chords=chords
    )


def test_harmony_is_read_in_beats(song: Piece) -> None:
    chords = read_harmony(song)
    assert [chord.start for chord in chords[:3]] == [0.0, 4.0, 8.0]
    assert [chord.root for chord in chords[:4]] == [0, 9, 5, 7]
    assert set(chords[1].tones) == {0, 3, 7, 10}


@pytest.mark.parametrize("seed", range(12))
def test_a_band_plays_the_chords_on_the_beats_grid(song: Piece, seed: int) -> None:
    lines = add_band(song, np.random.default_rng(seed))
    assert lines
    scale = [{0, 4, 7}, {9, 0, 4, 7}, {5, 9, 0}, {7, 11, 2, 5}]
    for line in lines:
        assert line.role in ("bass", "chords")
        for onset_s, offset_s, pitch, velocity in line.notes:
            assert 0.0 <= onset_s < offset_s
            assert 20 <= velocity <= 127
            beat = onset_s / BEAT_S
            # an anticipated chord sounds half a beat before its bar
            fitting = scale[int(beat // 4) % 4] | scale[int((beat + 0.5) // 4) % 4]
            assert int(pitch) % 12 in fitting


def test_anticipated_chords_leave_no_gap(song: Piece) -> None:
    chords = read_harmony(song)
    pushed = anticipate(chords, song.positions, np.random.default_rng(3))
    starts = np.array([chord.start for chord in pushed])
    moved = starts - [chord.start for chord in chords]
    assert set(moved.tolist()) == {0.0, -0.5}
    assert [chord.end for chord in pushed[:-1]] == starts[1:].tolist()


@pytest.mark.parametrize("style", ["bass", "strum", "stabs", "arpeggio"])
def test_rhythms_stay_within_the_bar(style: str) -> None:
    for seed in range(8):
        hits = draw_rhythm(style, 3, np.random.default_rng(seed))
        assert hits
        assert all(0.0 <= at < 3.0 and 0.0 < accent <= 1.0 for at, accent in hits)


def test_without_chords_there_is_no_band(song: Piece) -> None:
    assert add_band(replace(song, chords=()), np.random.default_rng(0)) == []


@pytest.mark.parametrize(
    ("parts", "at", "expected"), [(1, 0.5, 2 / 3), (2, 0.25, 1 / 3), (1, 0.0, 0.0)]
)
def test_swing_moves_off_beats_and_leaves_beats(
    song: Piece, parts: int, at: float, expected: float
) -> None:
    notes = np.array([[(3 + at) * BEAT_S, (4 + at) * BEAT_S, 60.0, 80.0]])
    before = replace(song, lines=(replace(song.lines[0], notes=notes),))
    after = swing(before, 2 / 3, parts)
    assert after.lines[0].notes[0, 0] / BEAT_S - 3 == pytest.approx(expected)
    assert (after.beats_s == song.beats_s).all()


def test_arrangements_keep_the_beats_and_hand_over_drums_and_vocals(song: Piece) -> None:
    made = [arrange(song, [], np.random.default_rng(seed)) for seed in range(30)]
    assert all((a.piece.beats_s == song.beats_s).all() for a in made)
    assert 0 < sum(a.drums is not None for a in made) < 30
    assert 0 < sum(a.vocals is not None for a in made) < 30
    assert all(a.vocals.role == "melody" for a in made if a.vocals is not None)
    assert all(a.midi[:4] == b"MThd" for a in made)


def test_a_singer_sings_one_note_at_a_time() -> None:
    chord = [[0.0, 2.0, 60.0, 80.0], [0.0, 2.0, 67.0, 80.0], [1.0, 2.0, 65.0, 80.0]]
    assert one_voice(np.array(chord))[:, :3].tolist() == [[0.0, 1.0, 67.0], [1.0, 2.0, 65.0]]


def test_bars_are_counted_as_on_the_recording() -> None:
    written = np.column_stack([np.arange(16) * 0.5, np.ones(16), np.arange(16) % 4 == 0])
    recorded = np.column_stack([np.arange(12) * 0.5 + 0.02, (np.arange(12) + 2) % 4 + 1])
    downbeats, length = count_bars(written, recorded)
    assert (downbeats.tolist(), length) == ([2, 6, 10, 14], 4)
    waltz = np.column_stack([np.arange(12) * 0.5, np.arange(12) % 3 + 1])
    assert count_bars(written, waltz)[0].tolist() == [0, 3, 6, 9, 12, 15]
    slow = np.column_stack([np.arange(6) * 0.75, np.arange(6) % 3 + 1])
    assert count_bars(written, slow)[0].tolist() == [0, 4, 8, 12]


def test_beats_are_halved_or_doubled_to_the_tempo_of_the_recording() -> None:
    written = np.column_stack([np.arange(8) * 1.0, np.ones(8), np.arange(8) % 4 == 0])
    fast = np.column_stack([np.arange(16) * 0.5 + 0.01, (np.arange(16) + 3) % 4 + 1])
    beats_s, downbeats = count_beats_as_recorded(written, fast)
    assert beats_s.tolist() == (np.arange(16) * 0.5).tolist()
    assert downbeats.tolist() == [1, 5, 9, 13]
    slow = np.column_stack([np.arange(4) * 2.0 + 1.0, np.arange(4) % 4 + 1])
    beats_s, downbeats = count_beats_as_recorded(written, slow)
    assert beats_s.tolist() == [1.0, 3.0, 5.0, 7.0]
    assert downbeats.tolist() == [0]
    same = np.column_stack([np.arange(8) * 1.0, np.arange(8) % 4 + 1])
    assert count_beats_as_recorded(written, same)[0].tolist() == written[:, 0].tolist()


def test_no_song_is_both_learnt_from_and_measured() -> None:
    train = {n for n in range(1, 801) if holds(n, dev=False)}
    dev = {n for n in range(1, 801) if holds(n, dev=True)}
    assert len(train) > 500
    assert not train & dev
    assert not train & EXCLUDED_SONGS
    assert not dev & ({*range(1, 801, 40)} | {*range(701, 801)})
