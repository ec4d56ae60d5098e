"""The sampler, on tiny banks of tones: pitch, onset, release, labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.training.sound.banks import BANKS
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.sampler import PIANO, PLAIN, Instrument, Touch, load_instrument
from model_zoo.training.sound.samples import LEAD_S, SOUNDS, Recording, find_onset, read, write

LENGTH_S = 1.5


def tone(pitch: float, level: float = 0.5, length_s: float = LENGTH_S) -> NDArray[np.float32]:
    """A sine that begins after the lead."""
    lead = np.zeros(round(LEAD_S * RATE_HZ))
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    sine = level * np.cos(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s)
    return np.concatenate([lead, sine]).astype(np.float32)


def build(
    tmp_path: Path, sounds: list[tuple[float, int, NDArray[np.float32]]], touch: Touch = PLAIN
) -> Instrument:
    layered = any(layer for _, layer, _ in sounds)
    write(
        tmp_path,
        "tones",
        [
            Recording(pitch, (63, 127)[layer] if layered else 127, sound)
            for pitch, layer, sound in sounds
        ],
    )
    return Instrument(*read(tmp_path, "tones"), touch)


@pytest.fixture(name="instrument")
def build_instrument(tmp_path: Path) -> Instrument:
    return build(tmp_path, [(57.0, 0, tone(57)), (69.0, 0, tone(69)), (81.0, 0, tone(81))])


def play(
    instrument: Instrument, *notes: tuple[float, float, float, float], length_s: float = 3.0
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    return instrument.play(np.array(notes, float), length_s, np.random.default_rng(0))


def measure_pitch(samples: NDArray[np.float32]) -> float:
    """Return the pitch of a tone from the phase of its strongest component."""
    size = len(samples) // 2
    window = np.hanning(size)
    first, second = (np.fft.rfft(samples[k : k + size] * window) for k in (0, 1))
    peak = int(np.abs(first).argmax())
    advance = np.angle(second[peak] / first[peak])
    return float(69 + 12 * np.log2(advance * RATE_HZ / (2 * np.pi) / 440))


@pytest.mark.parametrize("pitch", [55.0, 57.0, 60.0, 64.5, 69.0, 74.0, 86.0])
def test_notes_have_their_pitch_within_three_cents(instrument: Instrument, pitch: float) -> None:
    samples, _ = play(instrument, (0.5, 1.4, pitch, 100))
    steady = samples[round(0.6 * RATE_HZ) : round(1.3 * RATE_HZ)]
    assert abs(measure_pitch(steady) - pitch) < 0.03


@pytest.mark.parametrize("pitch", [57.0, 60.0, 76.0])
@pytest.mark.parametrize("onset_s", [0.0, 0.5, 1.23456])
def test_notes_begin_on_time(instrument: Instrument, pitch: float, onset_s: float) -> None:
    samples, _ = play(instrument, (onset_s, onset_s + 0.5, pitch, 100))
    assert abs(find_onset(samples) / RATE_HZ - onset_s) < 0.002


def test_notes_end_with_the_release(instrument: Instrument) -> None:
    samples, _ = play(instrument, (0.2, 0.7, 69, 100))
    before = np.abs(samples[round(0.6 * RATE_HZ) : round(0.7 * RATE_HZ)]).max()
    after = np.abs(samples[round(0.79 * RATE_HZ) :]).max()
    assert after < before / 50
    assert np.abs(samples[round(0.83 * RATE_HZ) :]).max() == 0.0


def test_nothing_clicks(instrument: Instrument) -> None:
    """No difference between samples exceeds that of a sine of the note's frequency and level."""
    samples, _ = play(instrument, (0.2, 0.7, 69, 127), (0.3, 2.9, 57, 127))
    steepest = 0.5 * 2 * np.pi * (440 + 220) / RATE_HZ
    started = [round(onset_s * RATE_HZ) for onset_s in (0.2, 0.3)]
    steps = np.abs(np.diff(samples))
    for start in started:  # the tones start at the crest of a wave
        steps[start - 5 : start + 5] = 0
    ended = round((0.3 + LENGTH_S) * RATE_HZ)  # and end with a step
    steps[ended - 5 : ended + 5] = 0
    assert steps.max() < steepest * 1.02


def test_a_note_ends_with_its_sample(instrument: Instrument) -> None:
    samples, sounded = play(instrument, (0.2, 2.9, 69, 100), (0.2, 2.9, 75, 100))
    ends_s = dict(zip(sounded[:, 2], sounded[:, 1], strict=True))
    assert ends_s[69] == pytest.approx(0.2 + LENGTH_S, abs=0.002)
    # six semitones up, so shorter
    assert ends_s[75] == pytest.approx(0.2 + LENGTH_S / 2**0.5, abs=0.002)
    assert np.abs(samples[round((0.2 + LENGTH_S + 0.01) * RATE_HZ) :]).max() == 0.0


def test_notes_out_of_reach_are_dropped(instrument: Instrument) -> None:
    samples, sounded = play(instrument, (0.2, 0.7, 100, 100), (0.4, 0.7, 40, 100))
    assert len(sounded) == 0
    assert not samples.any()


def test_what_lies_outside_is_cut(instrument: Instrument) -> None:
    samples, sounded = play(
        instrument, (-0.3, 0.4, 69, 100), (0.9, 2.0, 57, 100), (1.2, 2, 57, 100), length_s=1.0
    )
    assert len(samples) == RATE_HZ
    assert np.abs(samples[: RATE_HZ // 4]).max() > 0.1
    assert sounded[:, 0].tolist() == [-0.3, 0.9]


def test_louder_notes_are_louder(instrument: Instrument) -> None:
    peaks = [np.abs(play(instrument, (0, 1, 69, velocity))[0]).max() for velocity in (30, 70, 120)]
    assert peaks == sorted(peaks)
    assert peaks[2] > 1.5 * peaks[0]


def test_softer_notes_of_a_single_layer_are_duller(tmp_path: Path) -> None:
    rich = tone(57) + tone(57 + 12 * np.log2(10.0))
    instrument = build(tmp_path, [(57.0, 0, rich)])

    def brightness(velocity: float) -> float:
        spectrum = np.abs(np.fft.rfft(play(instrument, (0, 1, 57, velocity))[0][: RATE_HZ // 2]))
        return float(spectrum[1100] / spectrum[110])

    assert brightness(30) < 0.6 * brightness(110)


def test_the_velocity_chooses_the_layer(tmp_path: Path) -> None:
    instrument = build(tmp_path, [(69.0, 0, tone(69)), (69.0, 1, tone(81))])
    for velocity, pitch in ((63, 69), (64, 81)):
        samples, _ = play(instrument, (0.0, 1.0, 69, velocity))
        assert measure_pitch(samples[2000:20000]) == pytest.approx(pitch, abs=0.05)


def test_top_strings_of_a_piano_ring_on(tmp_path: Path) -> None:
    instrument = build(tmp_path, [(88.0, 0, tone(88)), (95.0, 0, tone(95))], PIANO)
    after = slice(round(0.6 * RATE_HZ), round(1.0 * RATE_HZ))
    assert np.abs(play(instrument, (0.0, 0.3, 88, 100))[0][after]).max() == 0.0
    assert np.abs(play(instrument, (0.0, 0.3, 95, 100))[0][after]).max() > 0.1


def test_the_same_seed_makes_the_same_sound(tmp_path: Path) -> None:
    """The result does not depend on what was played before."""
    random = np.random.default_rng(3)
    onsets = np.sort(random.uniform(0, 4, 40))
    notes = np.stack(
        [onsets, onsets + random.uniform(0.05, 2, 40), random.integers(52, 86, 40), 60 + onsets], 1
    )
    sounds = [(57.0, 0, tone(57)), (69.0, 0, tone(69)), (81.0, 0, tone(81))]
    first, second = build(tmp_path / "a", sounds), build(tmp_path / "b", sounds)
    later = notes + np.array([0, 0.3, 0, 0])
    second.play(later, 5.0, np.random.default_rng(9))
    samples, sounded = first.play(notes, 5.0, np.random.default_rng(7))
    assert len(sounded) == 40
    np.testing.assert_array_equal(samples, first.play(notes, 5.0, np.random.default_rng(7))[0])
    np.testing.assert_array_equal(samples, second.play(notes, 5.0, np.random.default_rng(7))[0])


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model_zoo.training.sound import sampler

    monkeypatch.setattr(sampler, "CACHE_SAMPLES", 50_000)
    instrument = build(tmp_path, [(69.0, 0, tone(69))])
    for pitch in range(64, 75):
        play(instrument, (0.0, 1.0, pitch, 100))
    assert instrument._cached_samples == sum(map(len, instrument._cache.values())) <= 50_000


def test_banks_that_were_fetched_play_in_tune() -> None:
    bank = next(bank for bank in BANKS if bank.name == "guitar-electric")
    if not (SOUNDS / f"{bank.name}.json").exists():
        pytest.skip("needs python -m model_zoo.training.sound fetch")
    samples, sounded = play(load_instrument(bank), (0.5, 1.5, 70, 100))
    assert len(sounded) == 1
    assert abs(find_onset(samples) / RATE_HZ - 0.5) < 0.002
    assert abs(measure_pitch(samples[round(0.7 * RATE_HZ) : round(1.4 * RATE_HZ)]) - 70) < 0.1


def test_a_missing_bank_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_instrument(BANKS[0], tmp_path)
