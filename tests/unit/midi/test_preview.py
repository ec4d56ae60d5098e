"""Previews: the synthesised sound, its limits, and missing programs."""

from __future__ import annotations

import errno
import io
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.errors import Cancelled, PreviewUnavailable
from inference_service.midi import preview as module
from inference_service.midi.preview import SOUNDFONTS, Synthesizer
from inference_service.midi.writer import encode_performance
from tests.factories import perform

NEEDS_SOUND = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not any(path.is_file() for path in SOUNDFONTS),
    reason="needs fluidsynth and a soundfont",
)
SCALE = encode_performance(perform({"piano": [(k, 1.0, 60 + k) for k in range(8)]}))


def decode(ogg: bytes) -> tuple[av.AudioStream, NDArray[np.float32]]:
    with av.open(io.BytesIO(ogg), "r") as container:
        track = container.streams.audio[0]
        frames = [frame.to_ndarray().ravel() for frame in container.decode(track)]
        return track, np.concatenate(frames)


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Replace fluidsynth by a script."""
    path = folder / "fluidsynth"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(path))


@NEEDS_SOUND
def test_a_scale_is_heard() -> None:
    track, samples = decode(Synthesizer().play(SCALE))
    assert (track.codec.name, track.rate, track.channels) == ("opus", 48000, 1)
    assert 4.0 <= len(samples) / 48000 < 9.0
    assert 10 ** (-6 / 20) < np.abs(samples).max() < 10 ** (-1 / 20)
    spectrum = np.abs(np.fft.rfft(samples[4800:24000] * np.hanning(19200)))
    # The lowest strong partial: a soundfont may give the second one more weight.
    lowest = np.flatnonzero(spectrum > spectrum.max() / 4)[0]
    assert lowest * 2.5 == pytest.approx(261.6, rel=0.02)


@NEEDS_SOUND
def test_a_long_piece_is_faded_out() -> None:
    reported: list[float] = []
    long = encode_performance(perform({"piano": [(k, 1.0, 60) for k in range(400)]}))
    _, samples = decode(Synthesizer(max_duration_s=5.0).play(long, reported.append))
    assert len(samples) / 48000 == pytest.approx(5.0, abs=0.05)
    assert np.abs(samples[-2400:]).max() < 0.05
    assert reported == sorted(reported)
    assert reported[-1] == 1.0


@NEEDS_SOUND
def test_silence_is_no_error() -> None:
    _, samples = decode(Synthesizer().play(encode_performance(perform({}))))
    assert len(samples) >= 48000
    assert np.abs(samples).max() < 0.01


@NEEDS_SOUND
def test_everything_at_once_does_not_clip() -> None:
    crowd = {f"part {k}": [(j, 4.0, 30 + 5 * k) for j in range(8)] for k in range(14)}
    _, samples = decode(Synthesizer(max_duration_s=4.0).play(encode_performance(perform(crowd))))
    assert np.abs(samples).max() < 10 ** (-1 / 20)


def test_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PreviewUnavailable, match="not installed"):
        Synthesizer().play(SCALE)


def test_without_room_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exit 0")
    (tmp_path / "any.sf2").touch()

    def refuse(**options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(PreviewUnavailable, match="No space left"):
        Synthesizer(tmp_path / "any.sf2").play(SCALE)


def test_without_a_soundfont(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(PreviewUnavailable, match="NOTABOT_PREVIEW_SOUNDFONT"):
        Synthesizer(tmp_path / "none.sf2").play(SCALE)


@pytest.mark.parametrize(
    ("script", "cause"), [("exit 0", "nothing"), ("exit 3", "failed"), ("kill -9 $$", "failed")]
)
def test_a_program_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, cause: str
) -> None:
    program(tmp_path, monkeypatch, script)
    (tmp_path / "any.sf2").touch()
    with pytest.raises(PreviewUnavailable, match=cause):
        Synthesizer(tmp_path / "any.sf2").play(SCALE)


def test_a_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(module, "TIMEOUT_S", 0.5)
    (tmp_path / "any.sf2").touch()
    begin_s = time.monotonic()
    with pytest.raises(PreviewUnavailable, match="took over"):
        Synthesizer(tmp_path / "any.sf2").play(SCALE)
    assert time.monotonic() - begin_s < 20


def test_endless_output_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exec cat /dev/zero")
    (tmp_path / "any.sf2").touch()
    _, samples = decode(Synthesizer(tmp_path / "any.sf2", max_duration_s=3.0).play(SCALE))
    assert len(samples) / 48000 == pytest.approx(3.0, abs=0.05)


def test_cancelling_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec cat /dev/zero")
    (tmp_path / "any.sf2").touch()

    def cancel(fraction: float) -> None:
        raise Cancelled("the caller went away")

    with pytest.raises(Cancelled):
        Synthesizer(tmp_path / "any.sf2").play(SCALE, cancel)
    pid = (tmp_path / "pid").read_text().strip()
    assert not Path(f"/proc/{pid}").exists()
