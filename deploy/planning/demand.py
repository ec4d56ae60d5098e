"""Who sends what, and when: recordings of several kinds, alone and in groups.

The shares, lengths and hours are assumptions; ``docs/planning.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.settings import AudioSettings

HOUR_S: Final = 3600.0
WEEKLY_PEAK: Final = 1.5
"""How much more is sent on a Saturday than on a mean day."""

HOURS: Final = np.array(
    [3, 2, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5, 5, 5, 5, 5, 6, 7, 8, 9, 9, 8, 5], dtype=float
)
"""Relative numbers of recordings in the hours of a day, from midnight."""

_LIMITS: Final = AudioSettings()


@dataclass(frozen=True, slots=True)
class Kind:
    """Recordings of one kind.

    Attributes
    ----------
    name : str
        The sample whose stage times are theirs.
    share : float
        Of all recordings.
    median_s, spread : float
        Of the lengths, which are log-normal; ``spread`` is the standard deviation of the
        logarithm.
    bytes_per_s : float
        Of the files that are sent.
    """

    name: str
    share: float
    median_s: float
    spread: float
    bytes_per_s: float

    def draw_length_s(self, rng: np.random.Generator) -> float:
        """Draw the length of a recording, within the service's limits."""
        length_s = rng.lognormal(np.log(self.median_s), self.spread)
        return float(np.clip(length_s, _LIMITS.min_duration_s, _LIMITS.max_duration_s))


KINDS: Final = (
    Kind("voice", 0.5, 20.0, 0.8, 4_000),  # Opus at 32 kbit/s
    Kind("piano", 0.15, 60.0, 0.8, 8_000),
    Kind("song", 0.35, 200.0, 0.3, 24_000),  # MP3 at 192 kbit/s
)


@dataclass(frozen=True, slots=True)
class Groups:
    """Chat groups whose members send at once.

    Attributes
    ----------
    share : float
        Of all recordings that come from such groups.
    size : float
        Mean number of recordings of a group, at least 1.
    within_s : float
        Mean delay of a member, which is exponential.
    """

    share: float
    size: float
    within_s: float


ALONE: Final = Groups(0.0, 1.0, 0.0)
"""Everyone sends alone: a Poisson process."""

CHATS: Final = Groups(0.2, 6.0, 5.0)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that somebody sends."""

    arrival_s: float
    kind: Kind
    length_s: float


def draw_arrivals(
    expected: Sequence[float], span_s: float, groups: Groups, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the times at which recordings are sent.

    Parameters
    ----------
    expected : sequence of float
        Expected number of recordings in each span of time.
    span_s : float
        Length of a span.
    groups : Groups
        Groups come at random as people do; their latest members may come after the last span.
    rng : np.random.Generator

    Returns
    -------
    np.ndarray, shape (N,), float64
        Seconds from the start, ascending.
    """
    times: list[NDArray[np.float64]] = []
    for number, recordings in enumerate(expected):
        alone = rng.poisson(recordings * (1 - groups.share))
        times.append(span_s * (number + rng.random(alone)))
        for _ in range(rng.poisson(recordings * groups.share / groups.size)):
            members = 1 + rng.poisson(groups.size - 1)
            begun_s = span_s * (number + rng.random())
            times.append(begun_s + rng.exponential(groups.within_s, members))
    return np.sort(np.concatenate(times))


def draw_recordings(
    expected: Sequence[float], span_s: float, groups: Groups, rng: np.random.Generator
) -> list[Recording]:
    """Draw what is sent, in order of arrival; the parameters are those of :func:`draw_arrivals`."""
    shares = [kind.share for kind in KINDS]
    arrivals_s = draw_arrivals(expected, span_s, groups, rng)
    kinds = rng.choice(len(KINDS), size=len(arrivals_s), p=shares)
    return [
        Recording(float(arrival_s), KINDS[index], KINDS[index].draw_length_s(rng))
        for arrival_s, index in zip(arrivals_s, kinds, strict=True)
    ]


def spread_saturday(songs_a_day: float) -> list[float]:
    """Return the expected number of recordings in each hour of a Saturday.

    Parameters
    ----------
    songs_a_day : float
        On a mean day.
    """
    return [float(expected) for expected in songs_a_day * WEEKLY_PEAK * HOURS / HOURS.sum()]


def busiest_hour(songs_a_day: float) -> float:
    """Return the expected number of recordings in the busiest hour of a Saturday."""
    return max(spread_saturday(songs_a_day))
