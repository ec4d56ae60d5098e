"""Expected seconds of every stage, learned from the requests that have ended.

A stage takes a constant time plus a time in proportion to the length of its input: the duration of
a recording, or the bars of a continuation. Both are fitted, for each kind of request, to the latest
measurements, whose weights decrease exponentially, and to two anchors: typical durations on two CPU
cores, scaled by how much slower or faster this machine has been. Errors count in proportion to the
duration, so that long recordings do not hide short ones.

Nothing is stored: a restarted service knows the typical durations, and learns within a few requests
how fast its machine is.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from inference_service.pipeline.options import Format, Preset, RenderOptions
from inference_service.progress import Stage

USUAL_LENGTH_S: Final = 60.0
"""Duration of a recording of which nothing is known yet."""

_REMEMBERED: Final = 24
_DECAY: Final = 0.9
_ANCHOR_WEIGHT: Final = 1.0
_ANCHORS: Final = (10.0, 240.0)
_SURPRISE: Final = 4.0
"""Largest ratio of a measurement to what was expected: the first use of a model may compile it."""

_MIN_S: Final = 1e-3
_MAX_SCALE: Final = 100.0
"""Bounds on how unusual a machine can be."""


class Kind(StrEnum):
    """Kinds of requests with durations of their own."""

    VOICE = "voice"
    PIANO = "piano"
    SONG = "song"
    PLAYERS = "players"
    FILES = "files"
    PAGES = "pages"
    PREVIEW = "preview"
    STEMS = "stems"
    CONTINUATION = "continuation"


_HEARD: Final = {
    Preset.VOICE: Kind.VOICE,
    Preset.PIANO: Kind.PIANO,
    Preset.SONG: Kind.SONG,
    Preset.GUITAR: Kind.PLAYERS,
    Preset.SOLO: Kind.PLAYERS,
    Preset.ENSEMBLE: Kind.PLAYERS,
}

Line = tuple[float, float]
"""Seconds, and seconds for each unit of length."""

_ALL: Final[Mapping[Stage, Line]] = {
    Stage.DECODE: (0.1, 0.001),
    Stage.TUNING: (0.01, 0.0001),
    Stage.KEY: (0.01, 0.0001),
    Stage.BEATS: (0.1, 0.003),
    Stage.NOTATION: (0.05, 0.003),
    Stage.ENGRAVING: (0.1, 0.008),
}
_TYPICAL: Final[Mapping[Kind, Mapping[Stage, Line]]] = {
    Kind.VOICE: {**_ALL, Stage.TAGGING: (0.2, 0.006), Stage.CHORDS: (0.0, 0.0)},
    Kind.PIANO: {**_ALL, Stage.TAGGING: (3.0, 0.35), Stage.CHORDS: (0.3, 0.04)},
    Kind.PLAYERS: {**_ALL, Stage.TAGGING: (0.4, 0.07), Stage.CHORDS: (0.3, 0.04)},
    Kind.SONG: {
        **_ALL,
        Stage.SEPARATION: (0.4, 0.1),
        Stage.TAGGING: (0.4, 0.07),
        Stage.CHORDS: (0.3, 0.04),
    },
    Kind.FILES: {Stage.NOTATION: (0.2, 0.0)},
    Kind.PAGES: {Stage.NOTATION: (0.2, 0.0), Stage.ENGRAVING: (0.5, 0.0)},
    Kind.PREVIEW: {Stage.NOTATION: (0.2, 0.0), Stage.ENGRAVING: (2.0, 0.0)},
    Kind.STEMS: {Stage.ENGRAVING: (5.0, 0.0)},
    Kind.CONTINUATION: {
        Stage.CONTINUATION: (1.0, 0.25),
        Stage.NOTATION: (0.1, 0.01),
        Stage.ENGRAVING: (0.2, 0.03),
    },
}
"""On two CPU cores; those of recordings were measured with the samples in ``docs/samples``, cut
and repeated to between 5 s and 120 s, except those of chords, which are estimated from CPU time."""

_ROUTING: Final[Line] = (0.1, 0.06)
"""Without a look at the vocals, which takes twice as long again."""

_ROUTED_S: Final = 24.0
"""Longest duration that the router listens to."""

_STEREO: Final = 2


def find_kind(options: RenderOptions) -> Kind:
    """Return the kind of a rendering."""
    formats = options.formats
    if Format.STEMS in formats:
        return Kind.STEMS
    if Format.PREVIEW in formats:
        return Kind.PREVIEW
    has_pages = not formats.isdisjoint({Format.PNG, Format.PDF, Format.ROLL})
    return Kind.PAGES if has_pages else Kind.FILES


class StageDuration:
    """The duration of one stage, as a line over the length of its input.

    Parameters
    ----------
    typical : Line
    """

    def __init__(self, typical: Line) -> None:
        self._typical = typical
        self._line = typical
        self._measured: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def expect(self, length: float) -> float:
        """Return the expected seconds."""
        constant, slope = self._line
        return constant + slope * length

    def learn(self, length: float, seconds: float) -> None:
        """Add a measurement; a surprising one counts as less of a surprise."""
        expected_s = max(self.expect(length), _MIN_S)
        seconds = min(max(seconds, expected_s / _SURPRISE), expected_s * _SURPRISE)
        self._measured.append((length, seconds))
        self._line = self._fit()

    def _fit(self) -> Line:
        """Weighted least squares of relative errors; neither coefficient is negative."""
        points = [
            (length, seconds, _DECAY**age)
            for age, (length, seconds) in enumerate(reversed(self._measured))
        ]
        scale = self._scale(points)
        points += [(at, scale * self._usual(at), _ANCHOR_WEIGHT) for at in _ANCHORS]
        weighted = [
            (x, y, weight / max(scale * self._usual(x), _MIN_S) ** 2) for x, y, weight in points
        ]
        total = sum(w for _, _, w in weighted)
        mean_x = sum(w * x for x, _, w in weighted) / total
        mean_y = sum(w * y for _, y, w in weighted) / total
        spread = sum(w * (x - mean_x) ** 2 for x, _, w in weighted)
        slope = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in weighted) / spread
        constant = mean_y - slope * mean_x
        if slope < 0:
            return mean_y, 0.0
        if constant < 0:
            through = sum(w * x * y for x, y, w in weighted)
            return 0.0, through / sum(w * x * x for x, _, w in weighted)
        return constant, slope

    def _usual(self, length: float) -> float:
        return self._typical[0] + self._typical[1] * length

    def _scale(self, points: Sequence[tuple[float, float, float]]) -> float:
        """Return how many times slower than typical this machine is: a geometric mean."""
        ratios = [
            (math.log(max(seconds, _MIN_S) / max(self._usual(length), _MIN_S)), weight)
            for length, seconds, weight in points
        ]
        mean = sum(ratio * weight for ratio, weight in ratios) / sum(w for _, w in ratios)
        return min(max(math.exp(mean), 1 / _MAX_SCALE), _MAX_SCALE)


class Durations:
    """Expected seconds of the stages of every kind of request; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages = {
            kind: {stage: StageDuration(line) for stage, line in stages.items()}
            for kind, stages in _TYPICAL.items()
        }
        self._routing = StageDuration(_ROUTING)
        self._chosen = {False: Counter([Kind.VOICE]), True: Counter([Kind.SONG])}  # by stereo

    def expect(self, kind: Kind, length: float = 0.0) -> dict[Stage, float]:
        """Return the expected seconds of each stage."""
        with self._lock:
            return {s: duration.expect(length) for s, duration in self._stages[kind].items()}

    def expect_heard(
        self, preset: Preset, length_s: float | None = None, channels: int = 1
    ) -> dict[Stage, float]:
        """Return the expected seconds of each stage of a transcription.

        Parameters
        ----------
        preset : Preset
            ``AUTO`` counts as what most recordings with as many channels have turned out to be: a
            mean over kinds would be right for none.
        length_s : float, optional
            Duration of the recording, if it is known.
        channels : int
            Of the recording; people record themselves in mono, and songs are in stereo.
        """
        length_s = USUAL_LENGTH_S if length_s is None else length_s
        if preset is not Preset.AUTO:
            return self.expect(_HEARD[preset], length_s)
        with self._lock:
            routing_s = self._routing.expect(min(length_s, _ROUTED_S))
            [(kind, _)] = self._chosen[channels >= _STEREO].most_common(1)
        return {Stage.ROUTING: routing_s, **self.expect(kind, length_s)}

    def learn(self, kind: Kind, length: float, timings_s: Mapping[str, float]) -> None:
        """Learn from the seconds that the stages of a request took, by name."""
        with self._lock:
            for stage, duration in self._stages[kind].items():
                duration.learn(length, timings_s.get(stage, 0.0))

    def learn_heard(
        self, preset: Preset, length_s: float, channels: int, timings_s: Mapping[str, float]
    ) -> None:
        """Learn from a transcription; ``preset`` is the one that was used."""
        if (routing_s := timings_s.get(Stage.ROUTING)) is not None:
            with self._lock:
                self._routing.learn(min(length_s, _ROUTED_S), routing_s)
                self._chosen[channels >= _STEREO][_HEARD[preset]] += 1
        self.learn(_HEARD[preset], length_s, timings_s)
