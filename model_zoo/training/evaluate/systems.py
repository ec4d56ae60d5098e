"""The systems under evaluation: our own note tagger and its peers.

============== ======== ============================================================== ===========
Name           Input    Implementation                                                 Families
============== ======== ============================================================== ===========
notabot-notes  anything :mod:`inference_service.tagger.notes.tagger`, with drums        yes
basic-pitch    anything :mod:`inference_service.tagger.basic_pitch`                    no
transkun       pianos   :mod:`inference_service.tagger.transkun.tagger`                piano
swift-f0       a voice  ``segment_notes`` of the package, notes over 50 ms             no
voice-rules    a voice  :mod:`inference_service.tagger.swift_f0`, rules over swift-f0  no
voice-preset   a voice  :mod:`inference_service.tagger.singing.tagger`                 no
song-vocals    a voice  voice-preset on the vocals that a separator extracts, as in    no
               the song preset
============== ======== ============================================================== ===========

The output of peers is cached on disk by the SHA-256 of the sound, for each version of their package
and of our files involved. The note tagger and the song preset are never cached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

import numpy as np

from inference_service.audio.tuning import estimate_tuning
from inference_service.audio.waveform import Waveform
from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.music.pitch import frequency_to_pitch
from inference_service.pipeline.bleed import remove_residue
from inference_service.progress import Report, ignore
from inference_service.separation.classical import RepetSimSeparator
from inference_service.separation.masking import MaskingSeparator
from inference_service.tagger import basic_pitch, swift_f0
from inference_service.tagger.notes.tagger import load_tagger
from inference_service.tagger.singing import decoding, features, network
from inference_service.tagger.singing import tagger as singing
from inference_service.tagger.transkun import network as transkun_network
from inference_service.tagger.transkun import semi_markov
from inference_service.tagger.transkun import tagger as transkun
from model_zoo.training.evaluate import convert
from model_zoo.training.evaluate.metrics import UNKNOWN, Tags

OURS: Final = "notabot-notes"
SONG_VOCALS: Final = "song-vocals"
_WEIGHTS: Final = Path(__file__).parents[2] / "weights"
VOCALS_WEIGHTS: Final = _WEIGHTS / "vocals.safetensors"
SINGING_WEIGHTS: Final = _WEIGHTS / "singing.safetensors"
TIMBRE: Final = _WEIGHTS / "timbre.safetensors"
MIN_NOTE_S: Final = 0.05
"""Minimum duration of swift-f0's notes, as in its published figures on sung melodies."""

Hear = Callable[[Waveform], Tags]


class _Separator(Protocol):
    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]: ...


class _Tagger(Protocol):
    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """A system for comparison.

    Attributes
    ----------
    package : str
        Name on PyPI.
    files : tuple of Path
        Our code and weights that influence its output.
    load : callable
        Builds the system for a device and a number of threads.
    """

    package: str
    files: tuple[Path, ...]
    load: Callable[[str, int], Hear]

    @property
    def version(self) -> str:
        """The package's version and eight digits of the SHA-256 of our files."""
        number = version(self.package)
        if not self.files:
            return number
        hashed = hashlib.sha256(b"".join(file.read_bytes() for file in self.files)).hexdigest()
        return f"{number}-{hashed[:8]}"


def load_ours(weights: Path, device: str) -> Hear:
    """Load our own note tagger.

    Raises
    ------
    FileNotFoundError
        If the weights are missing.
    """
    tagger = load_tagger(weights, TIMBRE, device)

    def hear(waveform: Waveform) -> Tags:
        return convert.from_parts(tagger.tag_parts({"mixture": waveform}, 0.0, ignore))

    return hear


def load_song_vocals(separator: str, device: str, threads: int) -> Hear:
    """Load the transcription of vocals of the song preset, with one of :data:`SEPARATORS`.

    Raises
    ------
    FileNotFoundError
        If the separator's weights are missing.
    """
    separate = SEPARATORS[separator](device)
    tagger = singing.load_tagger(SINGING_WEIGHTS, device, threads)

    def hear(waveform: Waveform) -> Tags:
        vocals = separate.separate(waveform, ignore)["vocals"]
        notes = tagger.tag(vocals, estimate_tuning(waveform), ignore)
        return Tags(convert.to_notes(remove_residue(notes, vocals, waveform)))

    return hear


def _load_own_separator(device: str) -> MaskingSeparator:
    return MaskingSeparator.from_file(VOCALS_WEIGHTS, device)


SEPARATORS: Final[Mapping[str, Callable[[str], _Separator]]] = {
    "notabot-vocals": _load_own_separator,
    "repet-sim": lambda device: RepetSimSeparator(),
}


def keep(hear: Callable[[], Hear], folder: Path) -> Hear:
    """Return a system that caches its output for each sound.

    Parameters
    ----------
    hear : callable
        Loads the system; called when a sound is not cached.
    folder : Path
        Folder of the cache, with a file for each sound.
    """
    loaded: list[Hear] = []

    def remember(waveform: Waveform) -> Tags:
        path = folder / f"{digest(waveform)}.npy"
        if path.exists():
            return Tags(np.load(path))
        if not loaded:
            loaded.append(hear())
        notes = loaded[0](waveform).notes
        assert notes is not None
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, notes)
        partial.replace(path)
        return Tags(notes)

    return remember


def digest(waveform: Waveform) -> str:
    """Return the SHA-256 digest of a sound."""
    hashed = hashlib.sha256(str(waveform.sample_rate_hz).encode())
    hashed.update(np.ascontiguousarray(waveform.samples).tobytes())
    return hashed.hexdigest()


def _load_basic_pitch(device: str, threads: int) -> Hear:
    return _hear_by(basic_pitch.BasicPitchTagger(threads=threads), UNKNOWN)


def _load_transkun(device: str, threads: int) -> Hear:
    return _hear_by(transkun.TranskunTagger(device), FAMILIES.index("piano"))


def _load_voice_rules(device: str, threads: int) -> Hear:
    return _hear_in_tune(swift_f0.SwiftF0Tagger(threads))


def _load_voice_preset(device: str, threads: int) -> Hear:
    return _hear_in_tune(singing.load_tagger(SINGING_WEIGHTS, device, threads))


def _hear_in_tune(tagger: _Tagger) -> Hear:
    def hear(waveform: Waveform) -> Tags:
        return Tags(convert.to_notes(tagger.tag(waveform, estimate_tuning(waveform), ignore)))

    return hear


def _load_swift_f0(device: str, threads: int) -> Hear:
    from swift_f0 import SwiftF0, segment_notes

    detector = SwiftF0(threads=threads, spin=False)

    def hear(waveform: Waveform) -> Tags:
        contour = detector.detect(waveform.mono(), waveform.sample_rate_hz)
        rows = [
            (note.start, note.end, frequency_to_pitch(note.pitch_hz), np.nan, UNKNOWN)
            for note in segment_notes(contour)
            if note.end - note.start > MIN_NOTE_S
        ]
        return Tags(np.array(rows, float).reshape(-1, 5))

    return hear


def _hear_by(tagger: _Tagger, family: int) -> Hear:
    def hear(waveform: Waveform) -> Tags:
        return Tags(convert.to_notes(tagger.tag(waveform, 0.0, ignore), family))

    return hear


def _code(*modules: ModuleType) -> tuple[Path, ...]:
    return tuple(Path(str(module.__file__)) for module in modules)


_SINGING: Final = _code(singing, features, decoding, network, swift_f0)

PEERS: Final[Mapping[str, Peer]] = {
    "basic-pitch": Peer("basic-pitch", _code(basic_pitch), _load_basic_pitch),
    "transkun": Peer("transkun", _code(transkun, transkun_network, semi_markov), _load_transkun),
    "swift-f0": Peer("swift-f0", (), _load_swift_f0),
    "voice-rules": Peer("swift-f0", _code(swift_f0), _load_voice_rules),
    "voice-preset": Peer("swift-f0", (*_SINGING, SINGING_WEIGHTS), _load_voice_preset),
}
PEERS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "piano_dev": ("basic-pitch", "transkun"),
    "voice_dev": ("basic-pitch", "swift-f0", "voice-rules", "voice-preset"),
    "guitar_dev": ("basic-pitch",),
    "drums_dev": (),
    "mixes": ("basic-pitch", "swift-f0", "voice-rules", "voice-preset"),
    "rendered": ("basic-pitch",),
}
"""Peers for each set; Basic Pitch for other sets. None of them transcribes drums."""
