"""The folder of development data is named by NOTABOT_DATA, in continuous integration too."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from model_zoo.training.data import data_folder
from model_zoo.training.sources.catalogue import list_source
from tests.conftest import ROOT


def test_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTABOT_DATA", str(tmp_path))
    assert data_folder() == tmp_path


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_what_is_missing_is_named_by_the_variable(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("NOTABOT_DATA", raising=False)
    else:
        monkeypatch.setenv("NOTABOT_DATA", value)
    with pytest.raises(FileNotFoundError, match=r"\$NOTABOT_DATA/symbolic/pop909\.zip"):
        list(list_source("pop909", data_folder() / "symbolic", None))


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("given", ["", "/elsewhere"])
def test_continuous_integration_finds_a_folder_beside_the_checkout(
    tmp_path: Path, beside: bool, given: str
) -> None:
    script = tmp_path / "checkout" / ".ci" / "run"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", script)
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text('#!/bin/sh\necho "$NOTABOT_DATA"\n')
    make.chmod(0o755)
    data = tmp_path / "shared" / "data"
    if beside:
        data.mkdir(parents=True)
    environment = {"PATH": f"{make.parent}:{os.environ['PATH']}", "NOTABOT_DATA": given}
    run = subprocess.run([script], env=environment, capture_output=True, text=True, check=True)
    assert set(run.stdout.splitlines()) == {given or (str(data) if beside else "")}
