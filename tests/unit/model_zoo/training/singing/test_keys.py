"""Estimated keys and their probabilities, judged on small pieces."""

from __future__ import annotations

import zipfile
from pathlib import Path

from inference_service.music.events import Key, KeyEstimate
from model_zoo.training.rhythm.corpora import is_dev
from model_zoo.training.singing.__main__ import PRIOR
from model_zoo.training.singing.keys import Judged, judge, judge_melodies, write_table
from model_zoo.training.sources.melodies import ARCHIVES
from model_zoo.training.sources.scores import parse_score
from tests.unit.model_zoo.training.rhythm.pieces import write_melody

TUNE = "CDEFGFEDCEGEFEDC" * 2


def test_the_probability_of_the_true_key_is_kept() -> None:
    estimates = [KeyEstimate(Key("C", "major"), 0.7), KeyEstimate(Key("A", "minor"), 0.3)]
    assert judge(estimates, (0, "major")) == Judged(0.7, 0.7, right=True)
    assert judge(estimates, (9, "minor")) == Judged(0.7, 0.3, right=False)


def test_only_held_out_melodies_are_judged(tmp_path: Path) -> None:
    text = write_melody(TUNE)
    names = [f"tune{k}" for k in range(60)]
    for archive in ARCHIVES:
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "w") as files:
            for name in names if archive == ARCHIVES[0] else ():
                files.writestr(f"{name}.musicxml", text)
    judged = list(judge_melodies(tmp_path, PRIOR))
    held_out = sum(is_dev(parse_score(f"{name}.musicxml", text)) for name in names)
    assert 0 < held_out < len(names)
    assert len(judged) % held_out == 0
    assert all(j.right for j in judged)


def test_the_table_compares_what_was_stated_with_what_was_right() -> None:
    judged = [Judged(0.8, 0.8, right=True), Judged(0.82, 0.1, right=False)]
    table = write_table(judged).splitlines()
    assert table[0].startswith("2 excerpts, 0.500 right")
    assert table[1] == "0.75 to 0.90: 2 excerpts, stated 0.810, right 0.500"
    assert len(table) == 2


def test_certainty_belongs_to_the_last_row() -> None:
    assert "0.90 to 1.00: 1 excerpts" in write_table([Judged(1.0, 1.0, right=True)])
