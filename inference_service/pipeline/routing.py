"""The choice of a preset for a recording, by the kinds that its excerpts are heard as.

Up to three excerpts, the loudest of each third of the recording, are rated by a listener. The mean
of their log probabilities decides. ``docs/routing.md`` has the confusion table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import NothingHeard
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import Tagger
from inference_service.progress import Report, ignore

EXCERPT_S: Final = 8.0
EXCERPTS: Final = 3
STEP_S: Final = 0.5

NOTHING: Final = "nothing"
SURE_OF_NOTHING: Final = 0.9
"""Least probability of speech or noise for a recording to be refused."""

PRESETS: Final[Mapping[str, Preset]] = {
    "voice": Preset.VOICE,
    "solo": Preset.SOLO,
    "guitar": Preset.GUITAR,
    "piano": Preset.PIANO,
    "ensemble": Preset.ENSEMBLE,
    "song": Preset.SONG,
    "drums": Preset.ENSEMBLE,
}
"""The preset for each kind of recording."""


class Listener(Tagger, Protocol):
    """Tells what an excerpt is, as ``tagger.notes.kinds.KindListener`` does."""

    def rate(self, excerpt: Waveform) -> Mapping[str, float]:
        """Return the log probability of each kind: of ``PRESETS``, and of ``NOTHING``."""
        ...


class PresetRouter:
    """Chooses the preset from the audio.

    Parameters
    ----------
    listener : Listener
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    @property
    def taggers(self) -> Mapping[str, Tagger]:
        """The listener."""
        return {"listener": self._listener}

    def classify(self, waveform: Waveform, report: Report = ignore) -> dict[Preset, float]:
        """Return the probability of each preset.

        Raises
        ------
        NothingHeard
            If it is surely speech or noise.
        """
        kinds = self.rate(waveform, report)
        nothing = kinds.pop(NOTHING, 0.0)
        if nothing >= SURE_OF_NOTHING:
            raise NothingHeard("the recording sounds like speech or noise")
        total = sum(kinds.values())
        presets = dict.fromkeys(PRESETS.values(), 0.0)
        for kind, probability in kinds.items():
            presets[PRESETS[kind]] += probability / total
        return presets

    def rate(self, waveform: Waveform, report: Report = ignore) -> dict[str, float]:
        """Return the probability of each kind."""
        excerpts = choose_excerpts(waveform)
        rated = []
        for number, excerpt in enumerate(excerpts):
            report(number / len(excerpts))
            rated.append(self._listener.rate(excerpt))
        mean = {kind: sum(one[kind] for one in rated) / len(rated) for kind in rated[0]}
        odds = {kind: float(np.exp(score)) for kind, score in mean.items()}
        return {kind: share / sum(odds.values()) for kind, share in odds.items()}


def choose_excerpts(waveform: Waveform) -> list[Waveform]:
    """Return the loudest :data:`EXCERPT_S` of each third; of a short recording, fewer excerpts."""
    mono = waveform.mono()
    rate_hz = waveform.sample_rate_hz
    length = round(EXCERPT_S * rate_hz)
    count = min(EXCERPTS, len(mono) // length)
    if count <= 1:
        return [_loudest(mono, length, rate_hz)]
    return [_loudest(third, length, rate_hz) for third in np.array_split(mono, count)]


def _loudest(mono: Samples, length: int, rate_hz: int) -> Waveform:
    step = round(STEP_S * rate_hz)
    starts = range(0, max(1, len(mono) - length + 1), step)
    energy = np.concatenate([[0.0], np.cumsum(np.square(mono, dtype=np.float64))])
    start = max(starts, key=lambda s: energy[min(s + length, len(mono))] - energy[s])
    return Waveform(mono[np.newaxis, start : start + length], rate_hz)
