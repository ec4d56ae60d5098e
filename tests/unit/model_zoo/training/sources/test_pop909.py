"""A song of POP909 as written music."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import mido
import pytest

from model_zoo.training.sources.pop909 import count_songs, read_melody

BEAT_S = 0.5


def write_song(path: Path, *, first_downbeat: int = 1, melody: bool = True) -> Path:
    """Write an archive of one song, whose recording counts a bar from a given beat."""
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track("MELODY" if melody else "PIANO")
    for step in range(24):
        pause = 500 if step == 7 else 10
        track.append(mido.Message("note_on", note=60 + step % 5, velocity=90, time=pause))
        track.append(mido.Message("note_off", note=60 + step % 5, time=470))
    written = io.BytesIO()
    midi.save(file=written)
    beats = [f"{BEAT_S * k} {int(k % 2 == 0)}.0 {int(k % 4 == 0)}.0" for k in range(32)]
    audio = [f"{BEAT_S * k + 0.03}\t{(k - first_downbeat) % 4 + 1}.0" for k in range(32)]
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("001/001.mid", written.getvalue())
        files.writestr("001/beat_midi.txt", "\n".join(beats))
        files.writestr("001/beat_audio.txt", "\n".join(audio))
        files.writestr("001/chord_midi.txt", "0.0 8.0 C:maj")
        files.writestr("001/key_audio.txt", "0.0\t8.0\tBb:min\n")
    return path


def test_the_melody_lies_on_the_grid_in_the_bars_of_the_recording(tmp_path: Path) -> None:
    archive = write_song(tmp_path / "pop909.zip")
    assert count_songs(archive) == 1
    piece = read_melody(archive, 1)
    assert piece.onset_q[:9].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert set(piece.duration_q.tolist()) == {1.0}
    assert piece.bar_start_q[:3].tolist() == [-3, 1, 5]
    assert set(piece.bar_fifths.tolist()) == {-5}


def test_songs_without_a_melody_are_refused(tmp_path: Path) -> None:
    archive = write_song(tmp_path / "pop909.zip", melody=False)
    with pytest.raises(ValueError, match="no melody"):
        read_melody(archive, 1)
