"""Sets of labelled recordings.

============= ==================================================================== =================
Set           Contents                                                             Labels
============= ==================================================================== =================
piano_dev     excerpts of MAPS, 30 s each                                          notes, velocities
voice_dev     sung melodies of SSVD, fractional pitches, labelled about 0.2        notes
              semitones higher than pitch trackers measure; not corrected here
guitar_dev    GuitarSet, recorded by microphone, fractional pitches, six strings   notes
drums_dev     drums of MDB Drums                                                   five drum classes
mixes         each melody of voice_dev over the repeated accompaniment of a song   notes
              of stems_dev that the separator was not trained on, at equal level
rendered      24 scenes (half bands, then chamber music, guitars, pianos) of       all
              held-out pieces, by a soundfont that is not used for training
folder:PATH   sound files, each with a MIDI file of the same stem                  all
NAME:PATH     the held-out part of a data set of                                   all
              :mod:`model_zoo.training.sources.recordings`, as in ``maestro:PATH``
============= ==================================================================== =================

The first four are folders of the development data; ``mixes`` is built deterministically from two.
Only the drum parts of ``rendered`` are also used for training, with other drum sounds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.music.families import FAMILIES
from model_zoo.training.beats.prepare import Corpora, load_corpora
from model_zoo.training.evaluate.convert import by_onset, from_piece, from_take
from model_zoo.training.evaluate.metrics import DRUM_CLASSES, NoteArray, Tags
from model_zoo.training.separation.recordings import RATE_HZ as BAND_RATE_HZ
from model_zoo.training.separation.recordings import as_samples, iterate_held_back
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.soundfonts import HELD_BACK_SOUNDFONT
from model_zoo.training.sources import recordings
from model_zoo.training.sources.midi_folder import read_midi
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import Kind, draw_scene
from model_zoo.training.tagger.take import Take

MIXES: Final = "mixes"
SETS: Final = ("piano_dev", "voice_dev", "guitar_dev", "drums_dev", MIXES, "rendered")
SCENES: Final = 24
KINDS: Final[tuple[Kind, ...]] = (
    "band", "chamber", "band", "guitar", "band", "chamber", "band", "piano",
)  # fmt: skip
"""The kinds of scenes, repeated cyclically."""

SEED: Final = 30_000_000
_SOUND: Final = (".flac", ".wav", ".mp3", ".ogg")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and its labels."""

    name: str
    load: Callable[[], Waveform]
    labels: Tags


def iterate_clips(name: str, data: Path) -> Iterator[Clip]:
    """Yield the clips of a set.

    Parameters
    ----------
    name : str
        One of :data:`SETS`, ``folder:PATH``, or ``NAME:PATH`` for a data set.
    data : Path
        Folder of the development data.

    Raises
    ------
    FileNotFoundError
        If the recordings, or what renders them, are missing.
    ImportError
        If a library that reads a data set is not installed.
    ValueError
        If there is no such set.
    """
    kind, _, folder = name.partition(":")
    if folder and kind == "folder":
        return _read_folder(Path(folder))
    if folder and kind in recordings.READERS:
        return _read_recordings(kind, Path(folder))
    if name == "rendered":
        return _render(data / "symbolic")
    if name == MIXES:
        return _mix(data)
    if name in _READERS:
        return _read_set(data / name, *_READERS[name])
    published = [f"{own}:PATH" for own in recordings.READERS]
    raise ValueError(f"no set {name}: there are {', '.join((*SETS, 'folder:PATH', *published))}")


def read_sound(path: Path) -> Waveform:
    """Read a sound file without conversion.

    Raises
    ------
    soundfile.LibsndfileError
        If it cannot be read.
    """
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return Waveform(np.ascontiguousarray(samples.T), rate_hz)


def read_maps(path: Path) -> Tags:
    """Read rows of onset, offset, pitch and velocity of a piano."""
    return Tags(_of_family(np.loadtxt(path, ndmin=2), "piano"))


def read_ssvd(path: Path) -> Tags:
    """Read rows of onset, offset and pitch of a voice."""
    notes = np.loadtxt(path, ndmin=2)
    return Tags(_of_family(np.column_stack([notes, np.full(len(notes), np.nan)]), "voice"))


def read_guitarset(path: Path) -> Tags:
    """Read the guitar notes of a JAMS file.

    Humphrey et al., "JAMS: a JSON annotated music specification for reproducible MIR research",
    ISMIR 2014.
    """
    rows = [
        (note["time"], note["time"] + note["duration"], note["value"], np.nan)
        for annotation in json.loads(path.read_text())["annotations"]
        if annotation["namespace"] == "note_midi"
        for note in annotation["data"]
    ]
    return Tags(by_onset(_of_family(np.array(rows, float).reshape(-1, 4), "guitar")))


def read_mdb_drums(path: Path) -> Tags:
    """Read rows of time and class; the class "OT" is ignored."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    strokes = [(float(t), DRUM_CLASSES.index(name)) for t, name in rows if name in DRUM_CLASSES]
    return Tags(None, by_onset(np.array(strokes, float).reshape(-1, 2)))


_Reader = Callable[[Path], Tags]
_READERS: Final[dict[str, tuple[str, str, _Reader]]] = {
    "piano_dev": (".flac", ".tsv", read_maps),
    "voice_dev": (".flac", ".txt", read_ssvd),
    "guitar_dev": ("_mic.flac", ".jams", read_guitarset),
    "drums_dev": ("_drum.flac", "_class.txt", read_mdb_drums),
}
"""Suffixes of sounds and labels, and the reader of the labels."""


def _read_set(folder: Path, sound: str, label: str, read: _Reader) -> Iterator[Clip]:
    paths = sorted(folder.glob(f"*{sound}"))
    if not paths:
        raise FileNotFoundError(f"no recordings in {folder}: NOTABOT_DATA names their folder")
    for path in paths:
        stem = path.name.removesuffix(sound)
        yield Clip(stem, partial(read_sound, path), read(folder / f"{stem}{label}"))


def _mix(data: Path) -> Iterator[Clip]:
    bands = [as_samples(song.instruments) for song in iterate_held_back(data)]
    random = np.random.default_rng(SEED)
    for clip in _read_set(data / "voice_dev", *_READERS["voice_dev"]):
        band = bands[int(random.integers(len(bands)))]
        yield Clip(clip.name, partial(_sing_over, clip.load, band), clip.labels)


def _sing_over(load: Callable[[], Waveform], band: Samples) -> Waveform:
    """Mix a melody with a looped accompaniment at equal levels."""
    melody = load()
    voice = resample(melody.mono(), melody.sample_rate_hz, BAND_RATE_HZ)
    looped = np.tile(band, -(-len(voice) // band.shape[-1]))[:, : len(voice)]
    level, other = (float(np.sqrt(np.mean(np.square(x)))) for x in (voice, looped))
    return Waveform(voice + looped * np.float32(level / max(other, 1e-6)), BAND_RATE_HZ)


def _read_folder(folder: Path) -> Iterator[Clip]:
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SOUND)
    paths = [path for path in paths if _midi_of(path).exists()]
    if not paths:
        raise FileNotFoundError(f"no sound file with a MIDI file of its name in {folder}")
    for path in paths:
        labels = from_piece(read_midi(_midi_of(path)), soundfile.info(path).duration)
        yield Clip(path.stem, partial(read_sound, path), labels)


def _read_recordings(name: str, folder: Path) -> Iterator[Clip]:
    count = 0
    for entry in recordings.list_recordings(name, folder):
        try:
            piece = entry.read()
        except ValueError:  # damaged, or its sound is missing
            continue
        if piece.audio is None or piece.origin.part in ("train", "dev"):
            continue
        count += 1
        labels = from_piece(piece, soundfile.info(piece.audio).duration)
        yield Clip(piece.name, partial(read_sound, piece.audio), labels)
    if not count:
        raise FileNotFoundError(f"no held-out recordings of {name} in {folder}")


def _midi_of(path: Path) -> Path:
    middle = path.with_suffix(".mid")
    return middle if middle.exists() else path.with_suffix(".midi")


def _render(symbolic: Path) -> Iterator[Clip]:
    if not HELD_BACK_SOUNDFONT.exists():
        raise FileNotFoundError(f"no {HELD_BACK_SOUNDFONT}: install csound-soundfont")
    corpora = load_corpora(symbolic, dev=True)
    for number in range(SCENES):
        kind = KINDS[number % len(KINDS)]
        take = draw_take(corpora, kind, SEED + number)
        waveform = Waveform(take.samples[None], RATE_HZ)
        yield Clip(f"{number:02d}-{kind}", partial(_given, waveform), from_take(take))


def draw_take(corpora: Corpora, kind: Kind, seed: int) -> Take:
    """Render a scene with the held-back soundfont, deterministically for a seed."""
    random = np.random.default_rng(seed)
    while True:
        try:
            return render(draw_scene(corpora, random, kind), random, HELD_BACK_SOUNDFONT)
        except ValueError:  # the piece is unusable: draw again
            continue


def _given(waveform: Waveform) -> Waveform:
    return waveform


def _of_family(notes: NoteArray, family: str) -> NoteArray:
    return np.column_stack([notes, np.full(len(notes), float(FAMILIES.index(family)))])
