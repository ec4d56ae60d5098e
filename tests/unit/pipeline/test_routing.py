"""The router on unambiguous recordings, silence and empty input; the choice of excerpts."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.assembly import build_router
from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.pipeline.options import Preset
from inference_service.pipeline.routing import EXCERPT_S, EXCERPTS, choose_excerpts
from inference_service.pipeline.stages import Router
from inference_service.progress import ignore
from tests.conftest import ROOT
from tests.factories import RATE_HZ, build_noise, build_notes, build_scale, sing


def choose(router: Router, waveform: Waveform) -> Preset:
    presets = router.classify(waveform, ignore)
    assert sum(presets.values()) == pytest.approx(1.0)
    return max(presets, key=presets.__getitem__)


@pytest.fixture(scope="module")
def router() -> Router:
    return build_router("cpu")


def test_a_singer_is_a_voice(router: Router) -> None:
    assert choose(router, sing(build_scale())) is Preset.VOICE


@pytest.mark.parametrize("preset", [Preset.VOICE, Preset.PIANO, Preset.SONG])
def test_the_samples_are_what_they_are(router: Router, preset: Preset) -> None:
    sample = ROOT / "docs" / "samples" / f"{preset.value}.ogg"
    assert choose(router, decode(sample.read_bytes(), AudioLimits(), ignore)) is preset


def test_a_singer_over_chords_and_drums_is_a_song(router: Router) -> None:
    voice = sing(build_scale()).mono()
    chords = np.sum(
        [
            build_notes(build_scale(tuple(p + step for p in (48, 53, 55, 48) * 2))).mono()
            for step in (0, 4, 7)
        ],
        axis=0,
    )
    length = min(len(voice), len(chords))
    beats = build_noise(length / RATE_HZ, amplitude=0.6)[:length]
    beats *= np.exp(-20.0 * (np.arange(length) % (RATE_HZ // 4)) / RATE_HZ).astype(np.float32)
    mix = voice[:length] + chords[:length] + beats[:length]
    assert choose(router, Waveform(mix[None].astype(np.float32), RATE_HZ)) is Preset.SONG


@pytest.mark.parametrize("length", [1, 100, 44100, 44100 * 20])
@pytest.mark.parametrize("loud", [False, True])
def test_any_sound_has_a_preset(router: Router, length: int, loud: bool) -> None:
    samples = build_noise(length / RATE_HZ) if loud else np.zeros(length, np.float32)
    chosen = choose(router, Waveform(samples[None], RATE_HZ))
    assert chosen in (Preset.VOICE, Preset.PIANO, Preset.SONG)


def test_stops_when_cancelled(router: Router) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        router.classify(sing(build_scale()), cancel)


@pytest.mark.parametrize("duration_s", [1.0, 9.0, 30.0, 300.0])
def test_excerpts_are_bounded(duration_s: float) -> None:
    waveform = Waveform(np.zeros((2, round(duration_s * 8000)), np.float32), 8000)
    excerpts = choose_excerpts(waveform)
    assert 1 <= len(excerpts) <= EXCERPTS
    assert all(excerpt.duration_s <= min(EXCERPT_S, duration_s) for excerpt in excerpts)


def test_excerpts_are_the_loudest() -> None:
    samples = np.full((1, 8000 * 60), 0.01, np.float32)
    samples[:, 8000 * 30 : 8000 * 38] = 0.5
    loudest = max(choose_excerpts(Waveform(samples, 8000)), key=lambda e: e.mono().sum())
    assert loudest.mono().mean() > 0.4
