"""Drum kits: recorded strokes, mapped to General MIDI percussion keys.

===================== ========================= ================================ ==================
Kit                   Debian's package          By                               Licence
===================== ========================= ================================ ==================
GMRockKit             hydrogen-data             Glen MacArthur, Sebastian Moors  GPL
TR808EmulationKit     hydrogen-data             ArtemioLabs                      GPL
The Black Pearl 1.0   hydrogen-drumkits         Glen MacArthur                   GPL 2
ForzeeStereo          hydrogen-drumkits         Vladimir Sadovnikov, Alexander   GPL 2
                                                Belokurov
Millo_MultiLayered2,  hydrogen-drumkits         Emiliano Grilli                  GPL 2
Millo_MultiLayered3,
Millo-Drums_v.1
ColomboAcousticDrum-  hydrogen-drumkits         Marcos Guglielmetti              GPL 2 or later, or
kit                                                                              mixed into music
BJA_Pacific           hydrogen-drumkits         Bransin James Anderson, Luc      CC BY-SA 3.0 US
                                                Tunguay
rumpf_kit_z01_h2      hydrogen-drumkits         Emanuel Rumpf                    CC BY 3.0
Audiophob             hydrogen-drumkits         Audiophob                        CC0
ElectricEmpireKit,    hydrogen-drumkits         Artemiy Pavlov                   GPL 2 or later
HardElectro1,
VariBreaks
Black_Pearl_4_LV2,    avldrums.lv2-soundfont    Glen MacArthur, Robin Gareus     CC BY-SA
Red_Zeppelin_4_LV2
===================== ========================= ================================ ==================

Hydrogen describes a kit in ``drumkit.xml``: named instruments, each with layers by velocity (or, in
an older format, with one file). :func:`key_of` maps the names to keys. Sounds that are not a single
stroke of a General MIDI instrument (rolls, chokes, effects) are skipped. Instruments with the same
key are variants; one of them is used for a whole performance. FluidSynth renders each key of the
soundfonts once for each layer.

A key that a kit lacks is played, and labelled, as the nearest key of the same kind (:data:`KINDS`);
if there is none, the hit is dropped. Any hi-hat stroke stops the open hi-hat.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import mido
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.audio.waveform import Samples
from model_zoo.training.sound import samples
from model_zoo.training.sound.fluidsynth import RATE_HZ, synthesise
from model_zoo.training.sound.sampler import Notes, add
from model_zoo.training.sound.samples import LEAD_S, SOUNDS, Entry, Recording

HYDROGEN: Final = Path("/usr/share/hydrogen/data/drumkits")
SOUNDFONTS: Final = Path("/usr/share/sounds/sf2")
KITS: Final = (
    ("GMRockKit", 1.0),
    ("The Black Pearl 1.0", 1.0),
    ("ForzeeStereo", 1.0),
    ("Millo_MultiLayered2", 1.0),
    ("Millo_MultiLayered3", 1.0),
    ("Millo-Drums_v.1", 0.5),
    ("ColomboAcousticDrumkit", 1.0),
    ("BJA_Pacific", 1.0),
    ("Black_Pearl_4_LV2", 1.0),
    ("Red_Zeppelin_4_LV2", 1.0),
    ("rumpf_kit_z01_h2", 0.5),
    ("Audiophob", 0.3),
    ("ElectricEmpireKit", 0.3),
    ("HardElectro1", 0.3),
    ("VariBreaks", 0.3),
    ("TR808EmulationKit", 0.5),
)
"""Names of the kits, each with its weight in :func:`draw_kit`."""

KINDS: Final = (
    (35, 36),
    (38, 40),
    (37,),
    (39,),
    (42, 44),
    (46,),
    (41, 43, 45, 47, 48, 50),
    (49, 52, 55, 57),
    (51, 53, 59),
    (54,),
    (56,),
    (69, 70, 82),
    (60, 61, 62, 63, 64),
    (67, 68),
    (75, 76, 77),
)
"""Groups of keys that may replace each other."""

HATS: Final = (42, 44, 46)
OPEN_HAT: Final = 46
CHOKE_S: Final = 0.02
BALANCE_DB: Final = 3.0
EXPONENT: Final = (0.5, 1.2)

_NAMES: Final = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"roll|flink|choke|swish|snap|glass|^side o?hh", None),
        (r"side ?stick|rim ?click|\bstick\b", 37),
        (r"clap", 39),
        (r"rimshot", 40),
        (r"snare|^redo\b", 38),
        (r"kick|bass ?drum", 36),
        (r"(\bhat|-hat|\bhh\b).*(pedal|\bpd\b)|pedal (hh|hat)", 44),
        (r"(\bhat|-hat|\bhh\b).*(semi|open|\bop\b)|open (hh|hat)", 46),
        (r"(\bhat|-hat|\bhh\b).*(closed|\bcl\b)|closed (hh|hat)", 42),
        (r"floor|tom low|low tom", 41),
        (r"tom mid|middle tom|tom 2", 45),
        (r"tom ?hi[2-4]", 50),
        (r"tom ?hi|high tom|tom 1", 48),
        (r"^tom$", 47),
        (r"\bbell\b|\bcup\b", 53),
        (r"splash", 55),
        (r"china", 52),
        (r"crash/ride bow|ride 2|ride rock", 59),
        (r"^crash/ride", 57),
        (r"\bride\b", 51),
        (r"crash (right|jazz)|crash.*-2$", 57),
        (r"crash|cymbal", 49),
        (r"tambourine", 54),
        (r"cowbell", 56),
        (r"maraca|shaker", 70),
        (r"conga", 63),
        (r"agogo ?high", 67),
        (r"agogo ?low", 68),
        (r"clave", 75),
    )
)
_EXCEPTIONS: Final = {("ColomboAcousticDrumkit", "Pedal HH"): 46}
"""Instruments with misleading names: these samples are of a half-open hi-hat."""

_SOUNDFONT_KEYS: Final = {
    **{key: key for key in (36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 51, 53, 54, 55)},
    **{56: 56, 57: 57, 59: 59, 61: 70},
}
"""The soundfonts' keys and their General MIDI keys, without 48 (a swish), 50, 52, 58 (chokes)."""

_SOUNDFONT_TOPS: Final = (26, 52, 77, 102, 127)
_SPACING_S: Final = 6.0


def key_of(name: str) -> int | None:
    """Return the General MIDI key for the name of a Hydrogen instrument."""
    lowered = name.lower()
    return next((key for pattern, key in _NAMES if pattern.search(lowered)), None)


class Kit:
    """A drum kit that plays recorded strokes.

    Parameters
    ----------
    recorded : np.ndarray, shape (N,), int16
    entries : list of Entry
        Index of ``recorded``; the pitches are General MIDI keys.
    """

    def __init__(self, recorded: NDArray[np.int16], entries: list[Entry]) -> None:
        self._recorded = recorded
        self._strokes: dict[int, dict[int, list[Entry]]] = {}
        for entry in sorted(entries, key=lambda entry: entry.velocity):
            variants = self._strokes.setdefault(int(entry.pitch), {})
            variants.setdefault(entry.variant, []).append(entry)

    @property
    def keys(self) -> frozenset[int]:
        """The General MIDI keys of the kit."""
        return frozenset(self._strokes)

    def find(self, key: int) -> int | None:
        """Return the kit's key that stands for ``key``, or None."""
        kind = next((kind for kind in KINDS if key in kind), (key,))
        present = [other for other in kind if other in self._strokes]
        return min(present, key=lambda other: (abs(other - key), other), default=None)

    def play(self, hits: Notes, length_s: float, random: Generator) -> tuple[Samples, Notes]:
        """Play hits; return the sound, and the hits that sound.

        Parameters
        ----------
        hits : np.ndarray, shape (N, 4)
            Onset and offset in seconds, key, velocity; the offset is ignored.
        length_s : float
        random : Generator

        Returns
        -------
        samples : np.ndarray, shape (M,), float32
        hits : np.ndarray, shape (K, 4)
            Sorted by onset; the offset is the end of the sound.
        """
        exponent = float(random.uniform(*EXPONENT))
        chosen = {key: int(random.choice(sorted(self._strokes[key]))) for key in sorted(self.keys)}
        gains = {key: 10 ** (float(random.uniform(-BALANCE_DB, BALANCE_DB)) / 20) for key in chosen}
        hits = hits[np.argsort(hits[:, 0], kind="stable")]
        keys = [self.find(int(key)) for key in hits[:, 2]]
        stops_s = _choke(hits[:, 0], keys)
        sound = np.zeros(round(length_s * RATE_HZ), np.float32)
        sounded = []
        for (onset_s, _, _, velocity), key, stop_s in zip(hits, keys, stops_s, strict=True):
            start = round((onset_s - LEAD_S) * RATE_HZ)
            if key is None or start >= len(sound):
                continue
            layers = self._strokes[key][chosen[key]]
            entry = next((layer for layer in layers if layer.velocity >= velocity), layers[-1])
            stroke = self._recorded[entry.start : entry.stop].astype(np.float32)
            if onset_s + len(stroke) / RATE_HZ > stop_s:
                stroke = _stop(stroke, round(stop_s * RATE_HZ) - start)
            gain = gains[key] * entry.peak / 32767 * (velocity / entry.velocity) ** exponent
            add(sound, stroke, start, np.float32(gain))
            sounded.append((onset_s, onset_s + len(stroke) / RATE_HZ - LEAD_S, key, velocity))
        return sound, np.array(sounded, float).reshape(-1, 4)


def read_hydrogen(folder: Path) -> Iterator[Recording]:
    """Yield the strokes of a Hydrogen kit that have a General MIDI key.

    Raises
    ------
    FileNotFoundError
        If the folder holds no kit.
    """
    text = (folder / "drumkit.xml").read_text("utf-8", errors="replace")
    root = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", text))
    counts: dict[int, int] = {}
    for instrument in root.iter("instrument"):
        name = instrument.findtext("name") or ""
        key = _EXCEPTIONS.get((folder.name, name), key_of(name))
        if key is None:
            continue
        volume = _number(instrument, "volume") * _number(instrument, "gain")
        layers = list(instrument.iter("layer")) or [instrument]
        variant = counts[key] = counts.get(key, -1) + 1
        for layer in layers:
            path = folder / (layer.findtext("filename") or "")
            if not path.is_file():
                continue
            sound = samples.trim(samples.load_sound(path, _number(layer, "pitch", 0.0)))
            gain = volume * (_number(layer, "gain") if layer is not instrument else 1.0)
            top = max(round(_number(layer, "max") * 127), 1)
            yield Recording(key, top, sound * np.float32(gain), variant)


def read_soundfont(path: Path) -> Iterator[Recording]:
    """Render and yield the strokes of an AVL drum kit's soundfont.

    Raises
    ------
    subprocess.CalledProcessError
        If FluidSynth fails.
    """
    strokes = [(key, top) for key in _SOUNDFONT_KEYS for top in _SOUNDFONT_TOPS]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    spacing = round(_SPACING_S * 1000)
    for number, (key, top) in enumerate(strokes):
        wait = spacing - 10 if number else 0
        track.append(mido.Message("note_on", note=key, velocity=top, time=wait))
        track.append(mido.Message("note_off", note=key, time=10))
    track.append(mido.MetaMessage("end_of_track", time=spacing))
    target = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=1000, tracks=[track]).save(file=target)
    sound = synthesise(target.getvalue(), path, reverb=False, chorus=False)
    for number, (key, top) in enumerate(strokes):
        start = round(number * _SPACING_S * RATE_HZ)
        stroke = samples.trim(sound[start : start + round(_SPACING_S * RATE_HZ)])
        yield Recording(_SOUNDFONT_KEYS[key], top, stroke)


def keep_kits(folder: Path, say: Callable[[str], None]) -> None:
    """Store the strokes of installed kits that are not stored yet.

    Raises
    ------
    subprocess.CalledProcessError
        If FluidSynth fails.
    """
    for name, _ in KITS:
        if (folder / f"{name}.json").exists():
            continue
        soundfont = SOUNDFONTS / f"{name}.sf2"
        if (HYDROGEN / name / "drumkit.xml").exists():
            count = samples.write(folder, name, read_hydrogen(HYDROGEN / name))
        elif soundfont.exists():
            count = samples.write(folder, name, read_soundfont(soundfont))
        else:
            continue
        say(f"{name}: {count} strokes")


def load_kit(name: str, folder: Path = SOUNDS / "kits") -> Kit:
    """Load a kit that :func:`keep_kits` stored.

    Raises
    ------
    FileNotFoundError
        If it is not stored.
    """
    return Kit(*samples.read(folder, name))


def draw_kit(random: Generator, folder: Path = SOUNDS / "kits") -> str:
    """Draw the name of a stored kit.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    kept = [(name, weight) for name, weight in KITS if (folder / f"{name}.json").exists()]
    if not kept:
        raise FileNotFoundError(f"no drum kit in {folder}: install hydrogen-drumkits, and fetch")
    weights = np.array([weight for _, weight in kept])
    return kept[int(random.choice(len(kept), p=weights / weights.sum()))][0]


def _choke(onsets_s: NDArray[np.float64], keys: list[int | None]) -> NDArray[np.float64]:
    """Return when each stroke is stopped by a later hi-hat stroke; infinity if never."""
    stops_s = np.full(len(keys), np.inf)
    following_s = np.inf
    for index in range(len(keys) - 1, -1, -1):
        if keys[index] == OPEN_HAT:
            stops_s[index] = following_s
        if keys[index] in HATS:
            following_s = float(onsets_s[index])
    return stops_s


def _stop(stroke: Samples, count: int) -> Samples:
    """Return the first ``count`` samples of a stroke, and a fade-out."""
    fade = round(CHOKE_S * RATE_HZ)
    stopped = stroke[: max(count, 0) + fade].copy()
    ramp = np.linspace(1.0, 0.0, fade, dtype=np.float32)
    faded = stopped[max(count, 0) :]
    faded *= ramp[: len(faded)]
    return stopped


def _number(element: ElementTree.Element, name: str, default: float = 1.0) -> float:
    return float(element.findtext(name) or default)
