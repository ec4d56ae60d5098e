"""Downloads from a server that fails in various ways."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inference_service.assembly import build_catalog
from inference_service.engine.catalog import ModelEntry, PublishedFile
from inference_service.errors import ModelFetchFailed
from model_zoo.fetch import ATTEMPTS, fetch, fetch_model, verify
from tests.unit.model_zoo.server import CONTENT, SHA256, Server, serve_weights


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of weights."""
    yield from serve_weights()


def run(server: Server, destination: Path, **changes: Any) -> None:
    expected: dict[str, Any] = {"sha256": SHA256, "size_bytes": len(CONTENT), "pause_s": 0.0}
    fetch(server.url, destination, **(expected | changes))


def test_a_file_arrives_with_its_progress(server: Server, tmp_path: Path) -> None:
    seen: list[int] = []
    run(server, tmp_path / "new" / "w.bin", report=seen.append)
    assert (tmp_path / "new" / "w.bin").read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, len(CONTENT))
    assert len(seen) > 3


def test_broken_connections_are_taken_up_where_they_broke(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.cuts = 300_000, 3
    run(server, tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_later_call_takes_up_what_an_earlier_left(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.cuts = 0, 10**6
    (tmp_path / "w.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(ModelFetchFailed, match="ended early"):
        run(server, tmp_path / "w.bin")
    assert len(server.asked) == ATTEMPTS
    server.cuts = 0
    run(server, tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=1000-"


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "w.bin.part").write_bytes(b"old and wrong")
    run(server, tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_passing_server_error_is_survived(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 500]
    run(server, tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_refusal_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(ModelFetchFailed, match="404"):
        run(server, tmp_path / "w.bin")
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_other_content_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.content = b"x" * len(CONTENT)
    with pytest.raises(ModelFetchFailed, match="SHA-256"):
        run(server, tmp_path / "w.bin")
    assert list(tmp_path.iterdir()) == []


def test_no_byte_beyond_the_size_is_read(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT + b"more" * 10**6
    run(server, tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_whole_file_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(CONTENT)
    run(server, tmp_path / "w.bin")
    assert server.asked == []


def test_a_whole_file_with_other_content_is_reported(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"x" * len(CONTENT))
    with pytest.raises(ModelFetchFailed):
        run(server, tmp_path / "w.bin")


def test_a_leftover_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(CONTENT + b"more")
    run(server, tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_fewer_attempts_give_up_earlier(server: Server, tmp_path: Path) -> None:
    server.statuses = [503] * 9
    with pytest.raises(ModelFetchFailed, match="answers 503"):
        run(server, tmp_path / "w.bin", attempts=2)
    assert len(server.asked) == 2


def test_two_processes_fetch_a_file_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as executor:
        for done in [executor.submit(run, server, tmp_path / "w.bin") for _ in range(4)]:
            done.result()
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_token_goes_to_the_host_that_is_asked_alone(server: Server, tmp_path: Path) -> None:
    for storage in serve_weights():
        server.moved_to = storage.url
        run(server, tmp_path / "w.bin", token="our secret")
        assert (tmp_path / "w.bin").read_bytes() == CONTENT
        assert server.tokens == ["Bearer our secret"]
        assert storage.tokens == [None]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token(server: Server, tmp_path: Path, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(ModelFetchFailed, match=f"{status}.*access") as raised:
        run(server, tmp_path / "w.bin", token="our secret")
    assert "secret" not in raised.value.cause
    assert len(server.asked) == 1


def build_entry(server: Server, **changes: Any) -> ModelEntry:
    file = PublishedFile(url=server.url, sha256=SHA256, size_bytes=len(CONTENT))
    return build_catalog("cpu").named("htdemucs").model_copy(update={"files": (file,), **changes})


def test_only_a_gated_model_is_asked_for_with_a_token(server: Server, tmp_path: Path) -> None:
    fetch_model(build_entry(server), tmp_path / "open", token="secret")
    gated = build_entry(server, gate="https://hub.example/m")
    with pytest.raises(ModelFetchFailed, match=r"https://hub\.example/m"):
        fetch_model(gated, tmp_path / "gated")
    fetch_model(gated, tmp_path / "gated", token="secret")
    assert server.tokens == [None, "Bearer secret"]
    fetch_model(gated, tmp_path / "gated")  # it is there


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1:9/w.bin?signature=secret",
        "http://127.0.0.1:9/w.bin?a secret",
        "http://user:secret@127.0.0.1:9x/w.bin",
        "ftp://user:secret@host/w.bin",
    ],
)
def test_an_error_tells_no_secret_of_the_address(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelFetchFailed) as raised:
        fetch(url, tmp_path / "w", sha256=SHA256, size_bytes=1, attempts=1)
    assert "secret" not in raised.value.cause


def test_a_model_is_fetched_with_a_progress_bar(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entry = build_entry(server)
    fetch_model(entry, tmp_path)
    assert capsys.readouterr().err == ""  # no terminal
    (path,) = entry.paths(tmp_path)
    path.unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch_model(entry, tmp_path)
    assert path.read_bytes() == CONTENT
    assert "w.bin: 100%" in capsys.readouterr().err


def test_an_unreachable_server(tmp_path: Path) -> None:
    with pytest.raises(ModelFetchFailed, match=r"127\.0\.0\.1:9"):
        fetch("http://127.0.0.1:9/w.bin", tmp_path / "w", sha256=SHA256, size_bytes=1, pause_s=0.0)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "w.bin"])
def test_only_the_web_is_asked(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelFetchFailed, match="no web address"):
        fetch(url, tmp_path / "w", sha256=SHA256, size_bytes=1)


def test_verify(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(CONTENT)
    verify(path, SHA256)
    with pytest.raises(ModelFetchFailed, match="not used"):
        verify(path, "0" * 64)
