"""The command line that surveys a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.training.sources.__main__ import main
from model_zoo.training.sources.catalogue import NAMES, list_folder
from tests.unit.model_zoo.training.rhythm.pieces import study
from tests.unit.model_zoo.training.sources.pieces import tune
from tests.unit.model_zoo.training.sources.test_hooktheory import build_clip
from tests.unit.model_zoo.training.sources.test_midi_folder import notes, save
from tests.unit.model_zoo.training.sources.test_written import pack


def run(*arguments: object) -> list[str]:
    said: list[str] = []
    main([str(argument) for argument in arguments], said.append)
    return said


def test_a_folder_of_files(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.mid", notes(tune(number, 300).notes))
    save(tmp_path / "copy of 0.mid", notes(tune(0, 300).notes))
    (tmp_path / "torn.mid").write_bytes(b"MThd")
    said = run(tmp_path, "--list")
    assert said[:3] == ["0.mid", "1.mid", "2.mid"]
    assert said[3].startswith("5 entries, 3 kept, 0.1 h")
    assert said[4] == "left out: duplicate 1, unreadable 1"
    assert "parts: train" in said[5]
    assert said[6] == "known: deadpan 3, beats 3"


def test_only_what_weights_may_learn(tmp_path: Path) -> None:
    save(tmp_path / "a.mid", notes(tune(0, 300).notes))
    assert run(tmp_path, "--free")[1] == "left out: allows_weights 1"


def test_a_source_by_name(tmp_path: Path) -> None:
    (tmp_path / "symbolic").mkdir()
    files = {f"scores/A/{n}/s.musicxml": study(bars=20 + n) for n in range(3)}
    pack(tmp_path / "symbolic" / "openscore_quartets.zip", files)
    said = run("quartets", "--data", tmp_path, "--limit", 2)
    assert said[0].startswith("2 entries, 1 kept")
    assert said[1] == "left out: duplicate 1"


def test_a_folder_holds_all_kinds(tmp_path: Path) -> None:
    import json

    save(tmp_path / "deep" / "a.mid", notes(tune(0, 300).notes))
    (tmp_path / "b.gp5").write_bytes(b"")
    (tmp_path / "Hooktheory.json").write_text(json.dumps({"x": build_clip()}))
    assert [entry.name for entry in list_folder(tmp_path)] == ["deep/a.mid", "b.gp5", "x"]


@pytest.mark.parametrize("arguments", [["maps"], ["nowhere"], ["lieder", "--data", "/nowhere"]])
def test_what_is_not_there_is_said_in_one_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"python -m model_zoo\.training\.sources: "):
        main(arguments)


def test_every_source_has_a_name() -> None:
    assert {"pop909", "music21", "maestro", "guitarset", "musicnet", "maps"} <= set(NAMES)
