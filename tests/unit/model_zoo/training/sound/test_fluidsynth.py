"""Rendered notes begin where they shall."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from model_zoo.training.sound.fluidsynth import RATE_HZ, synthesise
from model_zoo.training.sound.samples import find_onset

FLUID_R3 = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
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


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_notes_begin_on_time(rate_hz: int) -> None:
    """Within half a block of FluidSynth's and the sample's own attack."""
    if shutil.which("fluidsynth") is None:
        pytest.skip("needs FluidSynth")
    if not FLUID_R3.exists():
        pytest.skip("needs Debian's fluid-soundfont-gm")
    sound = synthesise(encode_xylophone(), FLUID_R3, reverb=False, chorus=False, rate_hz=rate_hz)
    assert sound.dtype == np.float32
    late_ms = []
    for onset_ms in ONSETS_MS:
        start = round((onset_ms - 100) / 1000 * rate_hz)
        onset = find_onset(sound[start : start + rate_hz // 2], rate_hz)
        late_ms.append(onset / rate_hz * 1000 - 100)
    assert np.abs(late_ms).max() < 2.5
