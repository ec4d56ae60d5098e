"""Sample banks: file names, onsets and tails of recordings, storage."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from model_zoo.training.sound.__main__ import main
from model_zoo.training.sound.banks import BANKS, Bank, fetch, parse_name
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.kits import KITS
from model_zoo.training.sound.samples import (
    LEAD_S,
    Recording,
    find_onset,
    load_sound,
    read,
    trim,
    write,
)
from model_zoo.training.sound.soundfonts import SONIVOX


def decaying_tone(*, silence_s: float, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """A tone of 440 Hz that decays by 60 dB in a second, between silences."""
    time_s = np.arange(rate_hz * 2) / rate_hz
    tone = 0.5 * np.sin(2 * np.pi * 440 * time_s) * 10 ** (-3 * time_s)
    return np.concatenate([np.zeros(round(silence_s * rate_hz)), tone]).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("C4.mp3", (60, 0)),
        ("As2.mp3", (46, 0)),
        ("D#1v8.ogg", (27, 7)),
        ("A0v16.ogg", (21, 15)),
        ("index.js", None),
        ("H4.mp3", None),
    ],
)
def test_files_are_named_by_pitch_and_layer(name: str, parsed: tuple[int, int] | None) -> None:
    assert parse_name(name) == parsed


@pytest.mark.parametrize("silence_s", [0.0, 0.0137, 0.4])
def test_the_onset_is_found_within_two_milliseconds(silence_s: float) -> None:
    noise = np.random.default_rng(0).standard_normal(RATE_HZ * 3) * 1e-4
    tone = decaying_tone(silence_s=silence_s)
    onset = find_onset(tone + noise[: len(tone)].astype(np.float32))
    assert abs(onset / RATE_HZ - silence_s) < 0.002


def test_silence_before_and_after_is_cut() -> None:
    note = trim(decaying_tone(silence_s=0.3))
    assert abs(find_onset(note) / RATE_HZ - LEAD_S) < 0.002
    assert len(note) / RATE_HZ == pytest.approx(1.1, abs=0.03)  # -66 dB
    assert note[0] == 0.0
    assert note[-1] == 0.0


def test_silence_has_no_note() -> None:
    assert len(trim(np.zeros(1000, np.float32))) == 0


def test_recordings_are_read_as_they_were_kept(tmp_path: Path) -> None:
    soft, loud = decaying_tone(silence_s=0) * np.float32(0.01), decaying_tone(silence_s=0)
    silent = Recording(70.0, 127, np.zeros(100, np.float32))
    kept = [Recording(69.0, 64, soft), silent, Recording(69.0, 127, loud, 1)]
    assert write(tmp_path, "x", kept) == 2
    samples, entries = read(tmp_path, "x")
    assert samples.dtype == np.int16
    for entry, sound in zip(entries, (soft, loud), strict=True):
        reread = samples[entry.start : entry.stop] * entry.peak / 32767
        assert np.abs(reread - sound).max() <= entry.peak / 32767
    assert [(entry.velocity, entry.variant) for entry in entries] == [(64, 0), (127, 1)]


def test_silence_alone_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing sounds"):
        write(tmp_path, "x", [Recording(60.0, 127, np.zeros(100, np.float32))])


def test_files_are_decoded_to_mono_and_repitched(tmp_path: Path) -> None:
    tone = decaying_tone(silence_s=0.0, rate_hz=44_100)
    soundfile.write(tmp_path / "x.wav", np.stack([tone, 0 * tone], 1), 44_100, "FLOAT")
    sound = load_sound(tmp_path / "x.wav", semitones=12.0)
    assert len(sound) == RATE_HZ
    spectrum = np.abs(np.fft.rfft(sound))
    assert int(spectrum.argmax()) == pytest.approx(880, abs=1)
    assert np.abs(sound).max() == pytest.approx(0.25, rel=0.05)


def test_banks_are_unpacked_from_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only recordings are taken, at any sample rate; existing banks are kept."""
    asked = []

    def pack(command: list[str], *, cwd: Path, **_: object) -> object:
        asked.append(command[-1])
        with tarfile.open(cwd / "p.tgz", "w:gz") as archive:
            for name in ("package/A4.wav", "package/../C5.wav", "package/index.js"):
                data = io.BytesIO()
                soundfile.write(
                    data,
                    decaying_tone(silence_s=0.1, rate_hz=44_100),
                    44_100,
                    "PCM_16",
                    format="WAV",
                )
                info = tarfile.TarInfo(name)
                info.size = len(data.getvalue())
                archive.addfile(info, io.BytesIO(data.getvalue()))
        return type("Ran", (), {"stdout": "p.tgz\n"})

    monkeypatch.setattr("model_zoo.training.sound.npm.subprocess.run", pack)
    said: list[str] = []
    bank = Bank("tones", (0,), ("tones@1.0.0",))
    fetch(tmp_path / "sounds", [bank], said.append)
    fetch(tmp_path / "sounds", [bank], said.append)
    assert asked == ["tones@1.0.0"]
    assert said == ["tones: 2 samples"]
    assert [entry.pitch for entry in read(tmp_path / "sounds", "tones")[1]] == [69.0, 72.0]
    assert sorted(path.name for path in (tmp_path / "sounds").iterdir()) == [
        "tones.json",
        "tones.npy",
    ]


def test_the_command_fetches_all_banks(tmp_path: Path) -> None:
    """All banks exist already, so nothing is downloaded."""
    for bank in BANKS:
        (tmp_path / f"{bank.name}.json").write_text(json.dumps([]))
    (tmp_path / SONIVOX).touch()
    (tmp_path / "kits").mkdir()
    for name, _ in KITS:
        (tmp_path / "kits" / f"{name}.json").write_text(json.dumps([]))
    main(["fetch", "--to", str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == len(BANKS) + 2


def test_layers_and_packages_of_every_bank_agree() -> None:
    for bank in BANKS:
        assert len(bank.packages) == len(bank.layer_tops)
        assert list(bank.layer_tops) == sorted(set(bank.layer_tops))
        assert bank.layer_tops[-1] == 127
