"""The commands in the README work.

Every line of its shell blocks must be of a kind that this file knows. The programs are the real
ones, with the tests' small models. The Docker commands are not run, as they need an engine: only
the files that they name must exist, and ``make check`` lints those.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_service.cli import main
from inference_service.midi.writer import encode_performance
from inference_service.music.serialization import encode_transcription
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import quantize
from tests.conftest import ROOT
from tests.factories import build_notes, build_scale, encode_audio, perform

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [
    shlex.split(line, comments=True)
    for block in BLOCKS
    for line in block.splitlines()
    if shlex.split(line, comments=True)
]
NOTABOT = [line[1:] for line in LINES if line[0] == "notabot"]
OFFLINE = [line for line in NOTABOT if "fetch" not in line and line != ["serve"]]
SERVER = "localhost:50051"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Small models, our own ports and folders, and none of the developer's settings."""
    folder = tmp_path_factory.mktemp("service")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("BOT_", "NOTABOT_"))}
    return inherited | {
        "VENV": str(Path(sys.executable).parent.parent),
        "NOTABOT_MODELS_PROFILE": "tiny",
        "NOTABOT_SERVER_LISTEN": f"127.0.0.1:{_free_port()}",
        "NOTABOT_SERVER_METRICS_LISTEN": "off",
        "NOTABOT_CACHE_DIRECTORY": str(folder / "results"),
        "BOT_LOCALCHAT_LISTEN": f"127.0.0.1:{_free_port()}",
        "BOT_STATE_PATH": str(folder / "bot.sqlite3"),
    }


@pytest.fixture(scope="module")
def service(environment: dict[str, str]) -> Iterator[str]:
    """Run ``notabot serve`` as in the README; yield its address."""
    address = environment["NOTABOT_SERVER_LISTEN"]
    assert ["serve"] in NOTABOT
    command = [sys.executable, "-m", "inference_service", "serve"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        _wait_for_port(address)
        yield address
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README's lines name."""
    melody = build_notes(build_scale()).samples
    (tmp_path / "song.mp3").write_bytes(encode_audio(melody, "mp3"))
    (tmp_path / "humming.ogg").write_bytes(encode_audio(melody, "ogg-opus"))
    played = perform({"piano": [(k, 1, 60 + k % 8) for k in range(32)]})
    (tmp_path / "performance.mid").write_bytes(encode_performance(played))
    band = perform(
        {"piano": [(k, 1, 60) for k in range(32)], "drums": [(k, 1, 36) for k in range(32)]}
    )
    (tmp_path / "result.json").write_bytes(encode_transcription(band))
    (tmp_path / "score.musicxml").write_bytes(encode_musicxml(quantize(played, "Played")))
    return tmp_path


@pytest.mark.parametrize("line", OFFLINE, ids=" ".join)
def test_the_command_line(
    line: list[str],
    folder: Path,
    environment: dict[str, str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process, as the imports take longer than the work."""
    if SERVER in line:
        address = request.getfixturevalue("service")
        line = [address if word == SERVER else word for word in line]
    if line[:2] == ["models", "use"]:
        line[2:4] = ["voice", "autocorrelation"]  # the small models have other names
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    assert main(line) == 0
    if "--out" in line:
        assert any((folder / "out").iterdir())


def test_every_line_is_known() -> None:
    known = ("make", "notabot", "docker", "echo")
    for line in LINES:
        words = [word for word in line if "=" not in word or word.startswith("-")]
        assert words[0] in known, line
        if words[0] == "docker":
            for name in words[3:7:2]:
                assert not name.endswith(".yaml") or (ROOT / name).exists(), line


def test_every_make_target_is_there() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "demo", "bench", "check", "help"} <= named <= targets


def test_make_demo(environment: dict[str, str]) -> None:
    subprocess.run([ROOT / "deploy" / "demo.sh"], env=environment, check=True, timeout=120)
    for sample in ("voice", "piano"):
        names = {path.name for path in (ROOT / "out" / sample).iterdir()}
        assert {"result.json", "performance.mid", "score.musicxml", "score-1.png"} <= names


def test_make_run_prints_one_url_and_stops_in_order(environment: dict[str, str]) -> None:
    address = f"127.0.0.1:{_free_port()}"
    environment = environment | {"NOTABOT_SERVER_LISTEN": address, "BOT_SERVICE_ADDRESS": address}
    with subprocess.Popen(
        [ROOT / "deploy" / "run.sh"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url is not None
        with urllib.request.urlopen(url.group(), timeout=10) as page:
            assert b"<title>" in page.read()
        _wait_for_port(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "http" not in process.stdout.read()
    with pytest.raises(OSError, match="refused"):
        _wait_for_port(address, limit_s=0.0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(address: str, limit_s: float = 30.0) -> None:
    """Wait until something listens; after the limit, raise the last refusal."""
    host, _, port = address.rpartition(":")
    end_s = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            if time.monotonic() >= end_s:
                raise
            time.sleep(0.1)
        else:
            return
