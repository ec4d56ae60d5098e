"""Hostile files: bombs, mutations of every container, and uploads that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np

from tests.attack.bombs import (
    build_edited_mp4,
    build_fragmented_matroska,
    build_transport_stream,
    flip_bits,
)
from tests.attack.table import Row
from tests.attack.victim import DOCUMENTED, Victim, honest_person
from tests.factories import KINDS, build_noise, build_notes, build_scale, encode_audio

SEED = 17
AT_ONCE = 4
GROWTH_MB = 150.0


async def send_all(victim: Victim, row: Row, files: Iterator[bytes], at_once: int) -> None:
    """Send files, several at once; each must end with a result or a documented error."""

    async def send() -> None:
        for data in files:
            outcome, _ = await victim.send(data)
            row.note(survived=victim.alive and outcome in DOCUMENTED | {"RESULT"})

    await asyncio.gather(*(send() for _ in range(at_once)))


async def test_bombs(victim: Victim, row: Row, longest_wait_s: float, in_full: bool) -> None:
    scale = 1 if in_full else 30
    bombs = [
        build_edited_mp4(1_000_000 // scale),
        build_fragmented_matroska(900_000 // scale),
        build_fragmented_matroska(300_000 // scale),
        encode_audio(np.zeros(3600 * 8000 // scale, np.float32), "flac", rate_hz=8000),
    ]
    row.before_mb = await victim.settled_mb()
    async with honest_person(victim, row):
        files = iter(bombs * (6 if in_full else 1))
        await send_all(victim, row, files, at_once=8 if in_full else 4)
    row.after_mb = await victim.settled_mb()
    assert row.survived == row.tried
    assert row.lost == 0
    assert row.grown_mb < GROWTH_MB
    assert row.longest_wait_s <= longest_wait_s


def mutate(count: int) -> Iterator[bytes]:
    """Yield damaged files of every container, the same in every call."""
    rng = np.random.default_rng(SEED)
    melody = build_notes(build_scale()[:4]).samples[0]
    originals = [encode_audio(melody, kind) for kind in KINDS]
    originals += [
        build_transport_stream(),
        build_edited_mp4(100),
        build_fragmented_matroska(500, samples=100),
    ]
    for number in range(count):
        data = originals[number % len(originals)]
        kind = int(rng.integers(4))
        if kind == 0:  # a few bits anywhere
            yield flip_bits(data, rng.integers(0, 8 * len(data), rng.integers(1, 60)).tolist())
        elif kind == 1:  # a few bits in the header
            yield flip_bits(data, rng.integers(0, min(8 * len(data), 8000), 8).tolist())
        elif kind == 2:  # a piece missing
            start, stop = sorted(rng.integers(0, len(data), 2).tolist())
            yield data[:start] + data[stop:]
        else:  # a piece of another file in between
            other = originals[int(rng.integers(len(originals)))]
            place = int(rng.integers(len(data)))
            start, stop = sorted(rng.integers(0, len(other), 2).tolist())
            yield data[:place] + other[start:stop] + data[place:]


async def test_mutated_files(
    victim: Victim, row: Row, longest_wait_s: float, in_full: bool
) -> None:
    count = 2000 if in_full else 24
    await send_all(victim, Row("warming up"), mutate(12), AT_ONCE)
    row.before_mb = await victim.settled_mb()
    async with honest_person(victim, row):
        await send_all(victim, row, mutate(count), AT_ONCE)
    row.after_mb = await victim.settled_mb()
    assert row.survived == row.tried == count
    assert row.lost == 0
    assert row.grown_mb < GROWTH_MB
    assert row.longest_wait_s <= longest_wait_s


async def test_uploads_that_fail(victim: Victim, row: Row, in_full: bool) -> None:
    """Sixteen at once, as many as are admitted; their memory used to be kept for hours."""
    size_bytes = 19_000_000 if in_full else 4_000_000
    rounds, at_once = (10, 16) if in_full else (2, 4)
    damaged = np.random.default_rng(SEED).bytes(size_bytes)
    silent = encode_audio(np.zeros(size_bytes // 2, np.float32))
    broken = encode_audio(build_noise(1.0), "flac")[:500] + damaged
    files = [damaged, silent, broken, damaged[:1000]] * (at_once // 4)
    await send_all(victim, Row("warming up"), iter(files[:4]), at_once)
    row.before_mb = await victim.settled_mb()
    for _ in range(rounds):
        await send_all(victim, row, iter(files), at_once)
    row.after_mb = await victim.settled_mb()
    assert row.survived == row.tried
    assert row.grown_mb < GROWTH_MB
