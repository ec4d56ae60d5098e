"""The effect of each degradation on a known sound."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.training.sound import damage
from model_zoo.training.sound.codec import CodecName, encode
from model_zoo.training.sound.damage import (
    MAX_WOW_S,
    PROBABILITIES,
    Step,
    add_noise,
    compress,
    degrade,
    detune,
    draw_curve,
    draw_microphone,
    draw_room,
    limit_to_telephone,
    make_crowd,
    make_hum,
    make_noise,
    overload,
    reverberate,
    shape,
    waver,
)
from model_zoo.training.sound.fluidsynth import RATE_HZ

Sound = NDArray[np.float32]


def tone(frequency_hz: float, length_s: float = 1.0, level: float = 0.5) -> Sound:
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def clicks(at_s: tuple[float, ...] = (0.5, 1.0, 1.7), length_s: float = 2.5) -> Sound:
    """Short bursts of noise."""
    sound = np.zeros(round(length_s * RATE_HZ), np.float32)
    burst = np.random.default_rng(0).standard_normal(400) * np.exp(-np.arange(400) / 60)
    for time_s in at_s:
        start = round(time_s * RATE_HZ)
        sound[start : start + 400] += (0.3 * burst).astype(np.float32)
    return sound


def level_db(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=float)) + 1e-20))


def octave_levels_db(sound: Sound, edges_hz: tuple[float, ...]) -> list[float]:
    """Power density between pairs of frequencies."""
    power = np.square(np.abs(np.fft.rfft(sound)))
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return [
        float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))
        for low, high in pairwise(edges_hz)
    ]


def delay_samples(sound: Sound, original: Sound) -> int:
    size = 2 * max(len(sound), len(original))
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(original, size))
    lag = int(np.fft.irfft(spectrum).argmax())
    return lag if lag < size // 2 else lag - size


def test_shaping_follows_the_curve_without_delay() -> None:
    def curve(hz: damage.Hertz) -> damage.Hertz:
        return np.where(hz < 2000, -20.0, 3.0)

    for frequency_hz, gain_db in ((500, -20.0), (5000, 3.0)):
        shaped = shape(tone(frequency_hz), curve)[2000:-2000]
        assert level_db(shaped) - level_db(tone(frequency_hz)) == pytest.approx(gain_db, abs=0.2)
    assert delay_samples(shape(clicks(), curve), clicks()) == 0


def test_a_room_leaves_the_direct_sound_where_it_is() -> None:
    response = draw_room(np.random.default_rng(0), decay_s=0.6, wet=0.5)
    assert response[0] == 1.0
    assert np.abs(response[1:12]).max() == 0.0
    assert np.sum(response[1:] ** 2) == pytest.approx(0.25, rel=0.3)
    wet = reverberate(clicks(), response)
    assert len(wet) == len(clicks())
    assert delay_samples(wet, clicks()) == 0


def test_a_rooms_tail_loses_60_db_in_its_time() -> None:
    responses = [draw_room(np.random.default_rng(seed), 0.8, 1.0) for seed in range(20)]

    def at_db(time_s: float) -> float:
        part = slice(round(time_s * RATE_HZ), round((time_s + 0.05) * RATE_HZ))
        return level_db(np.concatenate([response[part] for response in responses]))

    assert at_db(0.1) - at_db(0.5) == pytest.approx(60 * 0.4 / 0.8, abs=3)


def test_compression_brings_loud_and_soft_together() -> None:
    sound = np.concatenate([tone(1000, level=0.5), tone(1000, level=0.05)])
    squeezed = compress(sound, width_s=0.05, exponent=0.5)
    first, second = squeezed[5000:17000], squeezed[RATE_HZ + 5000 : RATE_HZ + 17000]
    assert level_db(first) - level_db(second) == pytest.approx(10.0, abs=0.3)
    np.testing.assert_allclose(compress(sound, 0.05, 0.0), sound, atol=1e-6)


@pytest.mark.parametrize("hard", [True, False])
def test_overload_adds_odd_harmonics(hard: bool) -> None:
    clipped = overload(tone(500), drive=3.0, hard=hard)
    spectrum = np.abs(np.fft.rfft(clipped))
    assert np.abs(clipped).max() <= 1.0
    assert spectrum[1500] > 0.1 * spectrum[500] > 100 * spectrum[1000]


def test_a_weak_drive_clips_nothing_hard() -> None:
    np.testing.assert_allclose(overload(tone(500), 0.9, hard=True), tone(500) * 1.8, atol=1e-5)


@pytest.mark.parametrize("slope_db", [0.0, -3.0, -6.0])
def test_noise_has_its_slope(slope_db: float) -> None:
    noise = make_noise(RATE_HZ * 4, slope_db, np.random.default_rng(0))
    levels = octave_levels_db(noise, (250, 500, 1000, 2000, 4000, 8000))
    assert np.diff(levels) == pytest.approx([slope_db] * 4, abs=0.6)


@pytest.mark.parametrize("snr_db", [10.0, 40.0])
def test_noise_is_as_loud_as_it_should_be(snr_db: float) -> None:
    noise = make_noise(RATE_HZ, -3.0, np.random.default_rng(0))
    added = add_noise(tone(440), noise, snr_db) - tone(440)
    assert level_db(tone(440)) - level_db(added) == pytest.approx(snr_db, abs=0.01)


def test_a_crowd_is_in_the_range_of_voices_and_wavers() -> None:
    crowd = make_crowd(RATE_HZ * 4, np.random.default_rng(0))
    low, voice, high = octave_levels_db(crowd, (20, 60, 4000, 10_000))
    assert voice > low + 10
    assert voice > high + 10
    power = np.square(crowd[: RATE_HZ * 4 // 2205 * 2205]).reshape(-1, 2205).mean(1)
    assert power.std() > 0.2 * power.mean()


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_the_mains_and_its_harmonics(mains_hz: int) -> None:
    power = np.square(np.abs(np.fft.rfft(make_hum(RATE_HZ, mains_hz, np.random.default_rng(2)))))
    assert power[mains_hz::mains_hz].sum() > 0.999 * power.sum()
    assert power[mains_hz] > 1000
    assert power[2 * mains_hz] > 100


@pytest.mark.parametrize("cents", [-70.0, 0.0, 35.0])
def test_a_detuned_tapes_labels_follow(cents: float) -> None:
    detuned, factor = detune(clicks(), cents)
    assert factor == pytest.approx(2 ** (-cents / 1200))
    assert len(detuned) == pytest.approx(len(clicks()) * factor, abs=2)
    for click_s in (0.5, 1.0, 1.7):
        start = round(click_s * factor * RATE_HZ)
        before, after = detuned[start - 300 : start - 20], detuned[start : start + 300]
        assert np.abs(before).max() < 0.1 * np.abs(after).max()
    played, _ = detune(tone(1000, 2.0), cents)
    spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played)), 16 * RATE_HZ))
    assert spectrum.argmax() / 16 == pytest.approx(1000 * 2 ** (cents / 1200), abs=0.1)


def test_wow_wavers_the_pitch_and_hardly_moves_the_sound() -> None:
    wavering = waver(tone(1000, 4.0), depth_cents=15.0, rate_hz=1.0, phase=0.0)

    def frequency_hz(time_s: float) -> float:
        part = wavering[round(time_s * RATE_HZ) : round((time_s + 0.1) * RATE_HZ)]
        crossings = np.flatnonzero((part[:-1] < 0) & (part[1:] >= 0))
        return float((len(crossings) - 1) / (crossings[-1] - crossings[0]) * RATE_HZ)

    cents = [1200 * np.log2(frequency_hz(time_s) / 1000) for time_s in (0.95, 1.2, 1.45, 1.7)]
    assert cents == pytest.approx([15, 0, -15, 0], abs=3)
    for click_s in (0.5, 1.0, 1.7, 2.2):
        click = clicks((click_s,))
        moved = delay_samples(waver(click, depth_cents=100.0, rate_hz=0.4, phase=1.0), click)
        assert 0 < abs(moved) <= MAX_WOW_S * RATE_HZ + 1


def test_a_telephone_leaves_its_band() -> None:
    for frequency_hz, kept in ((120, False), (1000, True), (2500, True), (6000, False)):
        loss_db = level_db(tone(frequency_hz)) - level_db(limit_to_telephone(tone(frequency_hz)))
        assert (loss_db < 1) == kept
        assert (loss_db > 30) != kept


def test_curves_stay_within_their_depth() -> None:
    frequencies = np.linspace(0, RATE_HZ / 2, 500)
    for seed in range(20):
        curve = draw_curve(np.random.default_rng(seed), 10.0, 5)
        assert np.abs(curve(frequencies)).max() <= 10.0
        response = draw_microphone(np.random.default_rng(seed))(frequencies)
        assert response[0] < response[(frequencies > 300) & (frequencies < 2500)].min()


@pytest.mark.parametrize(
    ("codec", "bit_rate"),
    [("mp3", 32_000), ("mp3", 64_000), ("opus", 8_000), ("opus", 16_000), ("opus", 32_000)],
)
@pytest.mark.parametrize("length_s", [2.5, 13.0])
def test_codecs_leave_the_sound_in_its_place(
    codec: CodecName, bit_rate: int, length_s: float
) -> None:
    """Alignment is exact at any length, although the sound changes."""
    at_s = tuple(np.arange(0.3, length_s - 0.3, 0.37))
    original = clicks(at_s, length_s) + tone(330, length_s, 0.1)
    copy = encode(original, codec, bit_rate)
    assert copy.shape == original.shape
    assert copy.dtype == np.float32
    assert delay_samples(copy, original) == 0
    assert 1e-4 < np.abs(copy - original).max() < 1.0


def test_the_same_seed_does_the_same_damage() -> None:
    sound = clicks() + tone(440, 2.5)
    first, second = (degrade(sound, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, degrade(sound, np.random.default_rng(6)))


def test_damaged_sound_is_as_long_and_in_its_place() -> None:
    sound = clicks((1.2,))
    for seed in range(60):
        damaged = degrade(sound, np.random.default_rng(seed))
        assert damaged.shape == sound.shape
        assert damaged.dtype == np.float32
        assert np.isfinite(damaged).all()
        assert np.abs(damaged).max() == pytest.approx(0.8, rel=1e-3)
        heard = np.abs(damaged[round(1.15 * RATE_HZ) : round(1.25 * RATE_HZ)]).max()
        if heard > 10 * np.abs(damaged[: round(1.1 * RATE_HZ)]).max():  # not lost in noise
            assert abs(delay_samples(damaged, sound)) <= MAX_WOW_S * RATE_HZ + 1


def test_without_any_step_or_strength_nothing_is_done() -> None:
    sound = tone(440)
    for damaged in (
        degrade(sound, np.random.default_rng(0), strength=0.0),
        degrade(sound, np.random.default_rng(0), without=tuple(PROBABILITIES)),
    ):
        np.testing.assert_allclose(damaged, sound * 1.6, rtol=1e-5, atol=1e-6)


def test_leaving_a_step_out_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step has its own random generator; steps occur about as often as they should."""
    taken: list[tuple[Step, float]] = []

    def record(step: Step) -> object:
        def apply(sound: Sound, random: np.random.Generator) -> Sound:
            taken.append((step, float(random.random())))
            return sound

        return apply

    monkeypatch.setattr(damage, "_STEPS", {step: record(step) for step in PROBABILITIES})
    for seed in range(400):
        degrade(tone(440, 0.01), np.random.default_rng(seed))
    whole = taken.copy()
    taken.clear()
    for seed in range(400):
        degrade(tone(440, 0.01), np.random.default_rng(seed), without=("room", "codec"))
    assert taken == [entry for entry in whole if entry[0] not in ("room", "codec")]
    for step, probability in PROBABILITIES.items():
        share = sum(entry[0] == step for entry in whole) / 400
        assert share == pytest.approx(probability, abs=0.08)


def test_silence_survives() -> None:
    for seed in range(10):
        assert np.isfinite(
            degrade(np.zeros(RATE_HZ, np.float32), np.random.default_rng(seed))
        ).all()
