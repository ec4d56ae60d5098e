"""A test signal whose onsets are easy to find."""

from __future__ import annotations

import io

import mido

ONSETS_MS = range(500, 8000, 733)


def encode_xylophone() -> bytes:
    """Return a MIDI file with a short xylophone note every 733 ms."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    track.append(mido.Message("program_change", program=13))
    before = 0
    for onset_ms in ONSETS_MS:
        track.append(mido.Message("note_on", note=84, velocity=100, time=onset_ms - before))
        track.append(mido.Message("note_off", note=84, time=100))
        before = onset_ms + 100
    target = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=1000, tracks=[track]).save(file=target)
    return target.getvalue()
