"""Which soundfonts are drawn, and where rendered notes begin."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from model_zoo.training.sound import fluidsynth
from model_zoo.training.sound.fluidsynth import (
    HELD_BACK_SOUNDFONT,
    RATE_HZ,
    SOUNDFONTS,
    draw_soundfont,
    synthesise,
)
from model_zoo.training.sound.samples import find_onset

ONSETS_MS = range(500, 8000, 733)


def encode_xylophone() -> bytes:
    """A short note of the xylophone every 733 ms."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    track.append(mido.Message("program_change", program=13))
    before = 0
    for onset_ms in ONSETS_MS:
        track.append(mido.Message("note_on", note=84, velocity=100, time=onset_ms - before))
        track.append(mido.Message("note_off", note=84, time=100))
        before = onset_ms + 100
    target = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=1000, tracks=[track]).save(file=target)
    return target.getvalue()


def _find(name: str) -> list[Path]:
    return [
        path for paths, _ in SOUNDFONTS for path in paths if path.stem == name and path.exists()
    ]


def test_what_is_not_installed_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the files that a soundfont may be, the first that is there is taken."""
    first, second, missing = tmp_path / "a.sf2", tmp_path / "b.sf2", tmp_path / "c.sf2"
    choices = (((missing, first), 0.7), ((missing,), 0.2), ((second, first), 0.1))
    monkeypatch.setattr(fluidsynth, "SOUNDFONTS", choices)
    random = np.random.default_rng(0)
    with pytest.raises(FileNotFoundError, match="no soundfont"):
        draw_soundfont(random)
    first.touch()
    second.touch()
    drawn = [draw_soundfont(random) for _ in range(400)]
    assert set(drawn) == {first, second}
    assert 0.08 < np.mean([path == second for path in drawn]) < 0.18  # 0.1 / 0.8


def test_the_held_back_soundfont_is_never_trained_with() -> None:
    assert all(HELD_BACK_SOUNDFONT not in paths for paths, _ in SOUNDFONTS)
    assert sum(weight for _, weight in SOUNDFONTS) == pytest.approx(1.0)


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_notes_begin_on_time(rate_hz: int) -> None:
    """Within half a block of FluidSynth's and the sample's own attack."""
    if shutil.which("fluidsynth") is None:
        pytest.skip("needs FluidSynth")
    quick = [path for name in ("FluidR3_GM", "TimGM6mb") for path in _find(name)]
    if not quick:
        pytest.skip("needs Debian's fluid-soundfont-gm or timgm6mb-soundfont")
    soundfont = quick[0]
    sound = synthesise(encode_xylophone(), soundfont, reverb=False, chorus=False, rate_hz=rate_hz)
    assert sound.dtype == np.float32
    late_ms = []
    for onset_ms in ONSETS_MS:
        start = round((onset_ms - 100) / 1000 * rate_hz)
        onset = find_onset(sound[start : start + rate_hz // 2], rate_hz)
        late_ms.append(onset / rate_hz * 1000 - 100)
    assert np.abs(late_ms).max() < 2.5
