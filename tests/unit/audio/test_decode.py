"""Decoding: every file format, every limit, and hostile files."""

from __future__ import annotations

import functools
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from inference_service.audio.decode import SAMPLE_RATE_HZ, AudioLimits, decode
from inference_service.audio.track import decode_track
from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import (
    AudioEmpty,
    AudioError,
    AudioNoTrack,
    AudioSampleRate,
    AudioSilent,
    AudioTooLarge,
    AudioTooLong,
    AudioTooShort,
    AudioUnreadable,
    Cancelled,
)
from inference_service.progress import ignore
from tests.factories import KINDS, build_noise, build_tone, claim_flac_samples, encode_audio

LIMITS = AudioLimits()
AAC_PADDING_S = 1024 / 44100  # the last packet is padded


def _decode(data: bytes, limits: AudioLimits = LIMITS) -> Waveform:
    return decode(data, limits, ignore)


def _burst() -> Samples:
    """One second of low-passed noise between two half seconds of silence."""
    noise = np.convolve(build_noise(1.0), np.ones(8) / 8, "same")
    return np.pad(noise, SAMPLE_RATE_HZ // 2).astype(np.float32)


def _build_wav(samples: np.ndarray, rate_hz: int = 44100) -> bytes:
    """A WAV of any number of channels, without a channel mask; samples of shape (C, N), int16."""
    channels, data = len(samples), samples.T.astype("<i2").tobytes()
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate_hz, rate_hz * 2 * channels, 2 * channels, 16
    )
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_decodes_every_kind_in_time_and_in_tune(kind: str, channels: int) -> None:
    burst = _burst()
    waveform = _decode(encode_audio(np.tile(burst, (channels, 1)), kind))

    assert waveform.sample_rate_hz == SAMPLE_RATE_HZ
    assert waveform.samples.shape[0] == channels
    assert waveform.samples.dtype == np.float32
    assert 0 <= waveform.duration_s - 2.0 <= AAC_PADDING_S
    spectra = [np.fft.rfft(signal, 2**18) for signal in (waveform.mono(), burst)]
    lag = int(np.argmax(np.fft.irfft(spectra[0] * spectra[1].conj())))
    assert lag == 0, "encoder delay must be cut off"


def test_lossless_is_exact() -> None:
    samples = build_noise(0.5)
    decoded = _decode(encode_audio(samples, "wav-float")).samples[0]
    np.testing.assert_allclose(decoded, samples - samples.mean(), atol=1e-7)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg-opus", "m4a"])
def test_surround_becomes_stereo_with_sides_kept_apart(kind: str) -> None:
    surround = np.zeros((6, SAMPLE_RATE_HZ), np.float32)
    surround[0] = build_tone(440)  # front left
    stereo = _decode(encode_audio(surround, kind)).samples

    assert stereo.shape[0] == 2
    assert np.abs(stereo[0]).max() > 0.2
    assert np.abs(stereo[1]).max() < 0.02


@pytest.mark.parametrize("channels", [3, 7, 16])
def test_channels_without_a_known_layout(channels: int) -> None:
    tone = np.tile(build_tone(440) * 32767, (channels, 1))
    assert _decode(_build_wav(tone)).samples.shape == (2, SAMPLE_RATE_HZ)


def test_refuses_absurd_channel_counts() -> None:
    with pytest.raises(AudioUnreadable):
        _decode(_build_wav(np.ones((200, 44100), np.int16)))


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 48000, 96000, 192_000])
def test_accepts_rates_within_limits(rate_hz: int) -> None:
    waveform = _decode(encode_audio(build_tone(440, rate_hz=rate_hz), "wav", rate_hz=rate_hz))
    spectrum = np.abs(np.fft.rfft(waveform.samples[0]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=1)
    assert waveform.duration_s == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("rate_hz", [4000, 7999, 192_001, 384_000])
def test_refuses_rates_outside_limits(rate_hz: int) -> None:
    with pytest.raises(AudioSampleRate) as caught:
        _decode(encode_audio(build_tone(440, rate_hz=rate_hz), "wav", rate_hz=rate_hz))
    assert caught.value.params == {"rate_hz": rate_hz}


def test_empty() -> None:
    with pytest.raises(AudioEmpty):
        _decode(b"")
    with pytest.raises(AudioEmpty):
        _decode(_build_wav(np.zeros((1, 0))))


def test_too_many_bytes() -> None:
    with pytest.raises(AudioTooLarge) as caught:
        _decode(bytes(1001), AudioLimits(max_bytes=1000))
    assert caught.value.params == {"limit_bytes": 1000, "size_bytes": 1001}


def test_too_short() -> None:
    with pytest.raises(AudioTooShort) as caught:
        _decode(encode_audio(build_tone(440, 0.05)))
    assert caught.value.params == {"minimum_s": 0.1, "duration_s": 0.05}


@pytest.mark.parametrize("level", [0.0, 0.5, 2e-5])
@pytest.mark.parametrize("kind", ["wav-float", "flac"])
def test_silence_and_constants(kind: str, level: float) -> None:
    with pytest.raises(AudioSilent):
        _decode(encode_audio(np.full(SAMPLE_RATE_HZ, level, np.float32), kind))


def test_removes_the_mean_of_each_channel() -> None:
    tone = build_tone(440)
    stereo = _decode(encode_audio(np.stack([tone + 0.3, tone - 0.2]), "wav-float")).samples
    np.testing.assert_allclose(stereo.mean(axis=1), 0.0, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_become_silence(bad: float) -> None:
    samples = build_tone(440)
    samples[1000:1100] = bad
    decoded = _decode(encode_audio(samples, "wav-float")).samples[0]
    assert np.isfinite(decoded).all()
    np.testing.assert_allclose(decoded[1200:], samples[1200:], atol=1e-2)


def test_one_damaged_sample_does_not_drown_the_rest() -> None:
    samples = build_tone(440)
    samples[1000] = 1e30
    decoded = _decode(encode_audio(samples, "wav-float")).samples[0]
    assert np.abs(decoded).max() <= 1.01
    assert np.abs(decoded[2000:]).max() == pytest.approx(0.3, rel=0.01)


def test_float_file_in_the_scale_of_integers() -> None:
    decoded = _decode(encode_audio(build_tone(440) * 32768, "wav-float")).samples[0]
    assert np.abs(decoded).max() == pytest.approx(1.0, rel=0.01)
    assert np.argmax(np.abs(np.fft.rfft(decoded))) == 440


def test_video_without_sound() -> None:
    with pytest.raises(AudioNoTrack):
        _decode(encode_audio(build_tone(440), "mp4", sound=False))


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg-opus", "webm"])
def test_truncated_file_gives_what_is_there(kind: str) -> None:
    data = encode_audio(build_noise(4.0), kind)
    assert 0.9 < _decode(data[: len(data) // 2]).duration_s < 3.0


def _corrupt(data: bytes, start: int, seed: int) -> bytes:
    damaged = bytearray(data)
    generator = np.random.default_rng(seed)
    for position in generator.integers(start, len(damaged), 20):
        damaged[position] ^= 1 << int(generator.integers(8))
    return bytes(damaged)


@functools.cache
def _sample(kind: str) -> bytes:
    return encode_audio(np.tile(build_noise(1.5), (2, 1)), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_damaged_bytes_give_sound_or_one_clear_error(kind: str, seed: int) -> None:
    """In this process, as a mistake of PyAV's is an unreadable file in the decoder's."""
    data = _sample(kind)
    for damaged in (_corrupt(data, 0, seed), data[: len(data) * seed // 6], data[seed * 97 + 1 :]):
        try:
            size_bytes = sum(len(block[0]) for block in decode_track(damaged, LIMITS, ignore))
        except AudioError:
            continue
        assert size_bytes / 4 / SAMPLE_RATE_HZ < 10.0


def test_skips_damaged_packets() -> None:
    data = encode_audio(build_noise(4.0), "flac")
    assert _decode(_corrupt(data, 500, seed=1)).duration_s > 2.0


def _zip_bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("song.wav", bytes(10**7))
    return target.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 5000,
        b"The quick brown fox jumps over the lazy dog.\n" * 200,
        np.random.default_rng(0).bytes(50_000),
        _zip_bomb(),
        b"%PDF-1.7\n" + bytes(1000),
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=["zeros", "text", "noise", "zip", "pdf", "png", "svg"],
)
def test_not_audio(data: bytes) -> None:
    with pytest.raises(AudioUnreadable):
        _decode(data)


@pytest.mark.parametrize("address", ["path", "file://", "subfile:"])
def test_playlists_do_not_open_files(tmp_path: Path, address: str) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encode_audio(build_tone(440)))
    name = {
        "path": str(secret),
        "file://": f"file://{secret}",
        "subfile:": f"subfile,,start,0,end,99999,,:{secret}",
    }[address]
    playlists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{name}'\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\na={name}\n",
    )
    for playlist in playlists:
        with pytest.raises(AudioUnreadable):
            _decode(playlist.encode())


def test_an_hour_of_silence() -> None:
    data = encode_audio(np.zeros(3600 * 8000, np.float32), "flac", rate_hz=8000)
    with pytest.raises(AudioTooLong) as caught:
        _decode(data)
    assert caught.value.params == {"limit_s": 900.0}


def test_decoding_stops_at_the_limit() -> None:
    """The duration of an MP3 is a guess, so the limit applies while decoding."""
    data = encode_audio(build_noise(120.0, rate_hz=8000), "mp3", rate_hz=8000)
    fractions: list[float] = []
    with pytest.raises(AudioTooLong):
        decode(data, AudioLimits(max_duration_s=10.0), fractions.append)
    assert fractions[-1] < 0.5


def test_flac_that_claims_ten_hours() -> None:
    data = claim_flac_samples(encode_audio(build_tone(440), "flac"), 36000 * 44100)
    with pytest.raises(AudioTooLong):
        _decode(data)


def test_flac_that_claims_a_second_and_holds_five() -> None:
    data = claim_flac_samples(encode_audio(build_noise(5.0), "flac"), 44100)
    with pytest.raises(AudioTooLong):
        _decode(data, AudioLimits(max_duration_s=3.0))


def test_limit_holds_where_no_duration_is_claimed() -> None:
    """A WAV written to a pipe has no length in its header."""
    data = bytearray(encode_audio(build_noise(3.0)))
    position = data.index(b"data") + 4
    data[4:8] = data[position : position + 4] = b"\xff\xff\xff\xff"
    assert _decode(bytes(data)).duration_s == pytest.approx(3.0)
    with pytest.raises(AudioTooLong):
        _decode(bytes(data), AudioLimits(max_duration_s=2.0))


def test_limits_are_inclusive() -> None:
    data = encode_audio(build_tone(440, 1.0))
    limits = AudioLimits(len(data), 1.0, 1.0, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
    assert _decode(data, limits).duration_s == 1.0


def test_sample_table_bomb_allocates_nothing() -> None:
    """A few bytes declare an index of 100 million samples, which would take 2.4 GB."""
    resource = pytest.importorskip("resource")
    data = bytearray(encode_audio(build_tone(440), "m4a"))
    claimed = 100_000_000
    size, chunk, duration = (data.index(name) for name in (b"stsz", b"stsc", b"stts"))
    data[size + 8 : size + 16] = struct.pack(">II", 1, claimed)
    data[chunk + 16 : chunk + 20] = struct.pack(">I", claimed)
    data[duration + 12 : duration + 16] = struct.pack(">I", claimed)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AudioError):
        _decode(bytes(data))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 200 * 1024


def test_reports_progress_in_order() -> None:
    fractions: list[float] = []
    decode(encode_audio(build_noise(20.0), "mp3"), LIMITS, fractions.append)
    assert fractions == sorted(fractions)
    assert len(fractions) > 5
    assert fractions[-1] == 1.0


def test_cancels() -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled("the caller went away")

    with pytest.raises(Cancelled):
        decode(encode_audio(build_tone(440)), LIMITS, cancel)


@pytest.mark.data
def test_real_recordings(data_dir: Path) -> None:
    clips = [
        *sorted(data_dir.glob("stems_dev/**/*.opus"))[:2],
        *sorted(data_dir.glob("piano_dev/*.flac"))[:2],
        *sorted(data_dir.glob("voice_dev/*.flac"))[:2],
    ]
    assert clips
    for clip in clips:
        waveform = _decode(clip.read_bytes())
        assert 1.0 < waveform.duration_s < 120.0
        assert np.abs(waveform.samples).max() > 0.01
