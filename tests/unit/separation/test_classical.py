"""The separator without a network: its contract for any audio, and its quality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import AudioSilent, Cancelled
from inference_service.progress import ignore
from inference_service.separation import classical
from inference_service.separation.classical import RepetSimSeparator
from tests.factories import STEMS, build_noise, build_tone

RATE_HZ = 44100


def _separate(samples: Samples, rate_hz: int = RATE_HZ) -> tuple[Samples, Samples]:
    stems = RepetSimSeparator().separate(Waveform(np.atleast_2d(samples), rate_hz), ignore)
    assert set(stems) == {"vocals", "accompaniment"}
    assert all(stem.sample_rate_hz == rate_hz for stem in stems.values())
    return stems["vocals"].samples, stems["accompaniment"].samples


def _distortion_db(truth: Samples, estimate: Samples) -> float:
    """Return the signal-to-distortion ratio in dB."""
    return float(10 * np.log10((truth**2).sum() / ((truth - estimate) ** 2).sum()))


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE_HZ, np.float32),
        build_tone(440.0, 3.0),
        build_noise(3.0),
        build_noise(0.2),
        build_noise(0.02),
        build_noise(0.001),
        np.eye(1, RATE_HZ, 1000, dtype=np.float32)[0],
    ],
    ids=["silence", "sine", "noise", "0.2 s", "20 ms", "1 ms", "click"],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_sound_is_split_without_a_rest(samples: Samples, channels: int) -> None:
    mixture = np.tile(samples, (channels, 1))
    vocals, accompaniment = _separate(mixture)
    assert vocals.shape == accompaniment.shape == mixture.shape
    assert vocals.dtype == accompaniment.dtype == np.float32
    assert np.isfinite(vocals).all()
    np.testing.assert_allclose(vocals + accompaniment, mixture, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [16000, 22050, 48000])
def test_any_rate(rate_hz: int) -> None:
    mixture = build_noise(1.0, rate_hz=rate_hz)[: rate_hz - 7]
    vocals, accompaniment = _separate(mixture, rate_hz)
    np.testing.assert_allclose(vocals[0] + accompaniment[0], mixture, atol=1e-6)


def _song() -> tuple[Samples, Samples]:
    """Return eight seconds of a gliding voice with vibrato, and of a loop of chords and clicks."""
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    f_hz = 440 * 2 ** (
        (3 * np.sin(2 * np.pi * 0.23 * time_s) + np.sin(2 * np.pi * 5.5 * time_s)) / 12
    )
    phase = 2 * np.pi * np.cumsum(f_hz) / RATE_HZ
    vocals = 0.15 * np.sum([np.sin(k * phase) / k for k in range(1, 8)], axis=0)
    bars = [[131.0, 196.0, 330.0], [110.0, 165.0, 262.0]] * 2
    loop = np.concatenate(
        [np.sum([build_tone(f, 2.0, amplitude=0.1) for f in bar], axis=0) for bar in bars]
    )
    loop[:: RATE_HZ // 2] += 0.5
    return vocals.astype(np.float32), loop.astype(np.float32)


def test_vocals_stand_out_of_a_loop() -> None:
    vocals, loop = _song()
    estimate, rest = _separate(vocals + loop)
    assert _distortion_db(vocals, estimate[0]) > _distortion_db(vocals, vocals + loop) + 3
    assert _distortion_db(loop, rest[0]) > _distortion_db(loop, vocals + loop) + 3


def test_windows_make_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter windows contain less repetition, but the result is similar to that of one window."""
    vocals, loop = _song()
    whole, _ = _separate(vocals + loop)
    sizes: list[int] = []
    extract = classical._extract_vocals

    def record(mixture: Samples, *rest: object) -> Samples:
        sizes.append(mixture.shape[-1])
        return extract(mixture, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(classical, "_extract_vocals", record)
    monkeypatch.setattr(classical, "WINDOW_S", 4.0)
    monkeypatch.setattr(classical, "OVERLAP_S", 1.0)
    windowed, _ = _separate(vocals + loop)
    assert sizes == [4 * classical.RATE_HZ] * 3
    assert _distortion_db(whole, windowed) > 3


def test_is_repeatable() -> None:
    mixture = build_noise(1.0)
    np.testing.assert_array_equal(_separate(mixture)[0], _separate(mixture)[0])


def test_reports_progress_in_order_and_cancels() -> None:
    mixture = Waveform(build_noise(2.0)[np.newaxis], RATE_HZ)
    fractions: list[float] = []
    RepetSimSeparator().separate(mixture, fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert len(fractions) > 3

    def cancel(fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled("the caller went away")

    with pytest.raises(Cancelled):
        RepetSimSeparator().separate(mixture, cancel)


@pytest.mark.data
def test_real_songs(data_dir: Path) -> None:
    """Both stems have a better ratio than the mixture itself."""
    gains_db = []
    for folder in sorted(path for path in (data_dir / "stems_dev").iterdir() if path.is_dir())[
        :40:8
    ]:
        stems = {}
        for name in STEMS:
            try:
                stems[name] = decode((folder / f"{name}.opus").read_bytes(), AudioLimits(), ignore)
            except AudioSilent:
                continue
        if "vocals" not in stems:
            continue
        length = min(stem.samples.shape[1] for stem in stems.values())
        tracks = {name: stem.samples[:, :length] for name, stem in stems.items()}
        mixture = np.stack(list(tracks.values())).sum(axis=0)
        vocals = tracks["vocals"]
        estimates = _separate(mixture)
        for truth, estimate in zip((vocals, mixture - vocals), estimates, strict=True):
            gains_db.append(_distortion_db(truth, estimate) - _distortion_db(truth, mixture))
    assert len(gains_db) >= 8
    assert np.median(gains_db) > 2.0
