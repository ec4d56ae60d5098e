"""The preset follows from how the excerpts of a recording are rated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from inference_service.assembly import build_router, build_stages
from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, NothingHeard
from inference_service.music.events import NoteEvent
from inference_service.pipeline.options import Preset
from inference_service.pipeline.routing import (
    EXCERPT_S,
    EXCERPTS,
    NOTHING,
    PRESETS,
    RATED_SHARE,
    PresetRouter,
    choose_excerpts,
)
from inference_service.pipeline.stages import Router, Separator
from inference_service.progress import Report, ignore
from inference_service.settings import ModelSettings
from tests.conftest import ROOT
from tests.factories import RATE_HZ, build_noise, build_scale, sing

KINDS = (*PRESETS, NOTHING)


class FixedListener:
    """Rates each excerpt as the next of some distributions."""

    def __init__(self, *ratings: Mapping[str, float]) -> None:
        self._ratings = iter(ratings)

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Hear nothing."""
        return []

    def rate(self, excerpt: Waveform) -> Mapping[str, float]:
        """Return the next rating; what it does not name shares the rest."""
        rating = next(self._ratings)
        rest = (1 - sum(rating.values())) / (len(KINDS) - len(rating))
        return {kind: math.log(rating.get(kind, rest)) for kind in KINDS}


class FixedSeparator:
    """Finds vocals at the next of some levels, relative to the mixture."""

    def __init__(self, *levels_db: float) -> None:
        self._levels_db = iter(levels_db)

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return vocals that are the mixture at another level."""
        report(0.5)
        gain = np.float32(10 ** (next(self._levels_db) / 20))
        return {"vocals": Waveform(gain * mixture.samples, mixture.sample_rate_hz)}


Rating = Mapping[str, float]
SINGER = {"voice": 0.9}


def listen(
    *ratings: Rating, vocals: Sequence[Rating] = (), levels_db: Sequence[float] = ()
) -> dict[Preset, float]:
    """Classify excerpts of some ratings, whose vocals have others, at some levels."""
    noise = build_noise(EXCERPT_S * len(ratings))[: round(EXCERPT_S * RATE_HZ) * len(ratings)]
    router = PresetRouter(FixedListener(*ratings, *vocals))
    return router.classify(Waveform(noise[None], RATE_HZ), FixedSeparator(*levels_db))


def choose(router: Router, waveform: Waveform) -> Preset:
    presets = router.classify(waveform, build_separator(), ignore)
    assert sum(presets.values()) == pytest.approx(1.0)
    return max(presets, key=presets.__getitem__)


def test_the_likeliest_kind_gives_the_preset() -> None:
    presets = listen({"guitar": 0.7, "solo": 0.2})
    assert sorted(presets, key=lambda preset: -presets[preset])[:2] == ["guitar", "solo"]
    assert presets[Preset.GUITAR] == pytest.approx(0.7, abs=0.02)


def test_all_excerpts_count() -> None:
    presets = listen({"piano": 0.6, "ensemble": 0.3}, {"piano": 0.1, "ensemble": 0.8})
    assert max(presets, key=presets.__getitem__) is Preset.ENSEMBLE


def test_drums_are_an_ensemble() -> None:
    presets = listen({"drums": 0.6, "ensemble": 0.25})
    assert presets[Preset.ENSEMBLE] == pytest.approx(0.87, abs=0.03)


def test_what_is_surely_speech_or_noise_is_refused() -> None:
    with pytest.raises(NothingHeard, match="speech or noise"):
        listen({NOTHING: 0.95})
    assert listen({NOTHING: 0.8, "voice": 0.15})[Preset.VOICE] == pytest.approx(0.75, abs=0.05)


def test_without_vocals_nobody_sings() -> None:
    heard = {"song": 0.6, "ensemble": 0.35}
    assert listen(heard, vocals=[SINGER], levels_db=[-35.0])[Preset.ENSEMBLE] > 0.7
    assert listen(heard, vocals=[SINGER], levels_db=[-5.0])[Preset.SONG] > 0.9


def test_a_violin_among_the_vocals_is_no_singer() -> None:
    heard = {"song": 0.5, "ensemble": 0.45}
    assert listen(heard, vocals=[{"solo": 0.9}], levels_db=[-5.0])[Preset.ENSEMBLE] > 0.8


def test_vocals_over_an_instrument_make_a_song() -> None:
    heard = {"piano": 0.8, "song": 0.15}
    assert listen(heard, vocals=[SINGER], levels_db=[-4.0])[Preset.SONG] > 0.6
    assert listen(heard, vocals=[SINGER], levels_db=[-40.0])[Preset.PIANO] > 0.8


def test_a_singer_may_rest_in_most_excerpts() -> None:
    heard = {"song": 0.5, "ensemble": 0.45}
    vocals = [{"ensemble": 0.9}, SINGER]
    presets = listen(heard, heard, vocals=vocals, levels_db=[-40.0, -3.0])
    assert presets[Preset.SONG] > 0.9


def test_nothing_is_separated_where_a_song_is_improbable() -> None:
    assert listen({"guitar": 0.9, "song": 0.01})[Preset.GUITAR] > 0.85


def test_a_look_at_the_vocals_reports_its_progress_and_can_be_cancelled() -> None:
    heard = {"song": 0.5, "ensemble": 0.45}
    noise = Waveform(build_noise(2 * EXCERPT_S)[None, : round(2 * EXCERPT_S * RATE_HZ)], RATE_HZ)

    def listen_to(report: Report) -> None:
        router = PresetRouter(FixedListener(heard, heard, SINGER, SINGER))
        router.classify(noise, FixedSeparator(-5.0, -5.0), report)

    fractions: list[float] = []
    listen_to(fractions.append)
    assert fractions == sorted(set(fractions))
    assert sum(RATED_SHARE < fraction < 1.0 for fraction in fractions) == 2

    def cancel(fraction: float) -> None:
        if fraction > RATED_SHARE:
            raise Cancelled("the client is gone")

    with pytest.raises(Cancelled):
        listen_to(cancel)


def build_separator() -> Separator:
    """Return the separator of the default profile."""
    return build_stages(ModelSettings()).separation


@pytest.fixture(scope="module")
def router() -> Router:
    return build_router(ModelSettings())


def test_a_singer_is_a_voice(router: Router) -> None:
    assert choose(router, sing(build_scale())) is Preset.VOICE


@pytest.mark.parametrize("preset", [Preset.VOICE, Preset.PIANO, Preset.SONG])
def test_the_samples_are_what_they_are(router: Router, preset: Preset) -> None:
    sample = ROOT / "docs" / "samples" / f"{preset.value}.ogg"
    assert choose(router, decode(sample.read_bytes(), AudioLimits(), ignore)) is preset


@pytest.mark.parametrize("length", [1, 100, 44100, 44100 * 20])
@pytest.mark.parametrize("loud", [False, True])
def test_any_sound_has_a_preset_or_is_refused(router: Router, length: int, loud: bool) -> None:
    samples = build_noise(length / RATE_HZ)[:length] if loud else np.zeros(length, np.float32)
    try:
        chosen = choose(router, Waveform(samples[None], RATE_HZ))
    except NothingHeard:
        return
    assert chosen in PRESETS.values()


def test_stops_when_cancelled(router: Router) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        router.classify(sing(build_scale()), build_separator(), cancel)


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
