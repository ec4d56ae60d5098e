"""Synthesise a MIDI file as a preview, with FluidSynth, as Opus in Ogg.

FluidSynth is an external program and uses a soundfont of the system; neither comes with this
package, so either may be missing. Its output is read from a pipe, at most up to the duration limit
and for ``TIMEOUT_S``. It is mixed to one channel and normalised to a peak of ``PEAK_DBFS``, which
leaves headroom for the codec. Telegram plays 48 kHz Opus in Ogg as a voice message.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.audio.encode import SoundFormat, encode
from inference_service.audio.waveform import Waveform
from inference_service.errors import PreviewUnavailable
from inference_service.progress import Report, ignore

RATE_HZ: Final = 48_000
PEAK_DBFS: Final = -3.0
TIMEOUT_S: Final = 90.0
SOUNDFONTS: Final = tuple(
    Path("/usr/share") / path
    for path in (
        "sounds/sf2/FluidR3_GM.sf2",
        "sounds/sf2/default-GM.sf2",
        "soundfonts/FluidR3_GM.sf2",
        "soundfonts/default.sf2",
        "sounds/sf3/MuseScore_General.sf3",
        "sounds/sf3/default-GM.sf3",
        "sounds/sf2/TimGM6mb.sf2",
    )
)
"""Where Linux distributions install General MIDI soundfonts, the best first."""

_PROGRAM: Final = "fluidsynth"
_GAIN: Final = 0.4
_FADE_S: Final = 2.0
_LEAST_S: Final = 1.0
_GREATEST_BOOST_DB: Final = 30.0
_CHANNELS: Final = 2

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Synthesizer:
    """Renders MIDI files as sound.

    Attributes
    ----------
    soundfont : Path or None
        None means the first existing one of ``SOUNDFONTS``.
    max_duration_s : float
        Longer music is cut here with a fade-out, in seconds.
    """

    soundfont: Path | None = None
    max_duration_s: float = 300.0

    def play(self, midi: bytes, report: Report = ignore) -> bytes:
        """Render a standard MIDI file as Opus in Ogg, 48 kHz, one channel.

        Raises
        ------
        PreviewUnavailable
            If FluidSynth or a soundfont is missing, FluidSynth fails, or the machine has no room
            for a file or a process.
        """
        program, soundfont = self.require()
        try:
            with tempfile.NamedTemporaryFile(suffix=".mid") as file:
                file.write(midi)
                file.flush()
                samples = self._render([program, *_ARGUMENTS, str(soundfont), file.name], report)
        except OSError as error:
            raise PreviewUnavailable(f"{_PROGRAM} was not started: {error.strerror}") from error
        played = Waveform(_level(samples)[np.newaxis], RATE_HZ)
        return encode(played, SoundFormat.OPUS)

    def require(self) -> tuple[str, Path]:
        """Return the paths of FluidSynth and the soundfont, which also checks that they exist.

        Raises
        ------
        PreviewUnavailable
            If FluidSynth or a soundfont is missing.
        """
        program = shutil.which(_PROGRAM)
        if program is None:
            raise PreviewUnavailable(f"{_PROGRAM} is not installed")
        candidates = SOUNDFONTS if self.soundfont is None else (self.soundfont,)
        soundfont = next((path for path in candidates if path.is_file()), None)
        if soundfont is None:
            raise PreviewUnavailable("there is no soundfont: see NOTABOT_PREVIEW_SOUNDFONT")
        return program, soundfont

    def _render(self, command: list[str], report: Report) -> Samples:
        """Return the output of the program, mixed to one channel, shape (N,)."""
        limit = round(self.max_duration_s * RATE_HZ)
        blocks: list[Samples] = []
        count = 0
        with _pipe(command) as process:
            assert process.stdout is not None
            while count < limit:
                data = process.stdout.read(RATE_HZ * _CHANNELS * 4)
                if not data:
                    break
                frames = np.frombuffer(data[: len(data) // 8 * 8], "<f4").reshape(-1, _CHANNELS)
                blocks.append(frames.mean(axis=1, dtype=np.float32)[: limit - count])
                count += len(blocks[-1])
                report(min(count / limit, 1.0))
            is_cut = count >= limit
            if not is_cut and process.wait() != 0:
                raise PreviewUnavailable(f"{_PROGRAM} failed or took over {TIMEOUT_S:.0f} s")
        if not count:
            raise PreviewUnavailable(f"{_PROGRAM} played nothing")
        samples = np.concatenate(blocks)
        if is_cut:
            fade = min(round(_FADE_S * RATE_HZ), count)
            samples[count - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        return samples


_ARGUMENTS: Final = (
    "-ni", "-q", "-r", str(RATE_HZ), "-g", str(_GAIN), "-o", "synth.dynamic-sample-loading=1",
    "-T", "raw", "-O", "float", "-E", "little", "-F", "-",
)  # fmt: skip


@contextmanager
def _pipe(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output piped; kill it after the block or after ``TIMEOUT_S``."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    watchdog = Timer(TIMEOUT_S, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def _level(samples: Samples) -> Samples:
    """Normalise the peak to ``PEAK_DBFS``, and pad short sounds with silence."""
    finite = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
    peak = float(np.abs(finite).max())
    if peak > 0:
        boost = min(10 ** (PEAK_DBFS / 20) / peak, 10 ** (_GREATEST_BOOST_DB / 20))
        finite = finite * np.float32(boost)
    missing = max(round(_LEAST_S * RATE_HZ) - len(finite), 0)
    return np.pad(finite, (0, missing))
