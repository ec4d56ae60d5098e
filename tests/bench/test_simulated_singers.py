"""A simulated singer, and the tables of what was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference_service.assembly import build_stages
from inference_service.settings import ModelSettings
from tests.bench import simulated_singers
from tests.bench.melody_page import PageFigures
from tests.bench.simulated_singers import Read, draw_songs, load_held_out, print_tables, read
from tests.unit.model_zoo.training.rhythm.melodies import build_melodies, write_archives


def test_what_is_sung_follows_its_page() -> None:
    songs = draw_songs(build_melodies() * 4)
    assert len(songs) > 8
    for song in songs:
        onsets_s = [note.onset_s for note in song.notes]
        assert onsets_s == sorted(onsets_s)
        assert len(song.page.notes) >= len(song.notes) >= 0.8 * len(song.page.notes)
        printed = [note.position_quarters for note in song.page.notes]
        sung = [note.time_s for note in song.page.notes]
        assert np.corrcoef(printed, sung)[0, 1] > 0.98
    again = draw_songs(build_melodies() * 4)
    assert [song.notes for song in songs] == [song.notes for song in again]


def test_a_page_is_written_and_judged() -> None:
    reader = build_stages(ModelSettings()).rhythm
    pages = [read(song, reader) for song in draw_songs(build_melodies())]
    assert all(page.figures.heard > 0.5 for page in pages)
    assert all(0 < page.probability <= 1 for page in pages)


def test_right_readings_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong = PageFigures(1, 1, 1, 1, 0.9, 1), PageFigures(1, 1, 1, 1, 0.7, 0)
    print_tables([Read(right, 0.85), Read(wrong, 0.85), Read(right, 1.0)])
    printed = capsys.readouterr().out
    assert "| 3 | 1.000 |" in printed
    assert "| 0.8 to 0.9 | 2 | 0.85 | 0.50 |" in printed
    assert "| 0.9 to 1.0 | 1 | 1.00 | 1.00 |" in printed


def test_held_out_songs_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_archives(tmp_path)
    assert 0 < len(load_held_out(tmp_path)) < 8
    simulated_singers.main([str(tmp_path)])
    assert "| probability |" in capsys.readouterr().out
