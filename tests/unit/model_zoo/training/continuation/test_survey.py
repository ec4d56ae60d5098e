"""The survey of the corpora as text."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from model_zoo.training.continuation.__main__ import main
from model_zoo.training.continuation.corpora import SPLITS, split_work
from tests.unit.model_zoo.training.continuation.archives import pack, sheet


def test_the_command_counts_and_guesses(tmp_path: Path) -> None:
    (tmp_path / "symbolic").mkdir()
    names = {
        split: next(f"song_{'x' * n}" for n in count() if split_work(f"song {'x' * n}") == split)
        for split in SPLITS
    }
    files = {f"dataset/A/{name}/{name}.xml": sheet(fifths=-1) for name in names.values()}
    pack(tmp_path / "symbolic" / "openewld.zip", files)
    said: list[str] = []
    folders = ["--data", str(tmp_path), "--cache", str(tmp_path / "kept")]
    main([*folders, "survey", "--corpus", "openewld"], said.append)
    rows = [line.split() for line in said]
    held = ["1", "1", "20", "16", "16", "0", "60"]
    assert rows[1:4] == [["openewld", split, *held] for split in SPLITS]
    models = ["rules", "1", "1", "2", "2"]
    assert [row[:2] for row in rows[5:10]] == [["openewld", model] for model in models]
    perplexities = [float(row[2]) for row in rows[6:]]
    assert perplexities[0] > perplexities[2] > 1.0
    assert (tmp_path / "kept").is_dir()
