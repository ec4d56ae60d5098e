"""The stage around the network: seamless windows, batches, levels and parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.progress import ignore
from inference_service.tagger.notes.decoding import DecodingOptions
from inference_service.tagger.notes.network import DRUMS, NoteNet, NoteNetConfig
from inference_service.tagger.notes.tagger import (
    LEVEL_DB,
    TransformerTagger,
    load_tagger,
    set_level,
)
from inference_service.tagger.notes.timbre import TimbreNet
from tests.conftest import ROOT
from tests.factories import build_notes, build_scale

CONFIG = NoteNetConfig(
    front_end_channels=4, channels=8, width=16, layers=1, heads=2, reach=3, before=(1,), after=(1,)
)
TIMBRE = TimbreNet().eval()
WEIGHTS = ROOT / "model_zoo" / "weights"
EAGER = DecodingOptions(onset=0.02, frame=0.01, drum_onset=(0.02,) * len(DRUMS))
"""An untrained network is never confident, so the thresholds are lowered."""


@pytest.fixture(scope="module")
def network() -> NoteNet:
    torch.manual_seed(1)
    network = NoteNet(CONFIG).eval()
    with torch.no_grad():  # untrained heads hardly move
        network.heads.weight.mul_(4.0)
        network.drum_heads.heads.weight.mul_(4.0)
    return network


@pytest.fixture(scope="module")
def music() -> Waveform:
    random = np.random.default_rng(0)
    time_s = np.arange(int(11.37 * 22_050)) / 22_050
    tones = sum(np.sin(2 * np.pi * hz * time_s) for hz in (110.0, 261.6, 440.0))
    gate = (np.floor(time_s * 3) % 2)[None]
    noise = 0.05 * random.standard_normal(len(time_s))
    return Waveform((0.1 * tones * gate + noise).astype(np.float32), 22_050)


def test_windows_give_what_the_whole_gives(network: NoteNet, music: Waveform) -> None:
    whole = TransformerTagger(network, TIMBRE, window_s=60.0).predict(music, ignore)
    cut = TransformerTagger(network, TIMBRE, window_s=1.0).predict(music, ignore)
    for a, b in zip(whole, cut, strict=True):
        assert a.shape == b.shape
        assert np.allclose(a, b, atol=2e-3)  # float16


def test_the_same_sound_gives_the_same_notes_wherever_it_stands(
    network: NoteNet, music: Waveform
) -> None:
    tagger = TransformerTagger(network, TIMBRE, options=EAGER, window_s=1.0)
    found = tagger.tag_parts({"mixture": music}, 0.0, ignore)
    assert found
    copied = Waveform(music.samples.copy(), music.sample_rate_hz)
    assert tagger.tag_parts({"mixture": copied}, 0.0, ignore) == found


def test_loudness_changes_no_note(network: NoteNet, music: Waveform) -> None:
    tagger = TransformerTagger(network, TIMBRE, options=EAGER)
    softer = Waveform(music.samples * np.float32(2**-7), music.sample_rate_hz)  # exactly
    first, second = tagger.tag(music, 0.0, ignore), tagger.tag(softer, 0.0, ignore)
    assert len(first) > 0
    assert [n.pitch for n in first] == [n.pitch for n in second]


@pytest.mark.parametrize("samples", [0, 1, 100, 441, 5000])
def test_short_and_silent_recordings(network: NoteNet, samples: int) -> None:
    tagger = TransformerTagger(network, TIMBRE)
    silence = Waveform(np.zeros((2, samples), np.float32), 44_100)
    assert all(np.isfinite(course).all() for course in tagger.predict(silence, ignore))


def test_drums_are_a_part_of_their_own(network: NoteNet, music: Waveform) -> None:
    tagger = TransformerTagger(network, TIMBRE, options=EAGER)
    parts = tagger.tag_parts({"mixture": music}, 0.0, ignore)
    ids = [part.id for part in parts]
    assert ids[-1] == "drums"
    assert [part.is_drum for part in parts] == [part_id == "drums" for part_id in ids]
    assert all(part.program is not None for part in parts[:-1])


def test_stops_when_cancelled(network: NoteNet, music: Waveform) -> None:
    def refuse(_: float) -> None:
        raise Cancelled("nobody waits")

    with pytest.raises(Cancelled):
        TransformerTagger(network, TIMBRE).tag(music, 0.0, refuse)


def test_level_follows_what_is_loud() -> None:
    sound = np.zeros(22_050 * 8, np.float32)
    sound[: 22_050 * 4] = 0.01 * np.sin(np.arange(22_050 * 4) / 10)
    level = 20 * np.log10(np.sqrt(np.mean(set_level(sound, 22_050)[: 22_050 * 4] ** 2)))
    assert level == pytest.approx(LEVEL_DB, abs=0.2)


def test_hears_what_sounds_from_the_first_sample_on() -> None:
    tagger = load_tagger(WEIGHTS / "tagger.safetensors", WEIGHTS / "timbre.safetensors")
    scale = build_notes(build_scale())
    cut = Waveform(scale.samples[:, round(0.2 * scale.sample_rate_hz) :], scale.sample_rate_hz)
    for music in (scale, cut):
        (first, *_) = (note for note in tagger.tag(music, 0.0, ignore) if note.pitch == 60)
        assert first.onset_s == pytest.approx(0.0, abs=0.03)
