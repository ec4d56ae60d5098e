"""The decoder's process: its limits, and every way in which it can end."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from inference_service.audio import decoder_process
from inference_service.audio.decode import AudioLimits, decode
from inference_service.errors import (
    AudioError,
    AudioUnreadable,
    Cancelled,
    DeadlineExceeded,
    Internal,
    QueueFull,
)
from inference_service.progress import ignore
from tests.attack.bombs import (
    build_edited_mp4,
    build_fragmented_matroska,
    build_transport_stream,
    flip_bits,
)
from tests.factories import build_tone, encode_audio

LIMITS = AudioLimits()
TONE = encode_audio(build_tone(440))


@pytest.fixture(autouse=True)
def no_spare() -> Iterator[None]:
    """Start each test without a waiting process, and end the one that it leaves."""
    decoder_process.SPARE.close()
    yield
    decoder_process.SPARE.close()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that decodes with a process that runs the given code."""

    def run(code: str) -> Any:
        command = (sys.executable, "-c", code)
        monkeypatch.setattr(decoder_process, "_COMMAND", command)
        return decode(TONE, LIMITS, ignore)

    return run


def worker(behaviour: str, setup: str = "") -> str:
    """Return the code of a decoder that behaves in a certain way once it has its file."""
    return (
        "import os, time\n"
        "from inference_service.audio import decode_worker\n"
        "from inference_service.errors import AudioUnreadable\n"
        f"{setup}\n"
        "def decode_track(data, limits, report):\n"
        f"    {behaviour}\n"
        "    yield ()\n"
        "decode_worker.decode_track = decode_track\n"
        "decode_worker.main()\n"
    )


@pytest.mark.parametrize(
    "data",
    [build_edited_mp4(1_000_000), build_fragmented_matroska(900_000)],
    ids=["MP4 that names a frame a million times", "Matroska of packets of a sample"],
)
def test_work_is_bounded_by_the_sound_that_comes_out(data: bytes) -> None:
    assert len(data) < 8e6
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(AudioUnreadable, match="packets yield"):
        decode(data, LIMITS, ignore)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Without a limit on packets, they take 15 seconds.
    assert after.ru_utime - before.ru_utime < 5.0


def test_edits_and_small_packets_are_allowed_in_reason() -> None:
    assert decode(build_edited_mp4(1000), LIMITS, ignore).duration_s == pytest.approx(0.37, abs=0.1)
    small = decode(build_fragmented_matroska(1000, samples=64), LIMITS, ignore)
    assert small.duration_s == pytest.approx(64_000 / 44100, abs=0.01)


def test_a_transport_stream_whose_damage_adds_a_stream_yields_what_came_before() -> None:
    """PyAV raised an IndexError, which became INTERNAL."""
    data = build_transport_stream()
    outcomes = set()
    for seed in (17, 41, 43):
        positions = np.random.default_rng(seed).integers(0, len(data) * 8, 44)
        try:
            waveform = decode(flip_bits(data, positions.tolist()), LIMITS, ignore)
            outcomes.add(waveform.duration_s > 0)
        except AudioError:
            outcomes.add(False)
    assert outcomes


def test_cpu_time_is_limited(run: Any) -> None:
    start_s = time.monotonic()
    with pytest.raises(AudioUnreadable, match="signal"):
        run(worker("while True: pass", "decode_worker.CPU_S = 1"))
    assert time.monotonic() - start_s < 30.0


def test_memory_is_limited(run: Any) -> None:
    with pytest.raises(AudioUnreadable, match="memory"):
        run(worker("held = [bytes(2**28) for _ in range(8)]"))


def test_files_are_not_written(run: Any, tmp_path: Any) -> None:
    with pytest.raises(AudioUnreadable):
        run(worker(f"open({str(tmp_path / 'x')!r}, 'w').write('x' * 10000)"))
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0


def test_settings_are_not_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTABOT_SERVER_TOKEN", "secret")
    monkeypatch.setenv("BOT_TOKEN", "secret")
    with pytest.raises(AudioUnreadable) as caught:
        run(worker("raise AudioUnreadable(' '.join(os.environ.values()))"))
    assert "secret" not in caught.value.cause


def test_a_mistake_in_the_decoder_is_an_unreadable_file(run: Any) -> None:
    with pytest.raises(AudioUnreadable, match="IndexError"):
        run(worker("raise IndexError('list index out of range')"))


def test_a_crash_is_an_unreadable_file(run: Any) -> None:
    with pytest.raises(AudioUnreadable, match="signal 11"):
        run(worker("os.kill(os.getpid(), 11)"))


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "pass",
        "import os; os.write(1, b'1' + b'\\xff' * 4)",
        "import os; os.write(1, b'e\\x02\\0\\0\\0{}')",
        "import os; os.write(1, b'1\\x03\\0\\0\\0abc')",
        "import os; os.write(1, b'p\\0\\0\\0\\0')",
    ],
    ids=["exits", "silent", "too long", "no error", "no samples", "no fraction"],
)
def test_what_is_no_decoder_is_an_internal_error(run: Any, code: str) -> None:
    with pytest.raises(Internal):
        run(code)


def test_a_process_that_hangs_is_ended(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "_WALL_S", 0.5)
    monkeypatch.setattr(decoder_process, "_WALL_S_PER_CPU_S", 0.0)
    with pytest.raises(DeadlineExceeded):
        run(worker("time.sleep(60)"))


def test_a_process_that_reports_nothing_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, "-c", worker("time.sleep(60)"))
    monkeypatch.setattr(decoder_process, "_COMMAND", command)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    begin_s = time.monotonic()

    def cancel(fraction: float) -> None:
        if time.monotonic() - begin_s > 0.3:
            raise Cancelled("the caller went away")

    with pytest.raises(Cancelled):
        decode(TONE, LIMITS, cancel)
    assert time.monotonic() - begin_s < 10.0
    assert started[0].returncode == -9


def test_without_a_process_the_caller_is_asked_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(QueueFull, match="Too many open files") as caught:
        decode(TONE, LIMITS, ignore)
    assert caught.value.params == {"retry_after_s": 10.0}


def test_the_next_process_waits_for_its_file() -> None:
    decoder_process.SPARE.fill()
    first = decoder_process.SPARE.take()
    assert first.alive
    assert decode(TONE, LIMITS, ignore).duration_s == 1.0
    first.close()


def test_a_waiting_process_that_died_is_replaced() -> None:
    decoder_process.SPARE.fill()
    first = decoder_process.SPARE.take()
    first.close()
    decoder_process.SPARE._waiting = first
    assert decode(TONE, LIMITS, ignore).duration_s == 1.0
