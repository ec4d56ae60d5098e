"""Reading MusicXML as arrays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection

import numpy as np
import pytest

from tests.bench.written import WrittenScore, parse_musicxml

TWO_FOUR = (
    "<attributes><divisions>2</divisions>"
    "<time><beats>2</beats><beat-type>4</beat-type></time></attributes>"
)

TIED_ON, TIED_BACK = '<tie type="start"/>', '<tie type="stop"/>'


def build_note(
    step: str, duration: int, extra: str = "", *, octave: int = 4, chord: str = ""
) -> str:
    """A note; ``step`` may carry a sharp or a flat."""
    alter = {"#": 1, "b": -1}.get(step[1:], 0)
    return (
        f"<note>{chord}<pitch><step>{step[0]}</step><alter>{alter}</alter>"
        f"<octave>{octave}</octave></pitch><duration>{duration}</duration>{extra}</note>"
    )


def build_bar(step: str, *around: str) -> str:
    """A bar of one half note, with ``around`` before it."""
    return f"<measure>{''.join(around)}{build_note(step, 4)}</measure>"


def read(*measures: str, skipped: Collection[int] = ()) -> WrittenScore:
    """A part of these measures, played without the repeats at the ends of those skipped."""
    text = f"<score-partwise><part>{''.join(measures)}</part></score-partwise>"
    return parse_musicxml(text.encode()).play(skipped)


def letters(score: WrittenScore) -> str:
    """The notes' names in order."""
    return "".join(score.spellings)


def repeat(direction: str) -> str:
    """A repeat sign."""
    return f'<barline><repeat direction="{direction}"/></barline>'


def ending(number: str, kind: str) -> str:
    """The begin or end of an ending's bracket."""
    return f'<barline><ending number="{number}" type="{kind}"/></barline>'


def test_voices_chords_and_graces() -> None:
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch><voice>1</voice></note>"
    score = read(
        f"<measure>{TWO_FOUR}{build_note('C', 2)}{build_note('E', 2, chord='<chord/>')}{grace}"
        f"{build_note('D', 2)}<backup><duration>4</duration></backup>"
        f"<forward><duration>1</duration></forward>"
        f"{build_note('F#', 3, '<voice>5</voice><staff>2</staff>', octave=3)}</measure>"
    )
    np.testing.assert_allclose(score.notes.onsets, [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(score.notes.offsets, [1, 1, 2, 2, 1])
    assert list(score.notes.pitches) == [60, 64, 54, 62, 71]
    assert list(score.staves) == [1, 1, 2, 1, 1]
    assert list(score.spellings) == ["C", "E", "F#", "D", "B"]


def test_ties_are_joined_across_bars() -> None:
    score = read(
        f"<measure>{TWO_FOUR}{build_note('C', 4, TIED_ON)}</measure>",
        f"<measure>{build_note('C', 2, TIED_BACK)}{build_note('C', 2)}</measure>",
    )
    np.testing.assert_allclose(score.notes.onsets, [0, 3])
    np.testing.assert_allclose(score.notes.offsets, [3, 4])


@pytest.mark.parametrize(
    ("measures", "played"),
    [
        ([build_bar("C", TWO_FOUR), build_bar("D", repeat("backward")), build_bar("E")], "CDCDE"),
        ([build_bar("C", TWO_FOUR), build_bar("D", repeat("forward")),
          build_bar("E", repeat("backward")), build_bar("F")], "CDEDEF"),
        ([build_bar("C", TWO_FOUR),
          build_bar("D", ending("1", "start"), ending("1", "stop"), repeat("backward")),
          build_bar("E", ending("2", "start"), ending("2", "discontinue")), build_bar("F")],
         "CDCEF"),
        ([build_bar("C", TWO_FOUR),
          build_bar("D", ending("1, 2", "start"), ending("1, 2", "stop"), repeat("backward")),
          build_bar("E", ending("3", "start"), ending("3", "stop")), build_bar("F")], "CDCDCEF"),
        ([build_bar("C", TWO_FOUR), build_bar("D", repeat("backward"), '<sound fine="yes"/>'),
          build_bar("E", '<sound dacapo="yes"/>')], "CDCDECD"),
        ([build_bar("C", TWO_FOUR), build_bar("D", '<sound segno="s"/>'),
          build_bar("E", '<sound fine="yes"/>'), build_bar("F", '<sound dalsegno="s"/>')],
         "CDEFDE"),
    ],
    ids=["repeat", "inner repeat", "endings", "three times", "da capo", "dal segno"],
)  # fmt: skip
def test_repeats_are_played_out(measures: list[str], played: str) -> None:
    score = read(*measures)
    assert letters(score) == played
    np.testing.assert_allclose(score.bars, 2.0 * np.arange(len(played)))


def test_a_repeat_may_be_skipped() -> None:
    twice = [
        build_bar("C", TWO_FOUR),
        build_bar("D", ending("1", "start"), ending("1", "stop"), repeat("backward")),
        build_bar("E", ending("2", "start"), ending("2", "stop")),
        build_bar("F", repeat("forward"), repeat("backward")),
    ]
    assert letters(read(*twice)) == "CDCEFF"
    assert letters(read(*twice, skipped=[1])) == "CEFF"
    assert letters(read(*twice, skipped=[3])) == "CDCEF"
    assert letters(read(*twice, skipped=[1, 3])) == "CEF"


def test_signatures_in_force() -> None:
    three = (
        "<attributes><key><fifths>-3</fifths></key>"
        "<time><beats>3</beats><beat-type>8</beat-type></time></attributes>"
    )
    score = read(build_bar("C", TWO_FOUR), f"<measure>{three}{build_note('D', 3)}</measure>")
    assert score.times == [(0.0, 2, 4), (2.0, 3, 8)]
    assert score.time_at(np.array([0.0, 1.5, 2.0])).tolist() == [[2, 4], [2, 4], [3, 8]]
    assert score.key_at(np.array([0.0, 1.5, 2.0])).tolist() == [0, 0, -3]


def test_a_short_bar_is_as_long_as_it_is() -> None:
    pickup = f"<measure>{TWO_FOUR}{build_note('C', 2)}</measure>"
    np.testing.assert_allclose(read(pickup, build_bar("D")).notes.onsets, [0, 1])


def test_compressed_files_and_empty_ones() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        files.writestr("META-INF/container.xml", "<container/>")
        files.writestr("score.xml", "<score-partwise><part/></score-partwise>")
    score = parse_musicxml(buffer.getvalue()).play()
    assert len(score.notes) == 0
    assert len(score.bars) == 0
