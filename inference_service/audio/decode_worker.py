"""The process that decodes one file, from bytes on stdin to samples on stdout.

Input: a line of JSON with ``size_bytes`` and the fields of ``limits``, then the file. Output:
messages, each a :data:`HEADER` of kind and size, then the content. FFmpeg is native code that reads
untrusted files, so it runs in a separate process (:mod:`inference_service.audio.decoder_process`).
Whatever a file makes of it, the process ends within the limits set here and takes its memory with
it; it can write no file and start no other process.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
import time
from contextlib import suppress
from typing import BinaryIO, Final

from inference_service.audio.track import AudioLimits, Block, decode_track
from inference_service.errors import AudioUnreadable, NotabotError

HEADER: Final = struct.Struct("<cI")
"""Kind and size in bytes of a message."""

PROGRESS: Final = b"p"
"""A float64: the fraction of the file's bytes that were read."""

MONO: Final = b"1"
STEREO: Final = b"2"
"""float32 samples; of two channels, first all of the left, then as many of the right."""

ERROR: Final = b"e"
"""JSON with the code, cause and parameters of the error."""

END: Final = b"."
"""The whole file was decoded."""

BLOCK_BYTES: Final = 256 * 1024
"""Samples of a channel are collected to this size, so that small packets cost no messages."""

CPU_S: Final = 15
CPU_S_PER_MB: Final = 1.0
"""CPU time for a file: several times that of Monkey's Audio at its slowest setting, which takes
longest of the accepted formats."""

MEMORY_BYTES: Final = 384 * 2**20
"""Address space beside the file; a process that has not begun has 124 MB."""

POLITE_AFTER_S: Final = 1.0
NICENESS: Final = 10
"""CPU time after which others come first; an ordinary recording needs less."""


def cpu_limit_s(size_bytes: int) -> int:
    """CPU time that decoding a file of a size may take."""
    return CPU_S + int(CPU_S_PER_MB * size_bytes / 1e6)


def main() -> None:
    """Decode one file; returns without one if the other end is closed."""
    source = sys.stdin.buffer
    target = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # nothing that a library prints gets between the messages
    line = source.readline()
    if not line:
        return
    request = json.loads(line)
    data = source.read(request["size_bytes"])
    _limit_resources(len(data))
    try:
        _decode(data, AudioLimits(**request["limits"]), target)
    except NotabotError as error:
        _fail(target, error)
    except BrokenPipeError:
        return
    except MemoryError:
        _fail(target, AudioUnreadable("decoding takes more memory than a file of this size may"))
    except Exception as error:  # a mistake of PyAV's, which a damaged file may bring out
        _fail(target, AudioUnreadable(f"the decoder failed with {type(error).__name__}"))


def _limit_resources(size_bytes: int) -> None:
    cpu_s = cpu_limit_s(size_bytes)
    for limit, value in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, MEMORY_BYTES + size_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        _, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError):  # macOS does not limit address space
            resource.setrlimit(limit, (value, value))


def _decode(data: bytes, limits: AudioLimits, target: BinaryIO) -> None:
    collected: list[bytearray] = []
    is_polite = False

    def report(fraction: float) -> None:
        nonlocal is_polite
        if not is_polite and time.process_time() > POLITE_AFTER_S:
            is_polite = True
            os.nice(NICENESS)
        _send(target, PROGRESS, struct.pack("<d", fraction))

    for block in decode_track(data, limits, report):
        _collect(collected, block)
        if len(collected[0]) >= BLOCK_BYTES:
            _send_samples(target, collected)
    if collected and collected[0]:
        _send_samples(target, collected)
    _send(target, END, b"")


def _collect(collected: list[bytearray], block: Block) -> None:
    if not collected:
        collected.extend(bytearray() for _ in block)
    for channel, samples in zip(collected, block, strict=True):
        channel += samples


def _send_samples(target: BinaryIO, collected: list[bytearray]) -> None:
    _send(target, MONO if len(collected) == 1 else STEREO, b"".join(collected))
    for channel in collected:
        channel.clear()


def _send(target: BinaryIO, kind: bytes, content: bytes) -> None:
    message = memoryview(HEADER.pack(kind, len(content)) + content)
    while message:
        message = message[target.write(message) :]


def _fail(target: BinaryIO, error: NotabotError) -> None:
    content = {"code": error.code, "cause": error.cause, "params": error.params}
    _send(target, ERROR, json.dumps(content).encode())


if __name__ == "__main__":
    main()
