"""Arranges a piece as a MIDI file: for a piano alone, a band, or an orchestra's strings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import mido
import numpy as np
from numpy.random import Generator

from model_zoo.training.beats.drums import add_drums
from model_zoo.training.sound.midi import TICKS_PER_S, Event, encode_track
from model_zoo.training.sources.groove import Groove
from model_zoo.training.sources.piece import ONSET, PITCH, VELOCITY, Line, Piece, Role, make_line

PIANOS: Final = (0, 0, 0, 1, 2, 3, 4, 5)
PROGRAMS: Final[dict[Role, tuple[int, ...]]] = {
    "melody": (
        52,
        53,
        54,
        52,
        53,
        80,
        81,
        48,
        40,
        41,
        42,
        73,
        71,
        65,
        66,
        56,
        24,
        25,
        26,
        27,
        30,
        22,
        11,
        75,
    ),
    "inner": (48, 49, 50, 40, 42, 60, 61, 24, 26, 27, 29, 30, 16, 4, 5, 11, 89),
    "piano": (*PIANOS, 24, 25, 26, 27, 16, 17, 48, 88, 89, 90, 46, 6, 7),
    "chords": (*PIANOS, 24, 25, 26, 27, 29, 16, 17, 21, 48, 49, 88, 89, 90, 91, 50),
    "bass": (32, 33, 33, 34, 35, 36, 38, 39, 43),
}


def arrange(piece: Piece, grooves: Sequence[Groove], random: Generator) -> tuple[bytes, Piece]:
    """Return a MIDI file, and the piece that it plays."""
    style = random.random()
    lines = list(piece.lines)
    alone = all(line.role == "drums" for line in lines)
    drums_in = random.random() < (0.08 if style < 0.3 else 0.6)
    if not alone and style >= 0.3:
        if random.random() < 0.12 and len(lines) > 1:
            lines = [line for line in lines if line.role != "melody"] or lines
        if not any(line.role == "bass" for line in lines) and random.random() < 0.6:
            bass = add_bass(piece, random)
            lines += [bass] if bass is not None else []
    if not alone and drums_in:
        drums = add_drums(piece, grooves, random)
        lines += [drums] if drums is not None else []
    shift = int(random.integers(-5, 6))
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_S)
    clock = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    midi.tracks.append(clock)
    channels = (channel for channel in range(16) if channel != 9)
    for line in lines:
        drum = line.role == "drums"
        piano = 0 if random.random() < 0.7 else int(random.choice(PIANOS))
        program = piano if style < 0.3 else _draw_program(line.role, random)
        volume = 110 if alone else int(random.uniform(60, 127))
        channel = 9 if drum else next(channels)
        midi.tracks.append(_track(line, channel, program, volume, 0 if drum else shift, random))
    target = io.BytesIO()
    midi.save(file=target)
    return target.getvalue(), replace(piece, lines=tuple(lines))


def _draw_program(role: Role, random: Generator) -> int:
    if role == "drums":
        return int(random.choice([0, 0, 0, 8, 16, 24, 25, 32, 40]))
    return int(random.choice(PROGRAMS[role]))


def add_bass(piece: Piece, random: Generator) -> Line | None:
    """Return a bass line on the lowest pitch class of each beat, or of each few beats."""
    events = [line.notes for line in piece.lines if line.role != "drums" and len(line.notes)]
    if not events or len(piece.beats_s) < 4:
        return None
    sounding = np.concatenate(events)
    step = int(random.choice([1, 2, piece.bar_beats]))
    busy = random.random()
    beats = np.flatnonzero((piece.positions - 1) % step == 0)
    notes: list[tuple[float, float, float, float]] = []
    for first, following in pairwise(beats):
        start_s, stop_s = piece.beats_s[first], piece.beats_s[following]
        near = (sounding[:, ONSET] >= start_s - 0.06) & (sounding[:, ONSET] < stop_s - 0.06)
        if not near.any():
            continue
        pitch = float(sounding[near, PITCH].min())
        pitch = 28 + (pitch - 28) % 12 + (12 if random.random() < 0.05 else 0)
        beat_count = int(following - first)
        pieces = 1 if busy < 0.4 else beat_count if busy < 0.7 else 2 * beat_count
        edges = np.linspace(start_s, stop_s, pieces + 1)
        for index in range(pieces):
            if index and random.random() < 0.15:
                continue
            length_s = (edges[index + 1] - edges[index]) * 0.92
            onset_s = max(edges[index] + random.normal(0, 0.008), 0.0)
            notes.append((onset_s, onset_s + length_s, pitch, random.uniform(70, 100)))
    return make_line("bass", notes) if notes else None


def _track(
    line: Line, channel: int, program: int, volume: int, shift: int, random: Generator
) -> mido.MidiTrack:
    events: list[Event] = [
        (0.0, 0, mido.Message("program_change", channel=channel, program=program)),
        (0.0, 0, mido.Message("control_change", channel=channel, control=7, value=volume)),
        (
            0.0,
            0,
            mido.Message(
                "control_change", channel=channel, control=10, value=int(random.uniform(20, 108))
            ),
        ),
    ]
    gain, spread = random.uniform(0.75, 1.2), random.uniform(0.5, 1.2)
    mean = line.notes[:, VELOCITY].mean() if len(line.notes) else 80.0
    for onset_s, offset_s, pitch, velocity in line.notes:
        key = int(np.clip(pitch + shift, 0, 127))
        struck = int(np.clip((mean + (velocity - mean) * spread) * gain, 15, 127))
        note = {"channel": channel, "note": key}
        events.append((onset_s, 2, mido.Message("note_on", velocity=struck, **note)))
        events.append((max(offset_s, onset_s + 0.02), 1, mido.Message("note_off", **note)))
    if program < 8:
        for time_s, value in line.pedal:
            press = mido.Message("control_change", channel=channel, control=64, value=int(value))
            events.append((time_s, 1, press))
    return encode_track(events)
