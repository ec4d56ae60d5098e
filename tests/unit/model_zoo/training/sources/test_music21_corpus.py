"""Tunes of music21's corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.training.sources.music21_corpus import TUNES, iterate_tunes

TUNE = """X: 1
T: A TUNE -- JIG
M: 6/8
L: 1/8
{extra}K: G
D | G2B d2B | c2A F2D | G2B d2B | c2A G2 |]
"""


def test_tunes_are_read_without_those_that_claim_rights(tmp_path: Path) -> None:
    pytest.importorskip("music21")
    folder = tmp_path / TUNES
    folder.mkdir()
    (folder / "a.abc").write_text(TUNE.format(extra=""))
    (folder / "b.abc").write_text(TUNE.format(extra="Z: Copyright nobody\n"))
    (folder / "c.abc").write_text("X: 1\nK: G\n")
    (piece,) = iterate_tunes(tmp_path)
    assert piece.name == f"{TUNES}/a.abc"
    assert piece.pitch[:4].tolist() == [62, 67, 71, 74]
    assert piece.bar_start_q[:3].tolist() == [0, 0.5, 3.5]
    assert (piece.bar_beats[0], piece.bar_unit[0], piece.bar_fifths[0]) == (6, 8, 1)
