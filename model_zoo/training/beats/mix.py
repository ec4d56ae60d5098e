"""Renders an arrangement: a synthesiser's instruments, a kit of recorded strokes, a singer."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.audio.waveform import Samples
from model_zoo.training.beats.arrange import Arrangement, encode_drums
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.kits import draw_kit, load_kit
from model_zoo.training.sound.singing import sing
from model_zoo.training.sound.soundfonts import draw_soundfont, synthesise
from model_zoo.training.sound.speech import BANK
from model_zoo.training.sources.piece import OFFSET, ONSET, PITCH, Line

KIT_SHARE: Final = 0.75
"""Probability that recorded strokes play the drums, rather than a soundfont."""

LEVEL: Final = 0.1
DRUMS_DB: Final = (-7.0, 7.0)
VOCALS_DB: Final = (-5.0, 6.0)
"""Level against the other instruments together."""


def render(arrangement: Arrangement, random: Generator) -> Samples:
    """Return the sound of an arrangement: np.ndarray, shape (N,), float32, mono, at RATE_HZ.

    Raises
    ------
    ValueError
        If it is silent.
    """
    end_s = float(arrangement.piece.beats_s[-1]) + 2.0
    reverb, chorus = bool(random.random() < 0.5), bool(random.random() < 0.3)
    soundfont = draw_soundfont(random)
    others = synthesise(arrangement.midi, soundfont, reverb=reverb, chorus=chorus)
    layers = [(others, 0.0)]
    if arrangement.drums is not None:
        layers.append((_drum(arrangement.drums, end_s, random), float(random.uniform(*DRUMS_DB))))
    if arrangement.vocals is not None:
        layers.append((_sing(arrangement.vocals, random), float(random.uniform(*VOCALS_DB))))
    mixed = np.zeros(round(end_s * RATE_HZ), np.float32)
    for samples, gain_db in layers:
        layer = samples[: len(mixed)]
        level = float(np.sqrt(np.mean(np.square(layer)))) if len(layer) else 0.0
        if level > 1e-4:
            mixed[: len(layer)] += layer * np.float32(LEVEL * 10 ** (gain_db / 20) / level)
    if np.abs(mixed).max(initial=0.0) < 1e-3:
        raise ValueError(f"{arrangement.piece.name}: silent")
    return mixed


def _drum(line: Line, end_s: float, random: Generator) -> Samples:
    try:
        kit = draw_kit(random) if random.random() < KIT_SHARE else None
    except FileNotFoundError:
        kit = None
    if kit is not None:
        return load_kit(kit).play(line.notes, end_s, random)[0]
    return synthesise(
        encode_drums(line, random), draw_soundfont(random), reverb=False, chorus=False
    )


def _sing(line: Line, random: Generator) -> Samples:
    """Return the line sung, or silence where singers are not installed."""
    notes = one_voice(line.notes)
    return sing(notes, random)[0] if _can_sing() else np.zeros(0, np.float32)


@cache
def _can_sing() -> bool:
    return BANK.exists() and find_spec("pyworld") is not None


def one_voice(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest of the notes that begin together, each cut off by the next one."""
    line = notes[np.lexsort((-notes[:, PITCH], np.round(notes[:, ONSET], 2)))]
    line = line[np.diff(np.round(line[:, ONSET], 2), prepend=-1.0) > 0.04]
    line = line[np.argsort(line[:, ONSET], kind="stable")]
    line[:-1, OFFSET] = np.minimum(line[:-1, OFFSET], line[1:, ONSET])
    return line[line[:, OFFSET] - line[:, ONSET] > 0.04]
