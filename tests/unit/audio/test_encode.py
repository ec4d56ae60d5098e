"""Encoded sound files, decoded again, equal the original."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.encode import (
    SoundFormat,
    choose_mp3_rate,
    convert_to_flac,
    convert_to_mp3,
    encode,
)
from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.progress import ignore
from tests.factories import build_tone

RATE_HZ = 44100


def _tone(channels: int, rate_hz: int = RATE_HZ) -> Waveform:
    tone = build_tone(440.0, 3.3, rate_hz=rate_hz, amplitude=0.3)
    return Waveform(np.stack([tone, tone * np.float32(0.5)][:channels]), rate_hz)


@pytest.mark.parametrize("kind", SoundFormat)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [22050, 44100, 48000])
def test_a_tone_comes_back(kind: SoundFormat, channels: int, rate_hz: int) -> None:
    waveform = _tone(channels, rate_hz)
    heard = decode(encode(waveform, kind), AudioLimits(), ignore)
    assert heard.samples.shape[0] == channels
    assert heard.duration_s == pytest.approx(waveform.duration_s, abs=0.06)
    middle = heard.samples[:, RATE_HZ : 2 * RATE_HZ]
    spectrum = np.abs(np.fft.rfft(middle))
    assert (spectrum.argmax(-1) == 440).all()
    levels = np.sqrt(np.mean(np.square(middle), -1))
    within = 0.06 if kind is SoundFormat.MP3 else 0.01  # LAME lowers the level by 5 %
    assert levels[0] == pytest.approx(0.3 / np.sqrt(2), rel=within)
    assert levels[-1] == pytest.approx(0.3 / np.sqrt(2) / channels, rel=within)


@pytest.mark.parametrize("kind", [SoundFormat.WAV, SoundFormat.FLAC])
def test_these_lose_nothing_but_bits(kind: SoundFormat) -> None:
    waveform = _tone(2)
    heard = decode(encode(waveform, kind), AudioLimits(), ignore)
    np.testing.assert_allclose(heard.samples, waveform.samples, atol=1e-4)


def test_what_is_kept_is_converted() -> None:
    kept = encode(_tone(2), SoundFormat.OPUS)
    music = convert_to_mp3(kept, 10**6)
    assert music[:3] == b"ID3" or music[0] == 0xFF
    heard = decode(music, AudioLimits(), ignore)
    assert heard.duration_s == pytest.approx(3.3, abs=0.1)
    assert np.abs(heard.samples).max() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("channels", [1, 2])
def test_flac_keeps_sounds_where_they_were(channels: int) -> None:
    clicks = np.zeros((channels, 3 * RATE_HZ), np.float32)
    starts = [round(time_s * RATE_HZ) for time_s in (0.01, 1.5, 2.9)]
    for start in starts:
        clicks[:, start : start + 20] = 0.8
    target = BytesIO()
    convert_to_flac(encode(Waveform(clicks, RATE_HZ), SoundFormat.OPUS), target)
    assert target.getvalue()[:4] == b"fLaC"
    heard = decode(target.getvalue(), AudioLimits(), ignore)
    assert heard.samples.shape[0] == channels
    loud = np.abs(heard.samples[0]) > 0.3
    for start in starts:
        expected = start * heard.sample_rate_hz // RATE_HZ
        near = np.flatnonzero(loud[max(expected - 500, 0) : expected + 500])
        assert len(near)
        assert abs(near[0] - min(500, expected)) <= heard.sample_rate_hz * 0.001


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("max_bytes", [60_000, 40_000, 25_000])
def test_a_limit_of_bytes_is_kept(channels: int, max_bytes: int) -> None:
    music = convert_to_mp3(encode(_tone(channels), SoundFormat.OPUS), max_bytes)
    assert len(music) < 1.1 * max_bytes, "the header and the last frame come on top"
    heard = decode(music, AudioLimits(), ignore)
    assert heard.samples.shape[0] == channels
    assert heard.duration_s == pytest.approx(3.3, abs=0.1)


def test_the_rate_of_long_music() -> None:
    rates = [choose_mp3_rate(hours * 3600.0, 2, 48_000_000) for hours in (0.05, 0.7, 1.0, 2.0, 9.0)]
    assert rates == [160_000, 128_000, 96_000, 48_000, 32_000]
    assert choose_mp3_rate(180.0, 1, 48_000_000) == 80_000


def test_what_is_too_loud_is_clipped() -> None:
    loud = Waveform(4 * _tone(1).samples, RATE_HZ)
    heard = decode(encode(loud, SoundFormat.WAV), AudioLimits(), ignore)
    assert np.abs(heard.samples).max() == pytest.approx(1.0, abs=1e-3)


def test_cancelling_stops_it() -> None:
    def cancel(fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        encode(_tone(1), SoundFormat.OPUS, cancel)
    with pytest.raises(Cancelled):
        convert_to_mp3(encode(_tone(1), SoundFormat.OPUS), 10**6, cancel)
