"""Drum kits: names to keys, hits to sound and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from model_zoo.training.sound import kits, samples
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.kits import (
    CHOKE_S,
    Kit,
    draw_kit,
    keep_kits,
    key_of,
    load_kit,
    read_hydrogen,
)
from model_zoo.training.sound.samples import LEAD_S, Recording, find_onset

RING_S = 2.0


def stroke(frequency_hz: float, level: float = 0.5) -> NDArray[np.float32]:
    """A tone that begins after the lead and decays by 40 dB in two seconds."""
    time_s = np.arange(round(RING_S * RATE_HZ)) / RATE_HZ
    tone = level * np.cos(2 * np.pi * frequency_hz * time_s) * 10 ** (-time_s)
    return np.concatenate([np.zeros(round(LEAD_S * RATE_HZ)), tone]).astype(np.float32)


def build(tmp_path: Path, *recordings: Recording) -> Kit:
    samples.write(tmp_path, "kit", recordings)
    return load_kit("kit", tmp_path)


def play(
    kit: Kit, *hits: tuple[float, float, float], length_s: float = 3.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rows = np.array([(onset_s, onset_s + 0.1, key, velocity) for onset_s, key, velocity in hits])
    return kit.play(rows.reshape(-1, 4), length_s, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Kick Lite 1", 36),
        ("c3 - bass drum 1", 36),
        ("Snare Rimshot (Pearl Free Floating Maple 14x3.5)", 40),
        ("Rim Click (Pearl Free Floating Maple 14x3.5)", 37),
        ("Stick", 37),
        ('Hi-Hat Closed (Paiste Alpha Metal edge 14")', 42),
        ("Pedal HH", 44),
        ("Pedal Hat", 44),
        ("Hi Hat Opened", 46),
        ("Hat Semi-Open", 46),
        ("VariBreaks Hat 1 Cl", 42),
        ("Pearl Tom Floor", 41),
        ("Tom 1", 48),
        ("Ride Bell", 53),
        ("Cowbell", 56),
        ('Crash/Ride Bow (Paiste Rude Crash/Ride 18")', 59),
        ("ride-crash20inch", 51),
        ("crash20inch--2", 57),
        ("Snare Roll", None),
        ("Zildjian Splash Choke", None),
        ("Hat Low", None),
        ("Zap 1", None),
        ("", None),
    ],
)
def test_names_are_mapped_to_keys(name: str, key: int | None) -> None:
    assert key_of(name) == key


def test_hits_sound_on_time(tmp_path: Path) -> None:
    kit = build(tmp_path, Recording(36, 127, stroke(60)))
    for onset_s in (0.0, 0.7, 1.23):
        samples_, sounded = play(kit, (onset_s, 36, 100))
        assert abs(find_onset(samples_) / RATE_HZ - onset_s) < 0.002
        assert sounded[0].tolist() == pytest.approx([onset_s, onset_s + RING_S, 36, 100], abs=0.001)


def test_a_missing_key_is_played_and_labelled_as_the_nearest_of_its_kind(tmp_path: Path) -> None:
    kit = build(
        tmp_path,
        *(Recording(key, 127, stroke(100 + key)) for key in (38, 41, 48, 49)),
    )
    _, sounded = play(kit, (0, 40, 90), (0.1, 43, 90), (0.2, 50, 90), (0.3, 57, 90), (0.4, 42, 90))
    assert sounded[:, 2].tolist() == [38, 41, 48, 49]  # nothing replaces the hi-hat
    assert kit.keys == {38, 41, 48, 49}


@pytest.mark.parametrize("closing", [42, 44, 46])
def test_a_hi_hats_stroke_stops_the_open_hi_hat(tmp_path: Path, closing: int) -> None:
    kit = build(tmp_path, *(Recording(key, 127, stroke(50 * key)) for key in (42, 44, 46, 51)))
    alone, _ = play(kit, (0.2, 46, 100), (0.2, 51, 100), length_s=3)
    both, sounded = play(kit, (0.2, 46, 100), (0.2, 51, 100), (0.7, closing, 100), length_s=3)
    only, _ = play(kit, (0.2, 51, 100), (0.7, closing, 100), length_s=3)
    closed = round((0.7 + CHOKE_S) * RATE_HZ)
    np.testing.assert_array_equal(both[: round(0.69 * RATE_HZ)], alone[: round(0.69 * RATE_HZ)])
    np.testing.assert_allclose(both[closed:], only[closed:], atol=1e-6)
    ends_s = dict(zip(sounded[:, 2], sounded[:, 1], strict=True))
    assert ends_s[51] == pytest.approx(0.2 + RING_S, abs=0.002)
    if closing != 46:
        assert ends_s[46] == pytest.approx(0.7 + CHOKE_S, abs=0.002)


def test_the_velocity_chooses_the_layer_and_the_level(tmp_path: Path) -> None:
    kit = build(
        tmp_path, Recording(38, 60, stroke(200, level=0.1)), Recording(38, 127, stroke(400))
    )

    def strongest_hz(velocity: float) -> int:
        spectrum = np.abs(np.fft.rfft(play(kit, (0.0, 38, velocity))[0][:RATE_HZ]))
        return int(spectrum.argmax())

    assert [strongest_hz(velocity) for velocity in (20, 60, 61, 127)] == [200, 200, 400, 400]
    peaks = [np.abs(play(kit, (0.0, 38, velocity))[0]).max() for velocity in (20, 60, 90, 127)]
    assert peaks == sorted(peaks)


def test_a_performance_keeps_to_one_variant(tmp_path: Path) -> None:
    kit = build(tmp_path, *(Recording(38, 127, stroke(200 * (n + 1)), n) for n in range(4)))
    heard = set()
    for seed in range(20):
        samples_, _ = play(kit, (0.0, 38, 100), (2.5, 38, 100), length_s=5, seed=seed)
        first, second = (samples_[start : start + RATE_HZ] for start in (0, round(2.5 * RATE_HZ)))
        np.testing.assert_allclose(first, second, atol=1e-6)
        heard.add(int(np.abs(np.fft.rfft(first)).argmax()))
    assert heard == {200, 400, 600, 800}


def test_the_same_seed_makes_the_same_sound(tmp_path: Path) -> None:
    kit = build(tmp_path, *(Recording(38, 127, stroke(200 * (n + 1)), n) for n in range(4)))
    first, second = (play(kit, (0.0, 38, 100), seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, play(kit, (0.0, 38, 100), seed=4)[0])


def write_kit(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "drumkit.xml").write_text(text)
    for name, level in (("soft.wav", 0.1), ("loud.wav", 0.8), ("empty.wav", 0.0)):
        soundfile.write(folder / name, stroke(200, level), RATE_HZ, "FLOAT")


LAYERED = """<?xml version="1.0"?>
<drumkit_info xmlns="http://www.hydrogen-music.org/drumkit"><instrumentList>
<instrument><name>Snare</name><volume>0.5</volume><gain>1</gain>
<layer><filename>soft.wav</filename><min>0</min><max>0.5</max><gain>2</gain><pitch>0</pitch></layer>
<layer><filename>loud.wav</filename><min>0.5</min><max>1</max><gain>1</gain><pitch>12</pitch></layer>
</instrument>
<instrument><name>Zap</name><layer><filename>loud.wav</filename></layer></instrument>
<instrument><name>Snare 2</name><layer><filename>gone.wav</filename></layer></instrument>
</instrumentList></drumkit_info>"""
OLD = """<drumkit_info><instrumentList>
<instrument><name>Kick</name><filename>loud.wav</filename><volume>0.25</volume></instrument>
<instrument><name>Clap</name><filename>empty.wav</filename><volume>0.9</volume></instrument>
</instrumentList></drumkit_info>"""


def test_hydrogens_layers_are_read(tmp_path: Path) -> None:
    """Level and pitch are applied; instruments without a key or a file are skipped."""
    write_kit(tmp_path / "kit", LAYERED)
    soft, loud = read_hydrogen(tmp_path / "kit")
    assert (soft.pitch, soft.velocity, loud.pitch, loud.velocity) == (38, 64, 38, 127)
    assert np.abs(soft.samples).max() == pytest.approx(0.1 * 0.5 * 2, rel=0.02)
    assert np.abs(loud.samples).max() == pytest.approx(0.8 * 0.5, rel=0.1)
    spectrum = np.abs(np.fft.rfft(loud.samples, RATE_HZ))
    assert int(spectrum.argmax()) == pytest.approx(400, abs=1)


def test_kits_that_are_installed_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Includes kits in the older format; silent sounds are skipped."""
    monkeypatch.setattr(kits, "HYDROGEN", tmp_path / "hydrogen")
    monkeypatch.setattr(kits, "SOUNDFONTS", tmp_path / "soundfonts")
    with pytest.raises(FileNotFoundError, match="install"):
        draw_kit(np.random.default_rng(0), tmp_path / "kept")
    write_kit(tmp_path / "hydrogen" / "Audiophob", OLD)
    said: list[str] = []
    keep_kits(tmp_path / "kept", said.append)
    keep_kits(tmp_path / "kept", said.append)
    assert said == ["Audiophob: 1 strokes"]
    assert draw_kit(np.random.default_rng(0), tmp_path / "kept") == "Audiophob"
    assert load_kit("Audiophob", tmp_path / "kept").keys == {36}


def test_the_soundfonts_play_their_keys() -> None:
    path = kits.SOUNDFONTS / "Red_Zeppelin_4_LV2.sf2"
    if not path.exists():
        pytest.skip("needs Debian's avldrums.lv2-soundfont")
    pytest.importorskip("mido")
    recordings = list(kits.read_soundfont(path))
    assert {recording.pitch for recording in recordings} >= {36, 38, 42, 46, 49, 51, 70}
    for recording in recordings:
        assert np.abs(recording.samples).max() > samples.SILENT
    kick, hat = (
        next(stroke for stroke in recordings if (stroke.pitch, stroke.velocity) == (key, 102))
        for key in (36, 42)
    )

    def centroid_hz(sound: NDArray[np.float32]) -> float:
        power = np.abs(np.fft.rfft(sound, RATE_HZ)) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert centroid_hz(kick.samples) < 500 < 2000 < centroid_hz(hat.samples)
