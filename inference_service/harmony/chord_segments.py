"""Chord segments from chord changes, without rests that are too short for a symbol."""

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
    """Extend chords over rests between them that are shorter than a bar.

    Estimators find no chord in a break or under a drum fill, where musicians write no "N.C." The
    silence before the first chord and after the last is kept.

    Parameters
    ----------
    segments : sequence of ChordSegment
        Sorted and adjoining.
    rhythm : Rhythm
        Gives the length of a bar. Rests up to half a pulse shorter count as a bar.
    """
    metre = parse_time_signature(rhythm.time_signature)
    pulses = metre.beats / metre.pulse_beats
    bar_s = (pulses - 0.5) * 60.0 / rhythm.tempo_bpm
    bridged: list[ChordSegment] = []
    for segment in segments:
        is_rest = segment.label == NO_CHORD and segment.end_s - segment.start_s < bar_s
        is_between = bool(bridged) and segment is not segments[-1]
        if (is_rest and is_between and bridged[-1].label != NO_CHORD) or (
            bridged and bridged[-1].label == segment.label
        ):
            bridged[-1] = replace(bridged[-1], end_s=segment.end_s)
        else:
            bridged.append(segment)
    return bridged
