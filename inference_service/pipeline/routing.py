"""The choice of a preset for a recording, by the kinds that its excerpts are heard as.

Up to three excerpts, the loudest of each third of the recording, are rated by a listener. The mean
of their log probabilities decides, unless it may be a song. Then the excerpts are separated, and
the level of the vocals, and what the listener takes them for, tell whether a voice sings.
``docs/routing.md`` has the confusion table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import NothingHeard
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import Separator, Tagger
from inference_service.progress import Report, ignore, within

EXCERPT_S: Final = 8.0
EXCERPTS: Final = 3
STEP_S: Final = 0.5

SONG: Final = "song"
SUNG: Final = frozenset({"voice", SONG})
"""Kinds of recordings with a voice."""

NOTHING: Final = "nothing"
SURE_OF_NOTHING: Final = 0.9
"""Least probability of speech or noise for a recording to be refused."""

DOUBTFUL: Final = 0.03
"""Least probability of a song for the excerpts to be separated."""

RATED_SHARE: Final = 0.33
"""Share of the time that rating takes if the excerpts are separated, too."""

EVEN_DB: Final = -12.0
HALVING_DB: Final = 2.0
MOST_HALVINGS: Final = 8.0
"""The level of the vocals, relative to the mixture, below which a voice is less probable; by how
much less its odds are halved; and how often at most. A level above tells nothing: a separator
leaves nearly nothing of most bands, but much of a violin or a guitar."""

MOST_DOUBLINGS: Final = 4.0
"""How often, at most, the odds of a voice are doubled or halved by what the vocals are taken for.
These constants were set by hand (``model_zoo/experiments/020-vocals-of-songs.md``)."""

_SILENT: Final = 1e-12

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

    def classify(
        self, waveform: Waveform, separator: Separator, report: Report = ignore
    ) -> dict[Preset, float]:
        """Return the probability of each preset.

        Raises
        ------
        NothingHeard
            If it is surely speech or noise.
        """
        excerpts = choose_excerpts(waveform)
        kinds = self.rate(excerpts, within(report, 0.0, RATED_SHARE))
        if kinds[SONG] >= DOUBTFUL:
            kinds = weigh(kinds, self._look(excerpts, separator, within(report, RATED_SHARE, 1.0)))
        nothing = kinds.pop(NOTHING, 0.0)
        if nothing >= SURE_OF_NOTHING:
            raise NothingHeard("the recording sounds like speech or noise")
        total = sum(kinds.values())
        presets = dict.fromkeys(PRESETS.values(), 0.0)
        for kind, probability in kinds.items():
            presets[PRESETS[kind]] += probability / total
        return presets

    def _look(self, excerpts: Sequence[Waveform], separator: Separator, report: Report) -> float:
        """Return how many times the vocals double the odds of a voice, at most."""
        doublings = []
        for number, excerpt in enumerate(excerpts):
            own = within(report, number / len(excerpts), (number + 1) / len(excerpts))
            vocals, level_db = separate_vocals(excerpt, separator, own)
            doublings.append(count_doublings(level_db, self._listener.rate(vocals)))
        return max(doublings)

    def rate(self, excerpts: Sequence[Waveform], report: Report = ignore) -> dict[str, float]:
        """Return the probability of each kind, by what the listener hears."""
        rated = []
        for number, excerpt in enumerate(excerpts):
            report(number / len(excerpts))
            rated.append(self._listener.rate(excerpt))
        mean = {kind: sum(one[kind] for one in rated) / len(rated) for kind in rated[0]}
        odds = {kind: float(np.exp(score)) for kind, score in mean.items()}
        return {kind: share / sum(odds.values()) for kind, share in odds.items()}


def separate_vocals(
    excerpt: Waveform, separator: Separator, report: Report = ignore
) -> tuple[Waveform, float]:
    """Return the vocals, and their level in dB relative to the mixture."""
    vocals = separator.separate(excerpt, report)["vocals"]
    sung, mixed = (float(np.mean(np.square(one.mono()))) for one in (vocals, excerpt))
    return vocals, 10.0 * math.log10((sung + _SILENT) / (mixed + _SILENT))


def count_doublings(level_db: float, kinds: Mapping[str, float]) -> float:
    """Return how many times vocals double the odds that a voice sings in the mixture.

    Parameters
    ----------
    level_db : float
        Their level relative to the mixture.
    kinds : mapping of str to float
        The log probability of each kind, as which the vocals alone are heard. A separated voice may
        sound like speech or noise.
    """
    by_level = min(max((level_db - EVEN_DB) / HALVING_DB, -MOST_HALVINGS), 0.0)
    like = sum(math.exp(kinds.get(kind, -math.inf)) for kind in (*SUNG, NOTHING))
    unlike = sum(math.exp(kinds[kind]) for kind in kinds if kind not in (*SUNG, NOTHING))
    by_likeness = math.log2((like + _SILENT) / (unlike + _SILENT))
    return by_level + min(max(by_likeness, -MOST_DOUBLINGS), MOST_DOUBLINGS)


def weigh(kinds: Mapping[str, float], doublings: float) -> dict[str, float]:
    """Return probabilities of kinds, given how many times the odds of a voice are doubled."""
    odds = 2.0**doublings
    shares = {kind: share * (odds if kind in SUNG else 1.0) for kind, share in kinds.items()}
    total = sum(shares.values())
    return {kind: share / total for kind, share in shares.items()}


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
