"""Weights from their publishers: resumed where a connection broke, and verified.

A download grows as ``NAME.part`` beside its place and gets its own name only when size and SHA-256
are right, so that a file with its own name is always whole. A broken connection is taken up where
it broke (HTTP ``Range``), a bounded number of times; a later call takes up what an earlier left.

Errors name the host alone: an address may hold a password or a signature.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from inference_service.engine.catalog import ModelEntry
from inference_service.errors import ModelFetchFailed

BLOCK_BYTES: Final = 1 << 18
TIMEOUT_S: Final = 30.0
ATTEMPTS: Final = 5
"""Connections in a row that may bring no new byte."""

_RANGE_UNSATISFIABLE: Final = 416


def fetch(
    url: str,
    destination: Path,
    *,
    sha256: str,
    size_bytes: int,
    report: Callable[[int], None] = lambda bytes_done: None,
    attempts: int = ATTEMPTS,
    pause_s: float = 1.0,
) -> None:
    """Download a file, unless it is there already.

    Parameters
    ----------
    url : str
        ``https``; ``http`` is for tests.
    destination : Path
        Its folder is made.
    sha256 : str
        64 hexadecimal digits.
    size_bytes : int
        Exact; not one byte more is read.
    report : callable
        Told the number of bytes that are there, resumed ones included.
    attempts : int
        Connections in a row that may bring no new byte.
    pause_s : float
        Before the second attempt; twice as long before each further one.

    Raises
    ------
    ModelFetchFailed
        If the server refuses, the connection keeps breaking, or the content is another.
    """
    if urlsplit(url).scheme not in ("https", "http"):
        raise ModelFetchFailed(f"{destination.name} has no web address")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _locked(destination.parent):
        if destination.is_file() and destination.stat().st_size == size_bytes:
            verify(destination, sha256)
            report(size_bytes)
            return
        partial = destination.with_name(destination.name + ".part")
        _download(url, partial, size_bytes, report, attempts, pause_s)
        try:
            verify(partial, sha256)
        except ModelFetchFailed:
            partial.unlink()
            raise
        partial.replace(destination)


def fetch_model(entry: ModelEntry, weights: Path, *, attempts: int = ATTEMPTS) -> None:
    """Download what a model needs, with a progress bar where standard error is a terminal.

    Parameters
    ----------
    entry : ModelEntry
    weights : Path
        Folder of the fetched weights.
    attempts : int
        As of :func:`fetch`.

    Raises
    ------
    ModelFetchFailed
        As from :func:`fetch`.
    """
    from tqdm import tqdm

    for file in entry.published:
        path = file.locate(weights / entry.name)
        with tqdm(
            total=file.size_bytes, unit="B", unit_scale=True, desc=file.name, disable=None
        ) as bar:
            fetch(
                file.url,
                path,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                report=lambda done, bar=bar: bar.update(done - bar.n),  # type: ignore[misc]
                attempts=attempts,
            )


def verify(path: Path, sha256: str) -> None:
    """Compare a file's checksum.

    Raises
    ------
    ModelFetchFailed
        If it is another.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise ModelFetchFailed(
            f"{path.name} has the SHA-256 {digest[:12]}..., not {sha256[:12]}...; it is not used"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes, which wait: services may share their weights."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _download(
    url: str,
    partial: Path,
    size_bytes: int,
    report: Callable[[int], None],
    attempts: int,
    pause_s: float,
) -> None:
    """Fill ``partial`` to its size, over as many connections as it takes."""
    failures = 0
    while (present := _size(partial)) != size_bytes:
        if present > size_bytes:
            partial.unlink()
            continue
        report(present)
        try:
            _append(url, partial, present, size_bytes, report)
            problem = "the connection ended early"
        except HTTPError as error:
            if error.code == _RANGE_UNSATISFIABLE and present:
                partial.unlink()
            elif error.code < 500:
                raise ModelFetchFailed(f"{_host(url)} answers {error.code} for it") from error
            problem = f"{_host(url)} answers {error.code}"
        except InvalidURL:  # whose text would be a part of the address
            problem = "the address is not valid"
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            problem = str(reason) or type(error).__name__
        failures = 0 if _size(partial) > present else failures + 1
        if failures >= attempts:
            raise ModelFetchFailed(f"the download from {_host(url)} failed: {problem}")
        if _size(partial) != size_bytes:
            time.sleep(pause_s * 2 ** max(0, failures - 1))


def _append(
    url: str, partial: Path, start: int, size_bytes: int, report: Callable[[int], None]
) -> None:
    """Read one connection to its end, or to the file's."""
    headers = {"User-Agent": "notabot"} | ({"Range": f"bytes={start}-"} if start else {})
    response: HTTPResponse
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT_S) as response:
        resumed = response.status == 206
        done = start if resumed else 0
        with partial.open("ab" if resumed else "wb") as file:
            while done < size_bytes:
                block = response.read(min(BLOCK_BYTES, size_bytes - done))
                if not block:
                    return
                file.write(block)
                done += len(block)
                report(done)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _host(url: str) -> str:
    """Host and port of an address, without a name and password."""
    return urlsplit(url).netloc.rpartition("@")[2]
