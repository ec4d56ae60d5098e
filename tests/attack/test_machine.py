"""A machine that has no room on its disk, a read-only disk, or no file descriptors left."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.attack.table import Row
from tests.attack.victim import DOCUMENTED, Victim, sing


async def check_buttons(victim: Victim, row: Row, result: Any) -> None:
    """Press the buttons of a result."""
    outcome, again = await victim.render(result.result_id)
    row.note(survived=outcome == "RESULT" and again.parts == result.parts)


async def test_files_that_cannot_grow(victim: Victim, row: Row, tmp_path: Path) -> None:
    """As on a full disk, where no disk can be mounted."""
    _, earlier = await victim.send(sing())
    row.before_mb = await victim.settled_mb()
    with victim.limited(resource.RLIMIT_FSIZE, 0):
        await send_meanwhile(victim, row, earlier)
    await send_afterwards(victim, row, tmp_path / "results")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB; skips where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=1m", "none", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def fill(path: Path) -> None:
    """Write a file until there is no room for another byte."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.fixture
async def disk_victim(
    start: Callable[..., Any], environment: dict[str, str], small_disk: Path
) -> AsyncIterator[Victim]:
    """A service with its results on the small disk."""
    process = start(NOTABOT_CACHE_DIRECTORY=str(small_disk / "results"))
    async with grpc.aio.insecure_channel(environment["NOTABOT_SERVER_LISTEN"]) as channel:
        victim = Victim(process, channel)
        await victim.ready()
        yield victim
        process.kill()
        process.wait()


async def send_meanwhile(victim: Victim, row: Row, earlier: Any) -> None:
    """Send recordings that cannot be stored; press the buttons of each and of an earlier one."""
    for _ in range(3):
        outcome, result = await victim.send(sing())
        row.note(survived=outcome == "RESULT" and result.kept_briefly)
        await check_buttons(victim, row, result)
        await check_buttons(victim, row, earlier)


def has_leftovers(folder: Path) -> bool:
    return any(folder.glob("*.tmp"))


async def send_afterwards(victim: Victim, row: Row, folder: Path) -> None:
    """Send a recording that can be stored again."""
    outcome, result = await victim.send(sing())
    row.note(survived=outcome == "RESULT" and not result.kept_briefly)
    row.after_mb = await victim.settled_mb()
    assert row.survived == row.tried
    assert not has_leftovers(folder)


async def test_read_only_disk(disk_victim: Victim, small_disk: Path, row: Row) -> None:
    _, earlier = await disk_victim.send(sing())
    row.before_mb = await disk_victim.settled_mb()
    mount("-o", "remount,ro", str(small_disk))
    await send_meanwhile(disk_victim, row, earlier)
    mount("-o", "remount,rw", str(small_disk))
    await send_afterwards(disk_victim, row, small_disk / "results")


async def test_disk_without_room(disk_victim: Victim, small_disk: Path, row: Row) -> None:
    _, earlier = await disk_victim.send(sing())
    row.before_mb = await disk_victim.settled_mb()
    fill(small_disk / "filling")
    await send_meanwhile(disk_victim, row, earlier)
    (small_disk / "filling").unlink()
    await send_afterwards(disk_victim, row, small_disk / "results")


async def test_no_descriptors(victim: Victim, row: Row) -> None:
    """A good result was deleted because it could not be opened."""
    _, earlier = await victim.send(sing())
    row.before_mb = await victim.settled_mb()
    with victim.limited(resource.RLIMIT_NOFILE, victim.descriptors()):
        for _ in range(3):
            outcome, _ = await victim.send(sing())
            row.note(survived=outcome in DOCUMENTED | {"RESULT"})
            outcome, _ = await victim.render(earlier.result_id)
            row.note(survived=outcome in DOCUMENTED - {"RESULT_EXPIRED"} | {"RESULT"})
    await check_buttons(victim, row, earlier)
    outcome, _ = await victim.send(sing())
    row.note(survived=outcome == "RESULT")
    row.after_mb = await victim.settled_mb()
    assert row.survived == row.tried
