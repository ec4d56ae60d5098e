"""Small Humdrum scores, read as arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_zoo.training.sources.kern import parse_kern, read_kern_archive
from model_zoo.training.sources.scores import MARKS

SONG = """\
!!!COM: nobody
**kern\t**dynam\t**kern\t**kern\t**text
*part2\t*\t*part2\t*part1\t*
*staff3\t*\t*staff2\t*staff1\t*
*k[b-e-]\t*\t*k[b-e-]\t*k[b-e-]\t*
*M3/4\t*\t*M3/4\t*M3/4\t*
4BB-\tp\t4r\t4f\tO
=1\t=1\t=1\t=1\t=1
*\t*\t*^\t*\t*
2.EE-\t.\t4g 4ee-\t4c\t[2b-\tla
.\t.\t8a\t2d\t.\t.
.\t.\t8b-;\t.\t.\t.
.\t.\t4cc\t.\t4b-]\t.
*\t*\t*v\t*v\t*\t*
=:|!\t=:|!\t=:|!\t=:|!\t=:|!
=2\t=2\t=2\t=2\t=2
.\t.\t.\tqcc#\t.
2.EE-\t.\t2.r\t4.dd\tla
.\t.\t.\t8c-\tla
.\t.\t.\t4BnX\tla
==\t==\t==\t==\t==
*-\t*-\t*-\t*-\t*-
"""


def test_a_song_with_a_pickup_a_tie_and_two_voices() -> None:
    piece = parse_kern("song", SONG)
    assert piece.staves == (1, 2)
    assert piece.bar_start_q.tolist() == [0, 1, 4]
    assert set(zip(piece.bar_beats.tolist(), piece.bar_unit.tolist(), strict=True)) == {(3, 4)}
    assert piece.bar_fifths.tolist() == [-2, -2, -2]
    voice = piece.part == 0
    sung = zip(
        piece.onset_q[voice], piece.duration_q[voice], piece.pitch[voice], piece.grace[voice],
        strict=True,
    )  # fmt: skip
    assert list(sung) == [
        (0, 1, 65, False),
        (1, 3, 70, False),
        (4, 0, 73, True),
        (4, 1.5, 74, False),
        (5.5, 0.5, 59, False),
        (6, 1, 59, False),
    ]
    right = (piece.part == 1) & (piece.staff == 1)
    assert piece.pitch[right].tolist() == [60, 67, 75, 62, 69, 70, 72]
    assert piece.onset_q[right].tolist() == [1, 1, 1, 2, 2, 2.5, 3]
    left = (piece.part == 1) & (piece.staff == 2)
    assert piece.duration_q[left].tolist() == [1, 3, 3]
    assert piece.pitch[piece.marks[:, MARKS.index("fermata")]].tolist() == [70]
    assert piece.marks.sum() == 1


def test_values_and_octaves() -> None:
    rows = "**kern\n*M4/4\n=1\n0CC\n=2\n6c\n6d\n6e\n4..ff#\n16r\n3%2g\n=3\n*-\n"
    piece = parse_kern("values", rows)
    assert piece.pitch.tolist() == [36, 60, 62, 64, 78, 67]
    expected = [8, 2 / 3, 2 / 3, 2 / 3, 1.75, 8 / 3]
    assert piece.duration_q.tolist() == pytest.approx(expected)
    assert piece.bar_start_q.tolist() == [0, 8]


def test_spines_are_exchanged_and_ended() -> None:
    rows = "**kern\t**kern\n*M2/4\t*M2/4\n4C\t4c\n*x\t*x\n4d\t4D\n*-\t*\n4E\n*-\n"
    piece = parse_kern("exchanged", rows)
    assert piece.staves == (2,), "without parts, all staves are one"
    assert piece.pitch[piece.staff == 1].tolist() == [60, 62]
    assert piece.pitch[piece.staff == 2].tolist() == [48, 50, 52]


@pytest.mark.parametrize(
    "rows",
    ["", "**kern\n*M4/4\n=1\n1r\n*-\n", "**kern\n4c\t4d\n*-\n", "**kern\n*+\n4c\n*-\n"],
)
def test_malformed_scores_are_refused(rows: str) -> None:
    with pytest.raises(ValueError, match="odd"):
        parse_kern("odd", rows)


def test_an_archive_is_read_without_its_malformed_scores(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scores.zip", "w") as files:
        files.writestr("index.csv", "path")
        files.writestr("kern/a.krn", SONG)
        files.writestr("kern/b.krn", "**kern\n4c\t4d\n*-\n")
    (piece,) = read_kern_archive(tmp_path / "scores.zip")
    assert piece.name == "kern/a.krn"


def test_ornaments_and_marks_are_read() -> None:
    piece = parse_kern("test", "**kern\n*M2/4\n=1\n8cT\n8d'\n4e;\n*-\n")
    found = [{MARKS[i] for i in np.flatnonzero(row)} for row in piece.marks]
    assert found == [{"trill"}, {"staccato"}, {"fermata"}]
