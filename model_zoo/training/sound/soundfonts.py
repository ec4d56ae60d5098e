"""General MIDI instruments: the sets of samples, and how often each is used.

========================== ================================ ============ ===========================
File                       Package                          Licence      Instruments
========================== ================================ ============ ===========================
FluidR3_GM.sf2             fluid-soundfont-gm               MIT          recorded, by Frank Wen
MuseScore_General_Full.sf2 musescore-general-soundfont-     MIT          FluidR3's, many replaced:
                           lossless                                      the piano is another
MuseScore_General_Full.sf3 musescore-general-soundfont      MIT          the same, compressed
FluidR3Mono_GM.sf3         fluidr3mono-gm-soundfont         MIT          FluidR3's, mono
OPL-3_FM_128M.sf2          opl3-soundfont                   CC BY-SA 4.0 a Yamaha OPL3's frequency
                                                                         modulation
sonivox.sf2                npm: @coderline/alphatab         Apache 2.0   recorded, small: Android's,
                                                                         by Sonic Network
freepats.cfg               freepats, for timidity           GPL 2        recorded, 75 of the
                                                                         programs, by many hands
TimGM6mb.sf2               timgm6mb-soundfont               GPL 2        recorded, small, by Tim
                                                                         Brechbill
sf_GMbank.sf2              csound-soundfont                 public       recorded, small; 283 of its
                                                            domain       431 samples are TimGM6mb's
========================== ================================ ============ ===========================

``FluidR3_GS.sf2`` of fluid-soundfont-gs has only variations outside General MIDI and is not used.
The last one, :data:`HELD_BACK_SOUNDFONT`, is for evaluation only. TimGM6mb shares most of its
samples, so it is not used for training either. Correlation finds none of its samples in
sonivox.sf2.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from inference_service.audio.waveform import Samples
from model_zoo.training.sound import fluidsynth, npm, timidity
from model_zoo.training.sound.samples import SOUNDS

SONIVOX: Final = "sonivox.sf2"
SONIVOX_PACKAGE: Final = "@coderline/alphatab@1.8.4"
PATCHES: Final = ".cfg"
"""Suffix of TiMidity configurations."""

_SF2: Final = Path("/usr/share/sounds/sf2")
_SF3: Final = Path("/usr/share/sounds/sf3")
SOUNDFONTS: Final = (
    ((_SF2 / "FluidR3_GM.sf2",), 0.32),
    ((_SF2 / "MuseScore_General_Full.sf2", _SF3 / "MuseScore_General_Full.sf3"), 0.20),
    ((_SF3 / "FluidR3Mono_GM.sf3",), 0.05),
    ((_SF2 / "OPL-3_FM_128M.sf2",), 0.08),
    ((SOUNDS / SONIVOX,), 0.18),
    ((Path("/etc/timidity/freepats.cfg"),), 0.17),
)
"""For training: the files that a soundfont may be, by preference, and its weight."""

HELD_BACK_SOUNDFONT: Final = _SF2 / "sf_GMbank.sf2"
"""For evaluation only."""


def draw_soundfont(random: Generator, programs: Iterable[int] | None = None) -> Path:
    """Draw one of the installed soundfonts.

    Parameters
    ----------
    random : np.random.Generator
    programs : iterable of int, optional
        Programs that it must have; by default all of General MIDI, and drums.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    wanted = None if programs is None else frozenset(programs)
    installed = [
        (next(path for path in paths if path.exists()), weight)
        for paths, weight in SOUNDFONTS
        if any(path.exists() for path in paths)
    ]
    able = [(path, weight) for path, weight in installed if _can_play(path, wanted)]
    if not able:
        raise FileNotFoundError("no soundfont: install fluid-soundfont-gm")
    weights = np.array([weight for _, weight in able])
    return able[int(random.choice(len(able), p=weights / weights.sum()))][0]


def synthesise(midi: bytes, soundfont: Path, *, reverb: bool, chorus: bool) -> Samples:
    """Render a MIDI file at ``RATE_HZ``: np.ndarray, shape (N,), float32, mono.

    Raises
    ------
    subprocess.CalledProcessError
        If the synthesiser fails.
    """
    player = timidity if soundfont.suffix == PATCHES else fluidsynth
    samples: Samples = player.synthesise(midi, soundfont, reverb=reverb, chorus=chorus)
    return samples


def fetch(folder: Path, say: Callable[[str], None]) -> None:
    """Download the soundfonts that Debian does not package, if they are missing.

    Raises
    ------
    subprocess.CalledProcessError
        If npm fails.
    """
    target = folder / SONIVOX
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = npm.unpack(SONIVOX_PACKAGE, Path(temporary), lambda name: name == SONIVOX)[0]
        path.rename(target)
    say(f"{SONIVOX}: {target.stat().st_size / 1e6:.1f} MB")


def _can_play(soundfont: Path, programs: frozenset[int] | None) -> bool:
    if soundfont.suffix != PATCHES:
        return True
    return programs is not None and programs <= timidity.read_programs(soundfont)
