"""Encodes timed messages as tracks of MIDI files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import mido

TICKS_PER_S: Final = 1000

Event = tuple[float, int, mido.Message]
"""Time in seconds, rank among messages of the same time, message."""


def encode_track(events: Iterable[Event]) -> mido.MidiTrack:
    """Return a track of the messages, sorted by time and rank, at ``TICKS_PER_S``."""
    track, before = mido.MidiTrack(), 0
    for time_s, _, message in sorted(events, key=lambda event: event[:2]):
        tick = max(round(time_s * TICKS_PER_S), before)
        track.append(message.copy(time=tick - before))
        before = tick
    return track
