"""Melodies as they are stored; the synthesis of singers and instruments is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from inference_service.audio.waveform import Samples
from inference_service.tagger.singing.features import HOP_S
from model_zoo.training.singing import prepare as preparing
from model_zoo.training.singing.dataset import load_melodies
from model_zoo.training.singing.prepare import SHARES, Notes, Sources, prepare, render_melody
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.scene import Scene, Track
from model_zoo.training.tagger.take import Take
from tests.factories import build_tone

LENGTH_S = 4.0
SUNG: Notes = np.column_stack([[0.4, 1.2, 2.0, 3.0], [1.0, 1.8, 2.7, 3.7], [57.0] * 4, [90.0] * 4])
SINGER = Track(52, SUNG, np.zeros((0, 2)))
PLAYER = Track(40, SUNG, np.zeros((0, 2)))


@pytest.fixture(name="sources")
def replace_sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Every third scene is unusable, and every second band has no singer."""
    drawn = iter(range(10_000))
    sources = Sources(None, ())  # type: ignore[arg-type]

    def draw(corpora: Any, random: Generator, kind: str) -> Scene:
        number = next(drawn)
        if number % 3 == 0:
            raise ValueError("irregular metre")
        tracks = {"voice": (SINGER,), "chamber": (PLAYER,)}.get(kind, (SINGER, PLAYER))
        tracks = tracks[-1:] if kind == "band" and number % 2 else tracks
        return Scene("scene", kind, tracks, LENGTH_S, np.zeros((0, 2)))  # type: ignore[arg-type]

    def sing(*_: Any) -> tuple[Samples, Notes]:
        return tone(SUNG), SUNG

    def render(scene: Scene, random: Generator) -> Take:
        assert not any(track.program == SINGER.program for track in scene.tracks)
        rows = np.column_stack([SUNG, np.zeros(len(SUNG))])
        return Take(tone(SUNG), rows, np.zeros((0, 3)))

    monkeypatch.setattr(preparing, "draw_scene", draw)
    monkeypatch.setattr(preparing, "sing", sing)
    monkeypatch.setattr(preparing, "render", render)
    monkeypatch.setattr(preparing, "load_sources", lambda symbolic, dev: sources)
    return sources


def tone(notes: Notes) -> Samples:
    samples = np.zeros(round(LENGTH_S * RATE_HZ), np.float32)
    for onset_s, offset_s, pitch, _ in notes:
        sound = build_tone(
            440 * 2 ** ((pitch - 69) / 12), offset_s - onset_s, rate_hz=RATE_HZ, harmonics=8
        )
        first = round(onset_s * RATE_HZ)
        samples[first : first + len(sound)] = sound
    return samples


def test_every_kind_is_drawn_and_only_one_without_a_singer_has_no_notes(sources: Sources) -> None:
    counts = dict.fromkeys(SHARES, 0)
    for seed in range(160):
        samples, notes, kind = render_melody(sources, np.random.default_rng(seed))
        counts[kind] += 1
        assert len(samples) == round(LENGTH_S * RATE_HZ)
        assert np.isfinite(samples).all()
        assert notes.shape == ((0, 4) if kind == "nobody" else SUNG.shape)
    assert all(counts.values())
    assert counts["alone"] == max(counts.values())


def test_melodies_are_kept_as_training_reads_them(sources: Sources, tmp_path: Path) -> None:
    prepare(tmp_path, tmp_path, hours=5.5 * LENGTH_S / 3600, dev=False, say=lambda _: None)
    melodies = load_melodies(tmp_path / "train")
    assert len(melodies) == 6
    sung = next(melody for melody in melodies if melody.kind == "alone")
    voiced = sung.confidence > 0.5
    times_s = np.arange(len(voiced)) * HOP_S
    inside = ((times_s[:, None] >= SUNG[:, 0]) & (times_s[:, None] < SUNG[:, 1])).any(axis=1)
    assert voiced[inside].mean() > 0.8
    assert np.median(sung.pitch[voiced]) == pytest.approx(57.0, abs=0.1)


def test_preparing_goes_on_where_it_stopped(sources: Sources, tmp_path: Path) -> None:
    hours = 2 * LENGTH_S / 3600
    prepare(tmp_path, tmp_path, hours=hours, dev=True, say=lambda _: None)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "dev").iterdir()}
    assert len(kept) == 2
    prepare(tmp_path, tmp_path, hours=1.9 * hours, dev=True, say=lambda _: None)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "dev").iterdir()}
    assert len(after) == 4
    assert kept.items() <= after.items()


def test_one_note_sounds_at_a_time() -> None:
    rows = np.array([[0.0, 1.0, 60.0, 90.0], [0.5, 2.0, 62.0, 90.0], [0.5, 1.0, 64.0, 90.0]])
    line = preparing._end_before_next(rows)
    assert (line[:-1, 1] <= line[1:, 0]).all()
    assert line[:, 2].tolist() == [60.0, 64.0]
