"""Soundfonts: drawing them by program, and choosing the synthesiser."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from model_zoo.training.sound import soundfonts, timidity
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.samples import find_onset
from model_zoo.training.sound.soundfonts import (
    HELD_BACK_SOUNDFONT,
    SONIVOX,
    SOUNDFONTS,
    draw_soundfont,
    fetch,
    synthesise,
)
from tests.unit.model_zoo.training.sound.xylophone import ONSETS_MS, encode_xylophone

FREEPATS = Path("/etc/timidity/freepats.cfg")
CONFIG = """# patches
dir /usr/share/midi/freepats
drumset 0
 35\tDrum_000/035_Kick_1.pat amp=100
bank 0
 0\tTone_000/000_Piano.pat amp=120 pan=center
 73\tTone_000/073_Flute.pat
# 74\tTone_000/074_Recorder.pat
bank 8
 16\tTone_008/016_Organ.pat
"""


def test_missing_soundfonts_are_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first existing file of a soundfont is used."""
    first, second, missing = tmp_path / "a.sf2", tmp_path / "b.sf2", tmp_path / "c.sf2"
    choices = (((missing, first), 0.7), ((missing,), 0.2), ((second, first), 0.1))
    monkeypatch.setattr(soundfonts, "SOUNDFONTS", choices)
    random = np.random.default_rng(0)
    with pytest.raises(FileNotFoundError, match="no soundfont"):
        draw_soundfont(random)
    first.touch()
    second.touch()
    drawn = [draw_soundfont(random) for _ in range(400)]
    assert set(drawn) == {first, second}
    assert 0.08 < np.mean([path == second for path in drawn]) < 0.18  # 0.1 / 0.8


def test_patches_are_drawn_for_the_programs_that_they_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, patches = tmp_path / "whole.sf2", tmp_path / "patches.cfg"
    whole.touch()
    patches.write_text(CONFIG)
    monkeypatch.setattr(soundfonts, "SOUNDFONTS", (((whole,), 0.5), ((patches,), 0.5)))
    assert timidity.read_programs(patches) == {0, 73}
    for programs, expected in (
        ([73], {whole, patches}),
        ([0, 73], {whole, patches}),
        ([0, 74], {whole}),
        (None, {whole}),
    ):
        random = np.random.default_rng(0)
        assert {draw_soundfont(random, programs) for _ in range(40)} == expected


def test_the_held_back_soundfont_is_never_trained_with() -> None:
    assert all(HELD_BACK_SOUNDFONT not in paths for paths, _ in SOUNDFONTS)
    assert sum(weight for _, weight in SOUNDFONTS) == pytest.approx(1.0)


def test_a_soundfont_is_unpacked_from_its_package_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(_: list[str], *, cwd: Path, **__: object) -> object:
        with tarfile.open(cwd / "p.tgz", "w:gz") as archive:
            for name in (f"package/dist/{SONIVOX}", "package/dist/other.sf2"):
                info = tarfile.TarInfo(name)
                info.size = 4
                archive.addfile(info, io.BytesIO(b"RIFF"))
        return type("Ran", (), {"stdout": "p.tgz\n"})

    monkeypatch.setattr("model_zoo.training.sound.npm.subprocess.run", pack)
    said: list[str] = []
    for _ in range(2):
        fetch(tmp_path / "sounds", said.append)
    assert len(said) == 1
    assert [path.name for path in (tmp_path / "sounds").iterdir()] == [SONIVOX]


@pytest.mark.skipif(
    shutil.which("timidity") is None or not FREEPATS.exists(),
    reason="needs Debian's timidity and freepats",
)
def test_patches_sound_on_time() -> None:
    sound = synthesise(encode_xylophone(), FREEPATS, reverb=False, chorus=False)
    assert sound.dtype == np.float32
    for onset_ms in ONSETS_MS:
        start = round((onset_ms - 100) / 1000 * RATE_HZ)
        onset_s = find_onset(sound[start : start + RATE_HZ // 2]) / RATE_HZ - 0.1
        assert abs(onset_s) < 0.008
