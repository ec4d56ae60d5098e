"""Banks of recorded notes, from packages of the npm registry.

======================== ============================================================ ===========
Bank                     Recorded by, and published as                                Licence
======================== ============================================================ ===========
salamander               Alexander Holm, a Yamaha C5 in 16 layers of velocity, every  CC BY 3.0
                         minor third: Salamander Grand Piano V3
bass-electric, saxophone Karoryfer Samples                                            CC BY 3.0
guitar-electric
bassoon, contrabass,     Versilian Studios: VSCO 2 Community Edition (CC0 there)      CC BY 3.0
flute, french-horn, harp,
organ, piano, trombone,
trumpet, tuba, violin,
xylophone
clarinet                 not told                                                     CC BY 3.0
guitar-acoustic          University of Iowa, Electronic Music Studios                 CC BY 3.0
cello                    freesound.org, pack 12408 by flcellogrl                      CC BY 3.0
guitar-nylon             freesound.org, pack 11573 by quartertone                     CC BY 3.0
harmonium                freesound.org, sound 330410 by donyaquick                    CC BY 3.0
======================== ============================================================ ===========

All but the first were gathered by Nicholas Brosowsky (tonejs-instruments), whose file
``sample-source-info.txt`` names the sources; the licence is the one that he gives the samples. The
packages' own "MIT" is of their code.

A bank is kept as two files: ``NAME.npy``, all samples one after another, mono, int16, at
:data:`RATE_HZ`, each scaled to the full range, to be mapped into memory, which processes share; and
``NAME.json``, their index. The sound of each begins :data:`LEAD_S` after its first sample, as
:func:`find_onset` hears it, and ends when it has decayed by :data:`DECAY_DB`.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ

SOUNDS: Final = Path("var/sounds")
LEAD_S: Final = 0.001
ONSET_DB: Final = -26.0
DECAY_DB: Final = -66.0
MAX_S: Final = 20.0

SPOILED: Final = {
    "guitar-nylon": {74},
    "cello": {40, 70},
    "trumpet": {48, 58},
    "clarinet": {90},
}
"""Recordings half a semitone or an octave away from the pitch that their names tell."""

_AUDIO: Final = re.compile(r"([A-G])([s#]?)(\d)(?:v(\d+))?\.(?:mp3|ogg|wav|flac)")
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Bank:
    """Where an instrument's samples come from.

    Attributes
    ----------
    name : str
    programs : tuple of int
        Of General MIDI, 0-based: what the instrument may stand for.
    packages : tuple of str
        Of npm, with versions.
    layer_tops : tuple of int
        The highest velocity of each layer, from the softest up.
    """

    name: str
    programs: tuple[int, ...]
    packages: tuple[str, ...]
    layer_tops: tuple[int, ...] = (127,)


def _tonejs(name: str, version: str, *programs: int) -> Bank:
    return Bank(name, programs, (f"tonejs-instrument-{name}-mp3@{version}",))


BANKS: Final = (
    Bank(
        "salamander",
        (0, 1),
        tuple(f"@audio-samples/piano-velocity{layer}@1.0.5" for layer in range(1, 17)),
        (26, 34, 36, 43, 46, 50, 56, 64, 72, 80, 87, 94, 100, 107, 117, 127),
    ),
    _tonejs("piano", "1.1.2", 0, 1),
    _tonejs("guitar-acoustic", "1.1.2", 25),
    _tonejs("guitar-nylon", "1.1.1", 24),
    _tonejs("guitar-electric", "1.1.1", 26, 27),
    _tonejs("bass-electric", "1.1.2", 33, 34),
    _tonejs("contrabass", "1.1.2", 32, 43),
    _tonejs("violin", "1.1.1", 40),
    _tonejs("cello", "1.1.1", 42),
    _tonejs("harp", "1.1.1", 46),
    _tonejs("trumpet", "1.1.2", 56),
    _tonejs("trombone", "1.1.2", 57),
    _tonejs("tuba", "1.1.2", 58),
    _tonejs("french-horn", "1.1.2", 60),
    _tonejs("saxophone", "1.1.2", 65, 66),
    _tonejs("bassoon", "1.1.2", 70),
    _tonejs("clarinet", "1.1.2", 71),
    _tonejs("flute", "1.1.2", 73),
    _tonejs("organ", "1.1.1", 19),
    _tonejs("harmonium", "1.1.1", 20),
    _tonejs("xylophone", "1.1.2", 13),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample of a bank.

    Attributes
    ----------
    pitch : float
        MIDI number.
    layer : int
        Of velocity, 0 the softest.
    start, stop : int
        Its place in the bank's array.
    peak : float
        What full scale stood for.
    """

    pitch: float
    layer: int
    start: int
    stop: int
    peak: float


def find_onset(samples: Samples, rate_hz: int = RATE_HZ) -> int:
    """Return the sample where a note begins: where it first comes within reach of its loudest.

    Loudness is the mean power over a millisecond, compared by :data:`ONSET_DB` with its highest in
    the note's first half-second.
    """
    width = max(round(0.001 * rate_hz), 1)
    power = uniform_filter1d(np.square(samples, dtype=np.float64), width)
    quiet = power < power.max() * 1e-4
    first = int(np.argmin(quiet)) if len(quiet) else 0
    highest = power[: first + rate_hz // 2].max(initial=0.0)
    return int(np.argmax(power >= highest * 10 ** (ONSET_DB / 10)))


def trim(samples: Samples, rate_hz: int = RATE_HZ) -> Samples:
    """Cut what comes before a note, and what is left of it when it has died away."""
    lead = round(LEAD_S * rate_hz)
    start = find_onset(samples, rate_hz) - lead
    note = np.pad(samples, (max(-start, 0), 0))[max(start, 0) :][: round(MAX_S * rate_hz)]
    level = maximum_filter1d(np.abs(note), max(round(0.02 * rate_hz), 1))
    heard = np.flatnonzero(level > level.max(initial=0.0) * 10 ** (DECAY_DB / 20))
    note = np.array(note[: heard[-1] + 1 if len(heard) else 0], np.float32)
    note[:lead] *= np.linspace(0.0, 1.0, min(lead, len(note)), dtype=np.float32)
    fade = min(round(0.01 * rate_hz), len(note))
    note[len(note) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return note


def load_sound(path: Path) -> Samples:
    """Decode a file: np.ndarray, shape (N,), float32, mono at RATE_HZ."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.asarray(soxr.resample(mono, rate_hz, RATE_HZ), np.float32)


def write_bank(folder: Path, name: str, sounds: Iterable[tuple[float, int, Samples]]) -> None:
    """Keep a bank.

    Parameters
    ----------
    folder : Path
    name : str
    sounds : iterable of (pitch, layer, samples)
        Trimmed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    pieces: list[np.ndarray] = []
    start = 0
    for pitch, layer, samples in sounds:
        peak = float(np.abs(samples).max(initial=1e-9))
        pieces.append(np.rint(samples / peak * 32767).astype(np.int16))
        entries.append(Entry(pitch, layer, start, start + len(samples), peak))
        start += len(samples)
    np.save(folder / f"{name}.npy", np.concatenate(pieces))
    text = json.dumps([asdict(entry) for entry in entries])
    (folder / f"{name}.json").write_text(text)


def read_index(folder: Path, name: str) -> list[Entry]:
    """Return what :func:`write_bank` kept.

    Raises
    ------
    FileNotFoundError
        If the bank is not there.
    """
    return [Entry(**entry) for entry in json.loads((folder / f"{name}.json").read_text())]


def parse_name(name: str) -> tuple[int, int] | None:
    """Return the pitch and the number of the layer that a file's name tells, C4 being 60."""
    if not (found := _AUDIO.fullmatch(name)):
        return None
    step, sharp, octave, layer = found.groups()
    return 12 * (int(octave) + 1) + _STEPS[step] + bool(sharp), int(layer or 1) - 1


def fetch(folder: Path, banks: Iterable[Bank], say: Callable[[str], None]) -> None:
    """Download banks that are not there yet.

    Raises
    ------
    subprocess.CalledProcessError
        If npm fails.
    """
    for bank in banks:
        if (folder / f"{bank.name}.json").exists():
            continue
        sounds: list[tuple[float, int, Samples]] = []
        with tempfile.TemporaryDirectory() as temporary:
            for package in bank.packages:
                for path in _unpack(package, Path(temporary)):
                    parsed = parse_name(path.name)
                    assert parsed is not None
                    if parsed[0] in SPOILED.get(bank.name, set()):
                        continue
                    sounds.append((float(parsed[0]), parsed[1], trim(load_sound(path))))
        write_bank(folder, bank.name, sorted(sounds, key=lambda sound: sound[:2]))
        say(f"{bank.name}: {len(sounds)} samples")


def _unpack(package: str, folder: Path) -> list[Path]:
    """Download a package; return the recordings in it."""
    ran = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    )
    paths = []
    with tarfile.open(folder / ran.stdout.strip().splitlines()[-1]) as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and parse_name(name) and (file := archive.extractfile(member)):
                (folder / name).write_bytes(file.read())
                paths.append(folder / name)
    return paths
