"""What limits a service beside its replicas: Telegram, the network, storage and shared state.

Each limit is the amount that one of something holds, and the amount that a song needs of it. Those
of Telegram are in the Bot API's FAQ and documentation; the settings' are their defaults; the others
are assumptions, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.settings import BotSettings
from deploy.planning.demand import HOUR_S, KINDS, busiest_hour
from deploy.planning.work import ANALYSIS, APART, DECODING, DEVICE, WRITING, StageTimes
from inference_service.settings import CacheSettings, JournalSettings

TELEGRAM_MESSAGES_PER_S: Final = 30.0
MESSAGES: Final = 2
"""Of a song: the status message and the page."""

PAGE_BYTES: Final = 200e3
LINK_BYTES_PER_S: Final = 1e9 / 8
STATE_OPERATIONS_PER_S: Final = 30_000.0
"""Short scripts that one Valkey runs; assumed."""

STATE_OPERATIONS: Final = 20.0
"""To accept, note and close a job; assumed."""

STATE_BEATS_PER_S: Final = 4.0
"""While a job is in work: leases and attendance, twice a second each (decision 9)."""

DAY_S: Final = 86_400.0

_SAMPLE: Final = 20_000
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """What one of something holds.

    Attributes
    ----------
    name : str
    holds, needs : float
        How much one holds, and how much of it a song needs: in a second of the busiest hour, or
        in all if the limit is one on what is kept.
    unit : str
    kept_days : float
        0: a rate; else for how many mean days the need of a song lasts.
    remedy : str
        What to do when it is full.
    """

    name: str
    holds: float
    needs: float
    unit: str
    remedy: str
    kept_days: float = 0.0

    def load(self, songs_a_day: float) -> float:
        """Return the share of what one holds that is needed."""
        if self.kept_days:
            return songs_a_day * self.kept_days * self.needs / self.holds
        return busiest_hour(songs_a_day) / HOUR_S * self.needs / self.holds

    @property
    def full_at(self) -> float:
        """Songs a day that fill it."""
        return 1.0 / self.load(1.0)


@dataclass(frozen=True, slots=True)
class MeanSong:
    """Means over the recordings that are sent.

    Attributes
    ----------
    sent_bytes, kept_bytes : float
    core_s : mapping of str to float
        Seconds of one core in each pool.
    """

    sent_bytes: float
    kept_bytes: float
    core_s: dict[str, float]


def average(times: StageTimes) -> MeanSong:
    """Return the means, from recordings that are drawn."""
    rng = np.random.default_rng(_SEED)
    sent, kept = 0.0, 0.0
    core_s = dict.fromkeys((DECODING, DEVICE, ANALYSIS, WRITING), 0.0)
    for kind in KINDS:
        drawn = round(kind.share * _SAMPLE)
        for _ in range(drawn):
            length_s = kind.draw_length_s(rng)
            sent += kind.bytes_per_s * length_s / _SAMPLE
            kept += times.kept_bytes(kind.name, length_s) / _SAMPLE
            for stage, seconds in times.seconds(kind.name, length_s).items():
                core_s[APART[stage]] += seconds / _SAMPLE
    return MeanSong(sent, kept, core_s)


def list_replicated(song: MeanSong) -> Iterator[Limit]:
    """Yield the limits of one core for each kind of work."""
    for pool, seconds in song.core_s.items():
        yield Limit(f"a core for {pool}", 1.0, seconds, "core seconds", "more replicas")


def list_kept(song: MeanSong) -> Iterator[Limit]:
    """Yield the limits of one process's folders, by its default settings."""
    cache, journal = CacheSettings(), JournalSettings()
    days = cache.max_age_s / DAY_S
    yield Limit(
        "results in one folder: bytes",
        cache.max_bytes,
        song.kept_bytes,
        "bytes",
        "`NOTABOT_CACHE_MAX_BYTES`; until then, old scores expire sooner",
        days,
    )
    yield Limit(
        "results in one folder: number",
        cache.max_entries,
        1.0,
        "results",
        "`NOTABOT_CACHE_MAX_ENTRIES`; until then, old scores expire sooner",
        days,
    )
    yield Limit(
        "keys of jobs",
        journal.max_entries,
        1.0,
        "jobs",
        "`NOTABOT_JOURNAL_MAX_ENTRIES`; until then, a late repetition of an update is worked twice",
        journal.max_age_s / DAY_S,
    )


def list_shared(song: MeanSong, answer_s: float) -> Iterator[Limit]:
    """Yield the limits that more replicas do not raise.

    Parameters
    ----------
    song : MeanSong
    answer_s : float
        Time from a recording to its score, during which the status message is edited.
    """
    edits = answer_s / BotSettings.model_fields["chat_interval_s"].default
    yield Limit(
        "Telegram: messages of one bot",
        TELEGRAM_MESSAGES_PER_S,
        MESSAGES,
        "messages",
        "paid broadcasts, or several bots",
    )
    yield Limit(
        "Telegram: messages and edits of one bot",
        TELEGRAM_MESSAGES_PER_S,
        MESSAGES + edits,
        "messages",
        "a longer `BOT_CHAT_INTERVAL_S`",
    )
    yield Limit(
        "network: 1 Gbit/s for all bots",
        LINK_BYTES_PER_S,
        song.sent_bytes + PAGE_BYTES,
        "bytes each way",
        "bots on several machines",
    )
    yield Limit(
        "shared state: one Valkey",
        STATE_OPERATIONS_PER_S,
        STATE_OPERATIONS + STATE_BEATS_PER_S * answer_s,
        "operations",
        "a Valkey for each bot",
    )
