"""Arranges a piece: for a piano alone, a singer with one instrument, or a band."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import mido
import numpy as np
from numpy.random import Generator

from model_zoo.training.beats.band import add_band
from model_zoo.training.beats.drums import add_drums
from model_zoo.training.beats.swing import swing_some
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
ACCOMPANISTS: Final = (*PIANOS, 24, 24, 25, 25, 25, 26, 27)
KITS: Final = (0, 0, 0, 8, 16, 24, 25, 32, 40)

Ensemble = Literal["piano", "duo", "band"]
ENSEMBLES: Final[tuple[Ensemble, ...]] = ("piano", "duo", "band")
SHARES: Final = (0.15, 0.17, 0.68)
DRUM_SHARES: Final[dict[Ensemble, float]] = {"piano": 0.05, "duo": 0.08, "band": 0.75}
SUNG_SHARE: Final = 0.5
"""Probability that a melody is sung rather than played, unless a piano plays alone."""

SWUNG_SHARE: Final = 0.14


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A piece with instruments.

    Attributes
    ----------
    midi : bytes
        What a synthesiser plays; without drums and vocals.
    drums, vocals : Line or None
    piece : Piece
        Everything that is played, for its beats.
    """

    midi: bytes
    drums: Line | None
    vocals: Line | None
    piece: Piece


def arrange(piece: Piece, grooves: Sequence[Groove], random: Generator) -> Arrangement:
    """Choose the instruments of a piece: a piano, a singer with one instrument, or a band."""
    lines = list(piece.lines)
    if all(line.role == "drums" for line in lines):
        return Arrangement(_encode([], random), _join(lines), None, piece)
    ensemble = ENSEMBLES[int(random.choice(len(ENSEMBLES), p=list(SHARES)))]
    if ensemble == "band":
        lines = _form_band(piece, random)
    drums = None
    if random.random() < DRUM_SHARES[ensemble]:
        drums = add_drums(replace(piece, lines=tuple(lines)), grooves, random)
        lines += [drums] if drums is not None else []
    swung = swing_some(replace(piece, lines=tuple(lines)), SWUNG_SHARE, random)
    lines = list(swung.lines)
    if drums is not None:
        drums = lines.pop()
    vocals = None
    sung = [line for line in lines if line.role == "melody"]
    if sung and ensemble != "piano" and random.random() < SUNG_SHARE:
        vocals = sung[0]
        lines.remove(vocals)
    if ensemble == "duo":
        program = int(random.choice(ACCOMPANISTS))
        parts = [(line, program if line.role != "melody" else None) for line in lines]
    else:
        piano = 0 if random.random() < 0.7 else int(random.choice(PIANOS))
        parts = [(line, piano if ensemble == "piano" else None) for line in lines]
    return Arrangement(_encode(parts, random), drums, vocals, swung)


def _form_band(piece: Piece, random: Generator) -> list[Line]:
    """Return the lines of a band: those of the piece, or new ones on its chords."""
    lines = list(piece.lines)
    band = add_band(piece, random) if random.random() < 0.65 else []
    if band:
        kept = 0.3 if any(line.role == "melody" for line in lines) else 1.0
        lines = [line for line in lines if line.role == "melody" or random.random() < kept]
        return [*lines, *band]
    if random.random() < 0.12 and len(lines) > 1:
        lines = [line for line in lines if line.role != "melody"] or lines
    if not any(line.role == "bass" for line in lines) and random.random() < 0.6:
        bass = add_bass(piece, random)
        lines += [bass] if bass is not None else []
    return lines


def _join(lines: Sequence[Line]) -> Line:
    return make_line("drums", np.concatenate([line.notes for line in lines]))


def _encode(parts: Sequence[tuple[Line, int | None]], random: Generator) -> bytes:
    """Return a MIDI file of lines, each with a program or None for one that suits its role."""
    shift = int(random.integers(-5, 6))
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_S)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)]))
    channels = (channel for channel in range(16) if channel != 9)
    for line, chosen in parts:
        program = int(random.choice(PROGRAMS[line.role])) if chosen is None else chosen
        volume = int(random.uniform(60, 127))
        midi.tracks.append(_track(line, next(channels), program, volume, shift, random))
    target = io.BytesIO()
    midi.save(file=target)
    return target.getvalue()


def encode_drums(line: Line, random: Generator) -> bytes:
    """Return a MIDI file of a drum line, for a synthesiser."""
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_S)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)]))
    midi.tracks.append(_track(line, 9, int(random.choice(KITS)), 110, 0, random))
    target = io.BytesIO()
    midi.save(file=target)
    return target.getvalue()


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
