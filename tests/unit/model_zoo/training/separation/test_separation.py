"""How the separator learns: recordings, mixes, the loop, the figures."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Samples, Waveform
from inference_service.checkpoint import load_network
from inference_service.separation.mask_network import MaskNet, MaskNetConfig
from model_zoo.training.separation.evaluate import evaluate, format_table, halve
from model_zoo.training.separation.mixing import Mix, draw_mix
from model_zoo.training.separation.recordings import (
    KARAOKE_LIMIT_HZ,
    RATE_HZ,
    Recordings,
    Song,
    as_samples,
    is_held_back,
    iterate_held_back,
    load_recordings,
)
from model_zoo.training.separation.train import (
    OPTIONS,
    compute_loss,
    measure,
    settle,
    train,
)
from tests.factories import build_noise, build_tone

TINY = MaskNetConfig(bins=256, channels=(4, 6))
LENGTH_S = 2.0


def _store(samples: Samples) -> np.ndarray:
    return np.round(np.stack([samples, samples * 0.7]) * 32767).astype(np.int16)


def _build_song(name: str, f_hz: float) -> Song:
    instruments = tuple(_store(0.2 * build_noise(LENGTH_S, seed=seed)) for seed in (1, 2, 3))
    return Song(name, _store(build_tone(f_hz, LENGTH_S, amplitude=0.3)), instruments)


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    songs = tuple(_build_song(str(f), f) for f in (220.0, 330.0, 440.0))
    karaoke = Song("k", songs[0].vocals, songs[0].instruments[:1], KARAOKE_LIMIT_HZ)
    return Recordings(songs[:2], (karaoke,), (), songs[2:])


def test_mixes_are_the_same_for_a_seed_and_differ_otherwise(recordings: Recordings) -> None:
    def draw(seed: int) -> Samples:
        mix = draw_mix(recordings, np.random.default_rng(seed), 1.0)
        return mix.vocals + mix.accompaniment

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_every_mix_has_one_level_and_size(recordings: Recordings) -> None:
    random = np.random.default_rng(0)
    silent = 0
    for _ in range(60):
        mix = draw_mix(recordings, random, 1.5)
        assert mix.vocals.shape == mix.accompaniment.shape == (2, round(1.5 * RATE_HZ))
        level = np.sqrt(np.mean(np.square(mix.vocals + mix.accompaniment)))
        assert level == pytest.approx(0.1, rel=1e-3)
        silent += not mix.vocals.any()
        assert mix.limit_hz in (KARAOKE_LIMIT_HZ, RATE_HZ / 2)
    assert 0 < silent < 20, "some have no singer"


def draw_sung_mix(recordings: Recordings) -> Mix:
    """Return the first mix of a fixed seed in which somebody sings."""
    random = np.random.default_rng(5)
    while not (mix := draw_mix(recordings, random, 1.0)).vocals.any():
        pass
    return mix


def test_silence_has_a_loss() -> None:
    silence = np.zeros((2, RATE_HZ), np.float32)
    loss = compute_loss(MaskNet(TINY), [Mix(silence, silence, RATE_HZ / 2)], torch.device("cpu"))
    assert torch.isfinite(loss)


def test_the_loss_is_least_for_the_true_masks(recordings: Recordings) -> None:
    class Fixed(MaskNet):
        """Answers with one mask everywhere."""

        def __init__(self, share: float) -> None:
            super().__init__(TINY)
            self.share = share

        def forward(self, spectra: torch.Tensor) -> torch.Tensor:
            return torch.full(spectra.shape, self.share)

    mix = draw_sung_mix(recordings)
    alone = [type(mix)(mix.vocals, np.zeros_like(mix.vocals), mix.limit_hz)]
    losses = [compute_loss(Fixed(share), alone, torch.device("cpu")) for share in (0.0, 0.5, 1.0)]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] == pytest.approx(-3.0, abs=0.1), "no error: the floor, in powers of ten"


def test_what_karaoke_cannot_say_does_not_count(recordings: Recordings) -> None:
    network = MaskNet(TINY).eval()
    mix = draw_sung_mix(recordings)
    hiss = np.stack([build_tone(12_000.0, 1.0)] * 2) * np.float32(0.1)
    heard, unheard = (
        compute_loss(
            network, [type(mix)(mix.vocals, mix.accompaniment, limit)], torch.device("cpu")
        )
        - compute_loss(
            network, [type(mix)(mix.vocals + hiss, mix.accompaniment, limit)], torch.device("cpu")
        )
        for limit in (RATE_HZ / 2, 0.5 * KARAOKE_LIMIT_HZ)
    )
    assert abs(unheard) < 0.2 * abs(heard)


def test_training_resumes_and_is_kept(recordings: Recordings, tmp_path: Path) -> None:
    ticking = count(step=30.0)
    said: list[str] = []
    for minutes in (1.0, 2.0):
        options = replace(OPTIONS, minutes=minutes, batch=1, clock=lambda: next(ticking))
        kept = train(recordings, tmp_path, options, said.append, MaskNet(TINY), length_s=0.5)
    assert [json.loads(line)["step"] for line in said] == [2, 4]
    assert json.loads(said[-1])["heard_h"] == pytest.approx(4 * 0.5 / 3600, abs=0.01)
    again = load_network(tmp_path / "separator.safetensors", MaskNet)
    torch.testing.assert_close(again.heads.weight, kept.heads.weight)


def test_the_loss_falls_and_the_figures_rise(recordings: Recordings) -> None:
    torch.manual_seed(0)
    network, device = MaskNet(TINY), torch.device("cpu")
    before = measure(network.eval(), recordings.dev, device)
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    random = np.random.default_rng(0)
    found = []
    for _ in range(40):
        network.train()
        loss = compute_loss(network, [draw_mix(recordings, random, 0.5) for _ in range(2)], device)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        found.append(loss.item())
    assert np.mean(found[-10:]) < np.mean(found[:10])
    assert measure(network.eval(), recordings.dev, device)["vocals"] > before["vocals"] + 1


def test_figures_are_those_of_known_errors() -> None:
    songs = [_build_song("a", 220.0), _build_song("b", 500.0)]
    silent = Song("silent", np.zeros_like(songs[0].vocals), songs[0].instruments)

    def cheat(mixture: Waveform) -> dict[str, Waveform]:
        song = next(s for s in songs if s.vocals.shape == mixture.samples.shape and _is(s, mixture))
        vocals = as_samples([song.vocals])
        others = mixture.samples - vocals
        wrong = vocals + np.float32(0.1) * others
        return {
            "vocals": Waveform(wrong, RATE_HZ),
            "drums": Waveform(np.float32(0.4) * (mixture.samples - wrong), RATE_HZ),
            "other": Waveform(np.float32(0.6) * (mixture.samples - wrong), RATE_HZ),
        }

    def _is(song: Song, mixture: Waveform) -> bool:
        rest = mixture.samples - song.vocals.astype(np.float32) / 32768
        return float(np.square(rest).mean()) < 0.03 and np.allclose(
            rest, sum(s.astype(np.float32) for s in song.instruments) / 32768, atol=1e-4
        )

    figures = evaluate([*songs, silent], {"cheat": cheat, "half": halve})
    assert len(figures["cheat"].bss_vocals) == 2, "silence has no ratio"
    assert figures["cheat"].plain_accompaniment == pytest.approx([20.0, 20.0], abs=0.01)
    assert np.median(figures["cheat"].bss_accompaniment) > np.median(figures["half"].bss_vocals)
    assert "| half | " in format_table(figures)


def _write(path: Path, samples: Samples) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        frame.rate = 48000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def test_every_third_excerpt_is_never_trained_with(tmp_path: Path) -> None:
    silence = np.zeros((2, 4800), np.float32)
    for number in range(9):
        folder = tmp_path / "stems_dev" / f"{number:02d}"
        folder.mkdir(parents=True)
        for name in ("drums", "bass", "other", "vocals"):
            _write(folder / f"{name}.opus", silence)
    (tmp_path / "karaoke_train").mkdir()
    tone = build_tone(440.0, 0.5, rate_hz=48000)
    _write(tmp_path / "karaoke_train" / "a.opus", np.stack([tone, np.zeros_like(tone)]))
    loaded = load_recordings(tmp_path, tmp_path / "none", lambda text: None)
    held_back = {song.name for song in iterate_held_back(tmp_path)}
    trained = {song.name for song in (*loaded.bands, *loaded.dev)}
    assert held_back == {f"{n:02d}" for n in range(9) if is_held_back(n)} == {"02", "05", "08"}
    assert not held_back & trained
    assert len(trained) == 6
    (karaoke,) = loaded.karaoke
    assert np.abs(karaoke.instruments[0]).max() > 1000
    assert np.abs(karaoke.vocals).max() < 100, "the singer is on the right"


def test_the_statistics_of_a_settled_network_are_its_own(recordings: Recordings) -> None:
    torch.manual_seed(0)
    network = MaskNet(TINY)
    with torch.no_grad():
        network.fold.weight.mul_(3)
    normalisation = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    settle(network, recordings, replace(OPTIONS, batch=2), 0.5)
    once = normalisation.get_buffer("running_var").clone()
    assert not torch.allclose(once, torch.ones_like(once), rtol=0.2)
    assert not network.training
    settle(network, recordings, replace(OPTIONS, batch=2), 0.5)
    torch.testing.assert_close(normalisation.get_buffer("running_var"), once)
