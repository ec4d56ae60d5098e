"""MIDI to sound by FluidSynth, with the soundfonts that Debian packages.

========================== ================================ ============ ===========================
File                       Package                          Licence      Instruments
========================== ================================ ============ ===========================
FluidR3_GM.sf2             fluid-soundfont-gm               MIT          recorded, by Frank Wen
MuseScore_General_Full.sf2 musescore-general-soundfont-     MIT          FluidR3's, many replaced:
                           lossless                                      the piano is another
MuseScore_General_Full.sf3 musescore-general-soundfont      MIT          the same, compressed
FluidR3Mono_GM.sf3         fluidr3mono-gm-soundfont         MIT          FluidR3's, mono
TimGM6mb.sf2               timgm6mb-soundfont               GPL 2        recorded, small, by Tim
                                                                         Brechbill
OPL-3_FM_128M.sf2          opl3-soundfont                   CC BY-SA 4.0 a Yamaha OPL3's frequency
                                                                         modulation
sf_GMbank.sf2              csound-soundfont                 public       recorded, small; 283 of its
                                                            domain       431 samples are TimGM6mb's
========================== ================================ ============ ===========================

``FluidR3_GS.sf2`` of fluid-soundfont-gs has only the variations that General MIDI lacks, and so is
of no use here. The last one, :data:`HELD_BACK_SOUNDFONT`, is for evaluation and never trained with,
nor is TimGM6mb, which knows most of its sounds.

Seconds of sound for a second on one core at 22.05 kHz, for a minute of a pianist and of a band:
FluidR3 150 and 79, MuseScore General 70 and 40 (compressed 27 and 9: each time it is loaded, the
samples are decoded), FluidR3Mono 90 and 60, TimGM6mb 150 and 55, OPL-3 200 and 150. Reverberation
and chorus cost a tenth to a third; linear interpolation, fewer voices and longer buffers gain
little.
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
_SF2: Final = Path("/usr/share/sounds/sf2")
_SF3: Final = Path("/usr/share/sounds/sf3")
SOUNDFONTS: Final = (
    ((_SF2 / "FluidR3_GM.sf2",), 0.50),
    ((_SF2 / "MuseScore_General_Full.sf2", _SF3 / "MuseScore_General_Full.sf3"), 0.30),
    ((_SF3 / "FluidR3Mono_GM.sf3",), 0.08),
    ((_SF2 / "OPL-3_FM_128M.sf2",), 0.12),
)
"""Those to train with: of each the files that it may be, and how often it is taken."""

HELD_BACK_SOUNDFONT: Final = _SF2 / "sf_GMbank.sf2"
"""For evaluation alone."""

GAIN: Final = 0.4
LATENESS_SAMPLES: Final = 96
"""Notes begin with the block of 64 samples that follows the one which their time lies in: so much
late in the mean, which is taken back; an error of half a block is left."""


def draw_soundfont(random: Generator) -> Path:
    """Draw one of the installed soundfonts.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    installed = [
        (next(path for path in paths if path.exists()), weight)
        for paths, weight in SOUNDFONTS
        if any(path.exists() for path in paths)
    ]
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
        command += ["-o", "synth.dynamic-sample-loading=1"]
        # as floating-point numbers, which do not clip
        command += ["-T", "raw", "-O", "float", "-F", str(target), str(soundfont), str(source)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stereo = np.frombuffer(target.read_bytes(), np.float32).reshape(-1, 2)
    mono: Samples = stereo[LATENESS_SAMPLES:].mean(axis=1)
    return mono
