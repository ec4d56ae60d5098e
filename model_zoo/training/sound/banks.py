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
clarinet                 not stated                                                   CC BY 3.0
guitar-acoustic          University of Iowa, Electronic Music Studios                 CC BY 3.0
cello                    freesound.org, pack 12408 by flcellogrl                      CC BY 3.0
guitar-nylon             freesound.org, pack 11573 by quartertone                     CC BY 3.0
harmonium                freesound.org, sound 330410 by donyaquick                    CC BY 3.0
======================== ============================================================ ===========

All but the first are from the collection tonejs-instruments by Nicholas Brosowsky, whose file
``sample-source-info.txt`` names the sources and whose licence for the samples is listed here. The
"MIT" of the packages themselves applies to their code.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model_zoo.training.sound import npm, samples
from model_zoo.training.sound.samples import Recording

SPOILED: Final = {
    "guitar-nylon": {74},
    "cello": {40, 70},
    "trumpet": {48, 58},
    "clarinet": {90},
}
"""Pitches of recordings that are off by half a semitone or an octave; they are not used."""

_AUDIO: Final = re.compile(r"([A-G])([s#]?)(\d)(?:v(\d+))?\.(?:mp3|ogg|wav|flac)")
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Bank:
    """The samples of one instrument and the packages that hold them.

    Attributes
    ----------
    name : str
    programs : tuple of int
        General MIDI programs, 0-based, that the instrument may play.
    packages : tuple of str
        npm packages with versions.
    layer_tops : tuple of int
        The highest velocity of each layer, from the softest.
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
        # as in the SFZ file of the bank
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


def parse_name(name: str) -> tuple[int, int] | None:
    """Return the pitch (C4 is 60) and the layer number that a file name states."""
    if not (found := _AUDIO.fullmatch(name)):
        return None
    step, sharp, octave, layer = found.groups()
    return 12 * (int(octave) + 1) + _STEPS[step] + bool(sharp), int(layer or 1) - 1


def fetch(folder: Path, banks: Iterable[Bank], say: Callable[[str], None]) -> None:
    """Download the banks that are missing.

    Raises
    ------
    subprocess.CalledProcessError
        If npm fails.
    """
    for bank in banks:
        if (folder / f"{bank.name}.json").exists():
            continue
        with tempfile.TemporaryDirectory() as temporary:
            paths = [
                path
                for package in bank.packages
                for path in npm.unpack(package, Path(temporary), _is_recording)
            ]
            spoiled = SPOILED.get(bank.name, set())
            named = sorted((parse_name(path.name) or (0, 0), path) for path in paths)
            recordings = (
                Recording(pitch, bank.layer_tops[layer], samples.trim(samples.load_sound(path)))
                for (pitch, layer), path in named
                if pitch not in spoiled
            )
            say(f"{bank.name}: {samples.write(folder, bank.name, recordings)} samples")


def _is_recording(name: str) -> bool:
    return parse_name(name) is not None
