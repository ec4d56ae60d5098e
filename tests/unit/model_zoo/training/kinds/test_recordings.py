"""Recordings of known kinds: halves of originals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from model_zoo.training.kinds.recordings import half_of, list_recordings


def test_originals_are_divided_evenly_and_for_ever() -> None:
    halves = Counter(half_of(f"take {number}") for number in range(400))
    assert abs(halves[0] - halves[1]) < 60
    assert [half_of(name) for name in ("a", "b", "c")] == [1, 1, 1]


@pytest.mark.data
def test_every_kind_has_recordings_in_both_halves(data_dir: Path) -> None:
    halves: dict[str, Counter[int]] = {}
    for recording in list_recordings(data_dir):
        halves.setdefault(recording.kind, Counter())[recording.half] += 1
    assert set(halves) == {"voice", "solo", "guitar", "piano", "ensemble", "song", "drums"}
    assert all(counts[0] and counts[1] for counts in halves.values())
