"""Download of weights from their publishers, resumable and verified.

A download is written to ``NAME.part`` and renamed only when size and SHA-256 are correct, so that a
file with its final name is always complete. A broken connection is resumed (HTTP ``Range``), a
limited number of times; a later call resumes an earlier download.

A token goes to the host that was asked, not to those that it redirects to. Errors name only the
host: an address may contain a password or a signature.
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
"""Failed connections in a row, without any new byte, until a download is given up."""

_RANGE_UNSATISFIABLE: Final = 416
_NO_ACCESS: Final = (401, 403)


def fetch(
    url: str,
    destination: Path,
    *,
    sha256: str,
    size_bytes: int,
    token: str = "",
    report: Callable[[int], None] = lambda bytes_done: None,
    attempts: int = ATTEMPTS,
    pause_s: float = 1.0,
) -> None:
    """Download a file unless it exists.

    Parameters
    ----------
    url : str
        ``https``; ``http`` is for tests.
    destination : Path
        Its folder is created.
    sha256 : str
        64 hexadecimal digits.
    size_bytes : int
        Exact size; no more bytes are read.
    token : str
        Bearer token; none: an anonymous request.
    report : callable
        Called with the number of bytes present, including those of earlier downloads.
    attempts : int
        Failed connections in a row, without any new byte, until the download is given up.
    pause_s : float
        Pause before the second attempt; it doubles before each further one.

    Raises
    ------
    ModelFetchFailed
        If the server refuses, the connection keeps breaking, or the checksum differs.
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
        _download(url, token, partial, size_bytes, report, attempts, pause_s)
        try:
            verify(partial, sha256)
        except ModelFetchFailed:
            partial.unlink()
            raise
        partial.replace(destination)


def fetch_model(
    entry: ModelEntry, weights: Path, *, token: str = "", attempts: int = ATTEMPTS
) -> None:
    """Download a model's files, with a progress bar if standard error is a terminal.

    Parameters
    ----------
    entry : ModelEntry
    weights : Path
        Folder of the fetched weights.
    token : str
        Sent only for a model whose publisher grants access.
    attempts : int
        As for :func:`fetch`.

    Raises
    ------
    ModelFetchFailed
        As from :func:`fetch`; also if a token is needed and there is none.
    """
    from tqdm import tqdm

    if entry.gate and not token and not entry.is_fetched(weights):
        raise ModelFetchFailed(
            f"{entry.name} needs a token: ask for access at {entry.gate}, then set "
            "NOTABOT_MODELS_HUB_TOKEN"
        )
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
                token=token if entry.gate else "",
                report=lambda done, bar=bar: bar.update(done - bar.n),  # type: ignore[misc]
                attempts=attempts,
            )


def verify(path: Path, sha256: str) -> None:
    """Verify a file's checksum.

    Raises
    ------
    ModelFetchFailed
        If it differs.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise ModelFetchFailed(
            f"{path.name} has the SHA-256 {digest[:12]}..., not {sha256[:12]}...; it is not used"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes, since services may share their weights."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _download(
    url: str,
    token: str,
    partial: Path,
    size_bytes: int,
    report: Callable[[int], None],
    attempts: int,
    pause_s: float,
) -> None:
    """Download to ``partial`` until it has its full size, over several connections if needed."""
    failures = 0
    while (present := _size(partial)) != size_bytes:
        if present > size_bytes:
            partial.unlink()
            continue
        report(present)
        try:
            _append(_build_request(url, token, present), partial, present, size_bytes, report)
            problem = "the connection ended early"
        except HTTPError as error:
            if error.code == _RANGE_UNSATISFIABLE and present:
                partial.unlink()
            elif error.code in _NO_ACCESS:
                raise ModelFetchFailed(
                    f"{_host(url)} answers {error.code}: the token does not give access to it"
                ) from error
            elif error.code < 500:
                raise ModelFetchFailed(f"{_host(url)} answers {error.code} for it") from error
            problem = f"{_host(url)} answers {error.code}"
        except InvalidURL:  # its text would contain a part of the address
            problem = "the address is not valid"
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            problem = str(reason) or type(error).__name__
        failures = 0 if _size(partial) > present else failures + 1
        if failures >= attempts:
            raise ModelFetchFailed(f"the download from {_host(url)} failed: {problem}")
        if _size(partial) != size_bytes:
            time.sleep(pause_s * 2 ** max(0, failures - 1))


def _build_request(url: str, token: str, start: int) -> Request:
    headers = {"User-Agent": "notabot"} | ({"Range": f"bytes={start}-"} if start else {})
    request = Request(url, headers=headers)
    if token:  # which must not reach the hosts that this one redirects to
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _append(
    request: Request, partial: Path, start: int, size_bytes: int, report: Callable[[int], None]
) -> None:
    """Append the data of one connection, up to the full size."""
    response: HTTPResponse
    with urlopen(request, timeout=TIMEOUT_S) as response:
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
    """Return host and port of an address, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]
