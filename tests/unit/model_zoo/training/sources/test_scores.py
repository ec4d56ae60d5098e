"""Written music read from MusicXML."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_zoo.training.sources.scores import MARKS, parse_score, read_archive
from tests.unit.model_zoo.training.rhythm.pieces import attributes, grace, note, parse, write

TIE_START, TIE_STOP = '<tie type="start"/>', '<tie type="stop"/>'


def test_notes_follow_one_another() -> None:
    piece = parse([attributes() + note("C4", 2) + note("R", 2) + note("F#4", 4), note("Bb3", 8)])
    assert piece.onset_q.tolist() == [0.0, 2.0, 4.0]
    assert piece.duration_q.tolist() == [1.0, 2.0, 4.0]
    assert piece.pitch.tolist() == [60, 66, 58]
    assert piece.bar_start_q.tolist() == [0.0, 4.0]


def test_a_chord_begins_together() -> None:
    piece = parse([attributes() + note("C4", 4) + note("E4", 4, chord=True) + note("G4", 4)])
    assert piece.onset_q.tolist() == [0.0, 0.0, 2.0]


def test_voices_and_staves_go_back_and_forward() -> None:
    upper = note("E5", 4) + note("F5", 4)
    lower = "<forward><duration>2</duration></forward>" + note("C3", 6, staff=2)
    back = "<backup><duration>8</duration></backup>"
    piece = parse([attributes(staves=2) + upper + back + lower])
    assert list(zip(piece.pitch, piece.onset_q, piece.staff, strict=True)) == [
        (76, 0.0, 1),
        (48, 1.0, 2),
        (77, 2.0, 1),
    ]
    assert piece.staves == (2,)


def test_ties_make_one_note_across_bars() -> None:
    piece = parse(
        [
            attributes() + note("R", 6) + note("C4", 2, inside=TIE_START),
            note("C4", 8, inside=TIE_STOP + TIE_START),
            note("C4", 2, inside=TIE_STOP) + note("C4", 6),
        ]
    )
    assert piece.onset_q.tolist() == [3.0, 9.0]
    assert piece.duration_q.tolist() == [6.0, 3.0]


def test_a_tie_that_leads_nowhere_ties_nothing() -> None:
    piece = parse([attributes() + note("C4", 2, inside=TIE_START) + note("R", 4) + note("C4", 2)])
    assert piece.duration_q.tolist() == [1.0, 1.0]


def test_grace_notes_last_nothing_and_come_first() -> None:
    piece = parse([attributes() + grace("D4") + note("C4", 8)])
    assert piece.grace.tolist() == [True, False]
    assert piece.onset_q.tolist() == [0.0, 0.0]
    assert piece.duration_q.tolist() == [0.0, 4.0]


def test_a_transposing_part_sounds_where_it_sounds() -> None:
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    bass = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    assert parse([attributes(more=clarinet) + note("D4", 8)]).pitch.tolist() == [60]
    assert parse([attributes(more=bass) + note("C4", 8)]).pitch.tolist() == [48]


def test_a_pickup_is_a_short_first_bar() -> None:
    piece = parse([attributes() + note("G4", 2), note("C5", 8), note("E5", 8)])
    assert piece.bar_start_q.tolist() == [0.0, 1.0, 5.0]
    assert piece.onset_q.tolist() == [0.0, 1.0, 5.0]


def test_signatures_hold_until_they_change() -> None:
    waltz = "<time><beats>3</beats><beat-type>4</beat-type></time>"
    piece = parse(
        [attributes() + note("C4", 8), note("C4", 8), attributes(waltz, fifths=-2) + note("C4", 6)]
    )
    assert piece.bar_beats.tolist() == [4, 4, 3]
    assert piece.bar_fifths.tolist() == [0, 0, -2]


def test_beats_may_be_added_up() -> None:
    time = "<time><beats>3+2</beats><beat-type>8</beat-type></time>"
    assert parse([attributes(time) + note("C4", 5)]).bar_beats.tolist() == [5]


def test_parts_share_their_bars() -> None:
    upper = [attributes() + note("C5", 2), note("D5", 8)]
    lower = [attributes() + note("R", 2), note("D3", 4) + note("E3", 4)]
    piece = parse(upper, lower)
    assert piece.part.tolist() == [0, 1, 0, 1]
    assert piece.onset_q.tolist() == [0.0, 1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("inside", "mark"),
    [
        ("<notations><ornaments><trill-mark/></ornaments></notations>", "trill"),
        ("<notations><ornaments><inverted-mordent/></ornaments></notations>", "mordent"),
        ("<notations><articulations><staccato/></articulations></notations>", "staccato"),
        ("<notations><fermata/></notations>", "fermata"),
        ("<notations><arpeggiate/></notations>", "arpeggio"),
    ],
)
def test_marks(inside: str, mark: str) -> None:
    piece = parse([attributes() + note("C4", 8, inside=inside)])
    assert [m for m, there in zip(MARKS, piece.marks[0], strict=True) if there] == [mark]


@pytest.mark.parametrize("content", [note("R", 8), note("C4", 8, inside="<cue/>")])
def test_a_score_without_notes_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match="no notes"):
        parse([attributes() + content])


def test_archives_hold_scores_compressed_or_not(tmp_path: Path) -> None:
    score = write([attributes() + note("C4", 8)])
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w") as mxl:
        mxl.writestr("META-INF/container.xml", "<container/>")
        mxl.writestr("score.xml", score)
    with zipfile.ZipFile(tmp_path / "songs.zip", "w") as archive:
        archive.writestr("a.mxl", compressed.getvalue())
        archive.writestr("notes.txt", "no score")
        archive.writestr("b.musicxml", score)
    found = list(read_archive(tmp_path / "songs.zip"))
    assert [name for name, _ in found] == ["a.mxl", "b.musicxml"]
    pieces = [parse_score(name, text) for name, text in found]
    for piece in pieces:
        np.testing.assert_array_equal(piece.pitch, [60])
