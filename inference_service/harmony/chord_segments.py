"""From chord changes to segments that cover a recording, and to those that are worth a symbol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inference_service.music.events import NO_CHORD, ChordSegment, Rhythm
from inference_service.music.metre import parse_time_signature

MIN_SEGMENT_S: Final = 1e-6


def build_segments(changes: Sequence[tuple[float, str]], duration_s: float) -> list[ChordSegment]:
    """Convert chord changes, sorted by time, to segments that cover ``[0, duration_s]``.

    There is no chord before the first change; equal neighbours are merged.
    """
    kept: list[tuple[float, str]] = [(0.0, NO_CHORD)]
    for start_s, label in changes:
        if start_s >= duration_s - MIN_SEGMENT_S:
            break
        if start_s <= kept[-1][0] + MIN_SEGMENT_S:
            kept[-1] = (kept[-1][0], label)
        elif label != kept[-1][1]:
            kept.append((start_s, label))
    ends = [*kept[1:], (duration_s, NO_CHORD)]
    return [
        ChordSegment(start_s, end_s, label)
        for (start_s, label), (end_s, _) in zip(kept, ends, strict=True)
    ]


def bridge_rests(segments: Sequence[ChordSegment], rhythm: Rhythm) -> list[ChordSegment]:
    """Let chords last through rests of the harmony that are shorter than a bar.

    An estimator hears no chord in a break or under a lone drum fill, where a musician still thinks
    of the last one. What precedes the first chord and follows the last is left as it is.

    Parameters
    ----------
    segments : sequence of ChordSegment
        Sorted and adjoining.
    rhythm : Rhythm
        Gives the length of a bar: half a pulse less is a rest of a bar.
    """
    metre = parse_time_signature(rhythm.time_signature)
    pulses = metre.beats / metre.pulse_beats
    longest_s = (pulses - 0.5) * 60.0 / rhythm.tempo_bpm
    bridged: list[ChordSegment] = []
    for index, segment in enumerate(segments):
        is_inside = bridged and index + 1 < len(segments) and bridged[-1].label != NO_CHORD
        is_rest = segment.label == NO_CHORD and segment.end_s - segment.start_s < longest_s
        if bridged and ((is_inside and is_rest) or segment.label == bridged[-1].label):
            bridged[-1] = replace(bridged[-1], end_s=segment.end_s)
        else:
            bridged.append(segment)
    return bridged
