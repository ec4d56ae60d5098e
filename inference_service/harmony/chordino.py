"""Chord estimation by Chordino.

Chordino (Mauch and Dixon, "Approximate Note Transcription for the Improved Identification of
Difficult Chords", ISMIR 2010; the Vamp plugin ``nnls-chroma``, GPL) computes a chroma by
non-negative least squares and decodes chords from its dictionary with a hidden Markov model. The
plugin adapts to the tuning of the recording. It can return labels in Harte's syntax: twelve roots,
major, minor, 7, maj7, min7, maj6, min6, dim, aug, hdim7, inversions as degrees (``"C/3"``), ``N``.

The plugin runs in a separate process (:mod:`inference_service.harmony.chordino_worker`), started
for each request and killed when the request is cancelled.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Final

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import Internal
from inference_service.harmony.chord_segments import build_segments
from inference_service.model_files import ModelFiles
from inference_service.music.events import ChordSegment
from inference_service.progress import Report
from inference_service.settings import ModelSettings

SAMPLE_RATE_HZ: Final = 44_100
POLL_S: Final = 0.2
REAL_TIME_FACTOR: Final = 0.02
"""Upper bound on one core, from which progress is estimated: the process reports none."""


def default_plugin_folder() -> Path:
    """Return the folder of ``nnls-chroma.so`` in the installed package ``chord-extractor``.

    Raises
    ------
    FileNotFoundError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("chord_extractor")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package chord-extractor is not installed")
    return Path(spec.origin).parent / "_lib"


class ChordinoEstimator:
    """Estimates the chords of a recording.

    Parameters
    ----------
    plugin_folder : Path, optional
        Folder of ``nnls-chroma.so``; by default that of the package ``chord-extractor``.

    Raises
    ------
    FileNotFoundError
        If the plugin is not found.
    """

    def __init__(self, plugin_folder: Path | None = None) -> None:
        folder = plugin_folder or default_plugin_folder()
        if not (folder / "nnls-chroma.so").exists():
            raise FileNotFoundError(f"no nnls-chroma.so in {folder}")
        self._command = [sys.executable, "-m", "inference_service.harmony.chordino_worker"]
        self._environment = {**os.environ, "VAMP_PATH": str(folder)}

    def estimate(self, waveform: Waveform, report: Report) -> list[ChordSegment]:
        """Return adjoining segments that cover the waveform.

        Raises
        ------
        Internal
            If the plugin's process fails.
        """
        mono = resample(waveform.mono(), waveform.sample_rate_hz, SAMPLE_RATE_HZ)
        changes = self._run(mono, waveform.duration_s, report)
        report(1.0)
        return build_segments(changes, waveform.duration_s)

    def _run(self, mono: Samples, duration_s: float, report: Report) -> list[tuple[float, str]]:
        # A file instead of a pipe: communicate() cannot resume writing after a timeout.
        with _open_scratch() as samples:
            mono.tofile(samples)
            samples.seek(0)
            with subprocess.Popen(
                self._command,
                stdin=samples,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
            ) as process:
                output, errors = _wait(process, 1.0 + REAL_TIME_FACTOR * duration_s, report)
        if process.returncode != 0:
            last_line = errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise Internal(f"Chordino ended with {process.returncode}: {last_line}")
        return [(float(start_s), str(label)) for start_s, label in json.loads(output)]


def build(entry: ModelFiles, settings: ModelSettings) -> ChordinoEstimator:
    """Build the estimator, as the manifest declares it."""
    return ChordinoEstimator()


def _open_scratch() -> IO[bytes]:
    """Open a file without a name, where possible in memory, so that a full disk does no harm."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("samples"), "w+b")
    return tempfile.TemporaryFile()


def _wait(
    process: subprocess.Popen[bytes], expected_s: float, report: Report
) -> tuple[bytes, bytes]:
    """Return a process's standard output and error; kill it if ``report`` raises."""
    polls = 0
    while True:
        try:
            report(min(polls * POLL_S / expected_s, 0.95))
            return process.communicate(timeout=POLL_S)
        except subprocess.TimeoutExpired:
            polls += 1
        except BaseException:
            process.kill()
            raise
