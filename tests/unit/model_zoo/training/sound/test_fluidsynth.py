"""FluidSynth renders notes at their onsets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from model_zoo.training.sound.fluidsynth import RATE_HZ, synthesise
from model_zoo.training.sound.samples import find_onset
from tests.unit.model_zoo.training.sound.xylophone import ONSETS_MS, encode_xylophone

FLUID_R3 = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_notes_begin_on_time(rate_hz: int) -> None:
    """The tolerance is half a block of FluidSynth plus the attack of the sample."""
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
