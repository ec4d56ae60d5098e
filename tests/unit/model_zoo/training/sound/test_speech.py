"""Analysis of spoken syllables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("pyworld", reason="pyworld comes with the extra 'training'")

from model_zoo.training.sound.speech import (
    BANDS,
    FRAME_S,
    RATE_HZ,
    Bank,
    analyse,
    band_frequencies_hz,
    build_bank,
    list_speakers,
    load_bank,
    save_bank,
)


def _hiss(duration_s: float) -> NDArray[np.float64]:
    noise = np.random.default_rng(0).standard_normal(round(duration_s * RATE_HZ))
    return 0.02 * np.diff(noise, prepend=0.0)


def _vowel(duration_s: float, f0_hz: float = 150.0) -> NDArray[np.float64]:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    partials = np.arange(1, 30)
    weights = np.exp(-0.5 * ((partials * f0_hz - 700) / 400) ** 2) + 0.02
    tone = weights @ np.sin(2 * np.pi * f0_hz * partials[:, None] * time_s)
    return 0.1 * tone


def test_a_consonant_ends_where_the_vowel_begins() -> None:
    silence = 1e-5 * np.random.default_rng(1).standard_normal(RATE_HZ // 10)
    sound = np.concatenate([silence, _hiss(0.1), _vowel(0.3), silence])
    parts = analyse(sound)
    assert parts is not None
    syllable, f0_hz = parts
    assert f0_hz == pytest.approx(150.0, rel=0.01)
    assert syllable.vowel * FRAME_S == pytest.approx(0.1, abs=0.02)
    assert (syllable.coda - syllable.vowel) * FRAME_S == pytest.approx(0.3, abs=0.03)
    assert not syllable.voiced[: syllable.vowel - 4].any()


def test_hiss_is_no_syllable() -> None:
    assert analyse(_hiss(0.4)) is None


def test_vowels_are_level(bank: Bank) -> None:
    widths = np.gradient(band_frequencies_hz())
    for speaker in bank:
        for syllable in speaker.syllables:
            power = np.exp(syllable.envelope.astype(float)) @ widths
            level_db = 10 * np.log10(power[syllable.vowel : syllable.coda])
            assert level_db.std() < 1.0
            assert syllable.voiced[syllable.vowel : syllable.coda].all()


def test_a_bank_is_the_same_each_time(bank: Bank) -> None:
    (again,) = build_bank([bank[0].name])
    assert again.f0_hz == bank[0].f0_hz
    for one, other in zip(again.syllables, bank[0].syllables, strict=True):
        np.testing.assert_array_equal(one.envelope, other.envelope)


def test_a_bank_survives_its_file(bank: Bank, tmp_path: Path) -> None:
    save_bank(bank, tmp_path / "deep" / "bank.npz")
    loaded = load_bank(tmp_path / "deep" / "bank.npz")
    assert [speaker.name for speaker in loaded] == [speaker.name for speaker in bank]
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "bank.npz"]
    for one, other in zip(loaded, bank, strict=True):
        assert one.f0_hz == other.f0_hz
        for read, written in zip(one.syllables, other.syllables, strict=True):
            assert read.envelope.shape == (len(written.voiced), BANDS)
            np.testing.assert_array_equal(read.envelope, written.envelope)
            np.testing.assert_array_equal(read.aperiodicity_db, written.aperiodicity_db)
            np.testing.assert_array_equal(read.voiced, written.voiced)
            assert (read.vowel, read.coda) == (written.vowel, written.coda)


def test_speakers_have_names_of_their_own() -> None:
    names = list_speakers()
    assert len(set(names)) == len(names) > 50
    assert {name.split(":")[0] for name in names} == {"espeak-ng", "flite"}
