"""Systems: the cache of peers, and the families and drums of our tagger."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from inference_service.audio.waveform import Waveform
from model_zoo.training.evaluate.metrics import Tags
from model_zoo.training.evaluate.systems import PEERS, PEERS_OF, Hear, keep
from tests.factories import build_scale, sing
from tests.unit.model_zoo.training.evaluate.tags import notes_of

NOTES = np.array([[0.1, 0.5, 60.25, np.nan, -1]])


def build_sound(seed: int, rate_hz: int = 16_000) -> Waveform:
    """Return noise."""
    noise = np.random.default_rng(seed).normal(0, 0.1, (1, 100))
    return Waveform(noise.astype(np.float32), rate_hz)


def test_the_output_for_a_sound_is_cached(tmp_path: Path) -> None:
    heard: list[Waveform] = []

    def load() -> Hear:
        def hear(waveform: Waveform) -> Tags:
            heard.append(waveform)
            return Tags(NOTES * len(heard))

        return hear

    sounds = [build_sound(0), build_sound(1), build_sound(0, 8_000), build_sound(0)]
    found = [keep(load, tmp_path / "peer-1")(sound).notes for sound in sounds]
    assert len(heard) == 3  # one for each sound and rate
    for number, notes in zip((1, 2, 3, 1), found, strict=True):
        np.testing.assert_array_equal(notes, NOTES * number)
    keep(load, tmp_path / "peer-2")(sounds[0])
    assert len(heard) == 4  # another version has its own cache
    assert not list(tmp_path.rglob("*.partial*"))


def test_cached_sounds_load_no_system(tmp_path: Path) -> None:
    keep(lambda: lambda _: Tags(NOTES), tmp_path)(build_sound(0))

    def refuse() -> Hear:
        raise AssertionError("loaded")

    np.testing.assert_array_equal(keep(refuse, tmp_path)(build_sound(0)).notes, NOTES)


def test_versions_follow_packages_and_our_code() -> None:
    assert re.fullmatch(r"0\.4\.0-[0-9a-f]{8}", PEERS["basic-pitch"].version)
    assert PEERS["swift-f0"].version == "0.3.0"
    assert {peer for peers in PEERS_OF.values() for peer in peers} == set(PEERS)


@pytest.mark.parametrize("name", ["swift-f0", "voice-preset", "basic-pitch"])
def test_peers_hear_a_scale(name: str) -> None:
    scale = build_scale()
    notes = notes_of(PEERS[name].load("cpu", 1)(sing(scale)))
    assert notes.shape[1] == 5
    sung = np.array([note.pitch for note in scale])
    assert np.isin(sung, np.rint(notes[:, 2])).mean() > 0.8
    assert (notes[:, 4] == -1).all()
