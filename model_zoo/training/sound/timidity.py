"""Renders MIDI to sound with TiMidity++, which plays Gravis Ultrasound patches."""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import soundfile

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ

AMPLIFICATION_PERCENT: Final = 60
_PATCH: Final = re.compile(r"\s*(\d+)\s+\S+\.pat\b")


@cache
def read_programs(config: Path) -> frozenset[int]:
    """Return the General MIDI programs, 0-based, for which a configuration has patches."""
    programs = set()
    is_bank = False
    for line in config.read_text().splitlines():
        if line.startswith(("bank", "drumset")):
            is_bank = line.split() == ["bank", "0"]
        elif is_bank and (found := _PATCH.match(line)):
            programs.add(int(found[1]))
    return frozenset(programs)


def synthesise(midi: bytes, config: Path, *, reverb: bool, chorus: bool) -> Samples:
    """Render a MIDI file at ``RATE_HZ``: np.ndarray, shape (N,), float32, mono.

    Programs without a patch are silent.

    Raises
    ------
    subprocess.CalledProcessError
        If TiMidity++ fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.mid", Path(folder) / "out.wav"
        source.write_bytes(midi)
        command = ["timidity", "-c", str(config), "-id", "--quiet=2", "--preserve-silence"]
        command += ["-s", str(RATE_HZ), "--output-mono", f"-A{AMPLIFICATION_PERCENT}"]
        command += [f"-EFreverb={'n' if reverb else 'd'}", f"-EFchorus={'n' if chorus else 'd'}"]
        command += ["-Ow1s", "-o", str(target), str(source)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        samples: Samples = soundfile.read(target, dtype="float32")[0]
    return samples
