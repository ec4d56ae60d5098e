"""deploy/setup.sh, with an interpreter that only notes what it is asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

INTERPRETER = """#!/bin/sh
here=$(dirname "$0")
if [ "$1" = -m ]; then echo "$@" >> "$here/../asked"; fi
if [ "$2" = "import torchaudio" ]; then ! ls "$here"/../lib/python3.11/*/torchaudio/lib/*.so; fi
"""
"""Notes what pip is asked for; torchaudio does not import beside its libraries."""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("python", "pip"):
        path = tmp_path / "bin" / name
        path.write_text(INTERPRETER)
        path.chmod(0o755)
    return tmp_path


def set_up(venv: Path, extras: str) -> str:
    """Return what pip was asked for."""
    asked = venv / "asked"
    asked.unlink(missing_ok=True)
    subprocess.run(
        [ROOT / "deploy" / "setup.sh", venv],
        env=os.environ | {"EXTRAS": extras},
        check=True,
        capture_output=True,
    )
    return asked.read_text() if asked.exists() else ""


def test_installs_once_and_again_only_where_more_is_asked_for(venv: Path) -> None:
    assert ".[bot,service]" in set_up(venv, "bot,service")
    assert set_up(venv, "bot,service") == ""
    assert ".[dev,bot,service]" in set_up(venv, "dev")
    assert set_up(venv, "service,bot") == ""
    assert set_up(venv, "dev") == ""


@pytest.mark.parametrize(
    ("extras", "packages"),
    [("bot", []), ("service", ["service"]), ("service,training", ["service", "training"])],
)
def test_readers_of_training_data_stay_out_of_the_service(
    venv: Path, extras: str, packages: list[str]
) -> None:
    asked = set_up(venv, extras)
    assert [n for n in ("service", "training") if f"deploy/no-deps-{n}.txt" in asked] == packages
    assert ("torch\n" in asked) == ("service" in extras)


@pytest.mark.parametrize("extras", ["bot,page", "page", "bot"])
def test_the_page_is_built_each_time_that_it_is_asked_for(venv: Path, extras: str) -> None:
    for _ in range(2):  # it is up to its own stamp whether there is something to do
        asked = set_up(venv, extras)
        assert ("-m deploy.practice_page" in asked) == ("page" in extras)


def test_the_installer_is_pinned_and_comes_first(venv: Path) -> None:
    first = set_up(venv, "bot").splitlines()[0]
    assert first.endswith("--constraint deploy/constraints.txt pip setuptools")
    pins = (ROOT / "deploy" / "constraints.txt").read_text()
    assert "\npip==" in pins
    assert "\nsetuptools==" in pins


def test_torchs_index_is_asked_for_torch_alone(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_INDEX", "https://torch.example")
    [line] = [line for line in set_up(venv, "bot,service").splitlines() if "torch.example" in line]
    assert "--no-deps" in line
    assert line.endswith("--index-url https://torch.example torch")


def test_torchaudio_loses_libraries_that_do_not_load(venv: Path) -> None:
    libraries = venv / "lib" / "python3.11" / "site-packages" / "torchaudio" / "lib"
    libraries.mkdir(parents=True)
    for name in ("libtorchaudio.abi3.so", "_torchaudio.abi3.so"):
        (libraries / name).touch()
    set_up(venv, "service")
    assert list(libraries.iterdir()) == []
