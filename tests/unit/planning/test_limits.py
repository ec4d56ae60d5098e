"""What replicas do not raise."""

from __future__ import annotations

import pytest

from deploy.planning.demand import HOUR_S, busiest_hour
from deploy.planning.limits import Limit, average, list_kept, list_replicated, list_shared
from deploy.planning.work import StageTimes

SONG = average(StageTimes.load())


def test_a_rate_is_compared_in_the_busiest_hour() -> None:
    limit = Limit("messages", holds=30.0, needs=2.0, unit="messages", remedy="another bot")
    songs = limit.full_at
    assert limit.load(songs) == pytest.approx(1.0)
    assert 2.0 * busiest_hour(songs) / HOUR_S == pytest.approx(30.0)


def test_what_is_kept_is_compared_over_its_days() -> None:
    limit = Limit("folder", 1_000.0, 10.0, "bytes", "a larger one", kept_days=5.0)
    assert limit.full_at == pytest.approx(20.0)


def test_the_limits_of_a_mean_song() -> None:
    limits = [*list_replicated(SONG), *list_kept(SONG), *list_shared(SONG, answer_s=10.0)]
    assert len({limit.name for limit in limits}) == len(limits)
    assert all(limit.full_at > 1 for limit in limits)
    edited, sent = (
        next(limit for limit in limits if words in limit.name) for words in ("edits", "messages of")
    )
    assert edited.full_at < sent.full_at


def test_a_mean_song_is_small_enough_for_a_bot() -> None:
    assert 1e5 < SONG.sent_bytes < 20e6
    assert SONG.kept_bytes > 1e5
