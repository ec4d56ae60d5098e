"""MIDI to sound by FluidSynth, with the soundfonts that Debian packages.

=========================== ============================ ============== ==========================
File                        Package                      Licence        Instruments
=========================== ============================ ============== ==========================
FluidR3_GM.sf2              fluid-soundfont-gm           MIT            recorded, by Frank Wen
MuseScore_General_Full.sf3  musescore-general-soundfont  MIT            FluidR3's, half of them
                                                                        replaced, others' loudness
FluidR3Mono_GM.sf3          fluidr3mono-gm-soundfont     MIT            FluidR3's, mono
TimGM6mb.sf2                timgm6mb-soundfont           GPL 2          recorded, small, by Tim
                                                                        Brechbill
OPL-3_FM_128M.sf2           opl3-soundfont               GPL 3 or later a Yamaha OPL3's, by
                                                                        frequency modulation
sf_GMbank.sf2               csound-soundfont             public domain  recorded, small
=========================== ============================ ============== ==========================

``FluidR3_GS.sf2`` of fluid-soundfont-gs has only the variations that General MIDI lacks, and so is
of no use here. The last one, :data:`HELD_BACK_SOUNDFONT`, is for evaluation: nothing that trains
may sound like it.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from inference_service.audio.waveform import Samples

RATE_HZ: Final = 22_050
SOUNDFONTS: Final = (
    (Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"), 0.30),
    (Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3"), 0.20),
    (Path("/usr/share/fluidr3mono-gm-soundfont/FluidR3Mono_GM.sf3"), 0.05),
    (Path("/usr/share/sounds/sf2/TimGM6mb.sf2"), 0.35),
    (Path("/usr/share/sounds/sf2/OPL-3_FM_128M.sf2"), 0.10),
)
"""Those to train with, and how often each is taken; one that is not installed, never."""

HELD_BACK_SOUNDFONT: Final = Path("/usr/share/sounds/sf2/sf_GMbank.sf2")
"""Shares no sample with those above; for evaluation alone."""

GAIN: Final = 0.4
POLYPHONY: Final = 128
"""Voices; with fewer, notes that the labels tell of fall silent."""


def draw_soundfont(random: Generator) -> Path:
    """Draw one of the installed soundfonts.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    installed = [(path, weight) for path, weight in SOUNDFONTS if path.exists()]
    if not installed:
        raise FileNotFoundError("no soundfont: install fluid-soundfont-gm")
    weights = np.array([weight for _, weight in installed])
    return installed[int(random.choice(len(installed), p=weights / weights.sum()))][0]


def synthesise(
    midi: bytes, soundfont: Path, *, reverb: bool, chorus: bool, rate_hz: int = RATE_HZ
) -> Samples:
    """Render a MIDI file: np.ndarray, shape (N,), float32, mono.

    Raises
    ------
    subprocess.CalledProcessError
        If FluidSynth fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.mid", Path(folder) / "out.raw"
        source.write_bytes(midi)
        command = ["fluidsynth", "-niq", "-r", str(rate_hz), "-g", str(GAIN)]
        command += ["-R", str(int(reverb)), "-C", str(int(chorus))]
        command += ["-o", "synth.dynamic-sample-loading=1", "-o", f"synth.polyphony={POLYPHONY}"]
        command += ["-T", "raw", "-O", "s16", "-F", str(target), str(soundfont), str(source)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stereo = np.frombuffer(target.read_bytes(), np.int16).reshape(-1, 2)
    mono: Samples = stereo.astype(np.float32).mean(axis=1) / 32768
    return mono
