"""The shipped samples are what their script makes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.waveform import Samples
from inference_service.progress import ignore

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_small_and_can_be_heard() -> None:
    files = sorted(SAMPLES.glob("*.ogg"))
    assert [f.name for f in files] == ["piano.ogg", "song.ogg", "voice.ogg"]
    assert sum(f.stat().st_size for f in files) < 450_000
    for file in files:
        waveform = decode(file.read_bytes(), AudioLimits(), ignore)
        assert 10 < waveform.duration_s < 25
        assert 0.3 < np.abs(waveform.mono()).max() <= 1.0


@pytest.mark.parametrize("name", ["voice", "piano", "song"])
def test_the_script_makes_them_again(name: str) -> None:
    make = load()
    made = {
        "voice": lambda: make.sing(make.ODE, make.ODE_BPM),
        "piano": lambda: make.play([make.MINUET_RIGHT, make.MINUET_LEFT], make.MINUET_BPM),
        "song": make.sing_with_band,
    }[name]()
    shipped = decode((SAMPLES / f"{name}.ogg").read_bytes(), AudioLimits(), ignore)
    actual = loudness(shipped.mono(), shipped.sample_rate_hz)
    expected = loudness(made, make.RATE_HZ)
    assert abs(len(actual) - len(expected)) <= 1
    length = min(len(actual), len(expected))
    assert np.corrcoef(actual[:length], expected[:length])[0, 1] > 0.99


def loudness(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    """Return the root mean square of each 50 ms."""
    frame = rate_hz // 20
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    energies: NDArray[np.float64] = (frames.astype(np.float64) ** 2).mean(axis=1)
    return np.sqrt(energies)
