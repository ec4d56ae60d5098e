"""POP909 songs, rendered with FluidSynth, with their chord, beat and key labels.

POP909 (Wang et al., ISMIR 2020) holds piano arrangements of 909 pop songs, of which the data
folder has 800. A song is rendered as it stands, its tracks MELODY, BRIDGE and PIANO together, at
44.1 kHz. ``chord_midi.txt`` and ``beat_midi.txt`` are aligned to that very file; the key label
was made from the original recording, whose key the arrangement keeps.

Songs are chosen by a fixed rule, every 40th of the archive, to avoid a biased choice.
:data:`TUNING_SONGS` and :data:`REPORTED_SONGS` are interleaved and disjoint: constants of the
service may be chosen on the former, and figures are reported on the latter.
"""

from __future__ import annotations

import io
import itertools
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from pretty_midi import Instrument, Note, PrettyMIDI

from inference_service.audio.waveform import Waveform
from inference_service.music.pitch import pitch_class
from model_zoo.training.sources.pop909 import count_beats_as_recorded

REPORTED_SONGS = tuple(range(1, 801, 40))
TUNING_SONGS = tuple(range(21, 801, 40))

SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),
)

TOGETHER_S = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Song:
    """A rendered song and its annotations.

    Attributes
    ----------
    chord_intervals_s : np.ndarray, shape (K, 2)
    chord_labels : list of str, in Harte syntax
    beats_s, downbeats_s : np.ndarray, shape (B,)
    recorded_beats_s, recorded_downbeats_s : np.ndarray, shape (B,)
        By the annotation of the original recording (``beat_audio.txt``). In one song of four, the
        MIDI file has half that tempo; in one of five, its bars begin a beat or two away.
    tonic : int
        Pitch class of the first key label.
    mode : {"major", "minor"}
    """

    name: str
    audio: Path
    chord_intervals_s: Floats
    chord_labels: list[str]
    beats_s: NDArray[np.float64]
    downbeats_s: NDArray[np.float64]
    recorded_beats_s: NDArray[np.float64]
    recorded_downbeats_s: NDArray[np.float64]
    tonic: int
    mode: str

    def waveform(self) -> Waveform:
        """Decode the rendering."""
        samples, rate_hz = soundfile.read(self.audio, dtype="float32", always_2d=True)
        return Waveform(np.ascontiguousarray(samples.T), rate_hz)


def find_soundfont() -> Path | None:
    """Return Debian's FluidR3 soundfont, or None where it is not installed."""
    return next((path for path in SOUNDFONTS if path.exists()), None)


def load_song(archive: Path, number: int, cache: Path) -> Song:
    """Unpack, render (once) and parse song ``number``, 1-based in the archive's order.

    Raises
    ------
    FileNotFoundError
        If no soundfont is installed.
    subprocess.CalledProcessError
        If FluidSynth fails.
    """
    name, midi = read_midi(archive, number)
    beats, recorded_beats_s, recorded_downbeats_s = read_beats(archive, name)
    with zipfile.ZipFile(archive) as files:
        chords = files.read(f"{name}/chord_midi.txt").decode().splitlines()
        key = files.read(f"{name}/key_audio.txt").decode().split()[2]
    rows = [line.split() for line in chords if line.strip()]
    tonic, mode = key.split(":")
    return Song(
        name=name,
        audio=render(midi, cache / f"{name}.flac"),
        chord_intervals_s=np.array([[float(row[0]), float(row[1])] for row in rows]),
        chord_labels=[row[2] for row in rows],
        beats_s=beats[:, 0],
        downbeats_s=beats[beats[:, 2] > 0, 0],
        recorded_beats_s=recorded_beats_s,
        recorded_downbeats_s=recorded_downbeats_s,
        tonic=pitch_class(tonic),
        mode="minor" if mode.startswith("min") else "major",
    )


def read_midi(archive: Path, number: int) -> tuple[str, bytes]:
    """Return the name and the MIDI file of song ``number``, 1-based in the archive's order."""
    with zipfile.ZipFile(archive) as files:
        folders = sorted({entry.split("/")[0] for entry in files.namelist() if "/" in entry})
        name = folders[number - 1]
        return name, files.read(f"{name}/{name}.mid")


def read_beats(archive: Path, name: str) -> tuple[Floats, Floats, Floats]:
    """Return the rows of ``beat_midi.txt``, and beats and downbeats as recorded, in seconds."""
    with zipfile.ZipFile(archive) as files:
        beats, recorded = (
            np.loadtxt(files.read(f"{name}/{kind}.txt").decode().splitlines(), ndmin=2)
            for kind in ("beat_midi", "beat_audio")
        )
    beats_s, downbeats = count_beats_as_recorded(beats, recorded)
    return beats, beats_s, beats_s[downbeats]


def thin_out(midi: bytes) -> bytes:
    """Return a piano arrangement simplified to its highest and lowest part, with one note at a
    time in each hand."""
    notes = sorted(
        (note for part in PrettyMIDI(io.BytesIO(midi)).instruments for note in part.notes),
        key=lambda note: (note.start, note.pitch),
    )
    hands: tuple[list[Note], list[Note]] = ([], [])
    for _, struck in itertools.groupby(notes, key=lambda note: round(note.start / TOGETHER_S)):
        together = sorted(struck, key=lambda note: note.pitch)
        hands[0].append(together[-1])
        if len(together) > 1:
            hands[1].append(together[0])
    piano = Instrument(program=0)
    for hand in hands:
        for note, following in itertools.pairwise(hand):
            note.end = max(min(note.end, following.start), note.start + 0.05)
        piano.notes += hand
    thin = PrettyMIDI()
    thin.instruments.append(piano)
    written = io.BytesIO()
    thin.write(written)
    return written.getvalue()


def render(midi: bytes, target: Path, soundfont: Path | None = None) -> Path:
    """Render a MIDI file to FLAC with FluidSynth, once.

    Raises
    ------
    FileNotFoundError
        If no soundfont is installed.
    subprocess.CalledProcessError
        If FluidSynth fails.
    """
    if target.exists():
        return target
    soundfont = soundfont or find_soundfont()
    if soundfont is None:
        raise FileNotFoundError("no soundfont: install fluid-soundfont-gm")
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_suffix(".mid")
    source.write_bytes(midi)
    partial = target.with_suffix(".partial")
    arguments = ["-ni", "-q", "-r", "44100", "-g", "0.6", "-T", "flac", "-F", str(partial)]
    subprocess.run(["fluidsynth", *arguments, str(soundfont), str(source)], check=True)
    partial.rename(target)
    return target
