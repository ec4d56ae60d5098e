"""Small MIDI files as LilyPond writes them, read as written music."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import mido
import pytest

from model_zoo.training.sources.mutopia import parse_midi_score, read_mutopia

HEADER = "path,lic,composer,pickup_quarters,midi_files\n"


def write_song(*, notes: bool = True) -> bytes:
    """Return a song in 3/4, then 2/4 as of the third bar, with a second part and drums."""
    midi = mido.MidiFile(ticks_per_beat=384)
    control = midi.add_track("control")
    control.append(mido.MetaMessage("time_signature", numerator=3, denominator=4))
    control.append(mido.MetaMessage("key_signature", key="Bb"))
    change = mido.MetaMessage("time_signature", numerator=2, denominator=4, time=7 * 384)
    control.append(change)
    for channel, pitch in ((0, 70), (1, 50), (9, 38)):
        track = midi.add_track(f"part {channel}")
        for step in range(10 if notes else 0):
            tone = {"note": pitch + step, "channel": channel}
            track.append(mido.Message("note_on", velocity=90, **tone))
            track.append(mido.Message("note_off", time=384, **tone))
    written = io.BytesIO()
    midi.save(file=written)
    return written.getvalue()


def test_bars_begin_after_the_pickup_and_follow_changes() -> None:
    piece = parse_midi_score("song", write_song(), 1.0)
    assert piece.bar_start_q.tolist() == [0, 1, 4, 7, 9]
    assert piece.bar_beats.tolist() == [3, 3, 3, 2, 2]
    assert piece.bar_fifths.tolist() == [-2] * 5
    assert piece.staves == (1, 1), "drums have no pitches"
    assert piece.pitch[piece.part == 0].tolist() == list(range(70, 80))
    assert piece.onset_q[piece.part == 1].tolist() == list(range(10))
    assert piece.duration_q.tolist() == pytest.approx([1.0] * 20)


def test_without_a_pickup_the_first_bar_is_whole() -> None:
    assert parse_midi_score("song", write_song(), 0.0).bar_start_q.tolist() == [0, 3, 6, 9]


def test_a_file_without_notes_is_refused() -> None:
    with pytest.raises(ValueError, match="no notes"):
        parse_midi_score("song", write_song(notes=False), 0.0)


def test_composers_that_notation_is_measured_on_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mutopia.zip", "w") as files:
        rows = ["a,Public Domain,AbtF,1.0,a.mid", "b,Public Domain,BachJS,,b.mid"]
        rows += ["c,Public Domain,Anonymous,,c.mid", "d,Public Domain,Anonymous,,d.mid"]
        files.writestr("index.csv", HEADER + "\n".join(rows))
        for name in "abc":
            files.writestr(f"midi/{name}.mid", write_song())
        files.writestr("midi/d.mid", b"nothing")
    found = list(read_mutopia(tmp_path / "mutopia.zip"))
    assert [piece.name for piece in found] == ["a.mid", "c.mid"]
    assert [piece.bar_start_q[1] for piece in found] == [1, 3]
