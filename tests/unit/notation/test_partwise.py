"""The parser of partwise MusicXML."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest

from inference_service.music.repeats import Jump, Signs
from inference_service.notation.partwise import (
    ChordSymbol,
    WrittenMeasure,
    WrittenPart,
    join_ties,
    read_parts,
)
from tests.unit.model_zoo.training.rhythm.pieces import attributes, note, write

TIE_START, TIE_STOP = '<tie type="start"/>', '<tie type="stop"/>'


def read(*measures: str) -> WrittenPart:
    (part,) = read_parts(ElementTree.fromstring(write(measures)))
    return part


def read_one(content: str) -> WrittenMeasure:
    (measure,) = read(attributes() + content).measures
    return measure


def joined(*measures: str) -> list[tuple[Fraction, Fraction]]:
    part = read(*measures)
    placed = [
        (Fraction(4 * bar), written)
        for bar, measure in enumerate(part.measures)
        for written in measure.notes
    ]
    return [(found.start_q, found.duration_q) for found in join_ties(placed)]


def test_positions_are_exact() -> None:
    part = read(attributes().replace(">2<", ">3<") + note("C4", 1) * 3)
    assert [n.start_q for n in part.measures[0].notes] == [0, Fraction(1, 3), Fraction(2, 3)]
    assert part.measures[0].length_q == 1


def test_a_rest_does_not_overfill_a_bar() -> None:
    assert read_one(note("R", 16)).length_q == 4
    assert read_one(note("C4", 10)).length_q == 5
    assert read_one(note("C4", 10) + note("R", 2)).length_q == 5


@pytest.mark.parametrize("stop", [TIE_STOP, ""])
def test_a_tie_without_an_end_is_joined(stop: str) -> None:
    first = attributes() + note("C4", 8, inside=TIE_START)
    assert joined(first, note("C4", 4, inside=stop)) == [(0, 6)]


def test_a_tie_to_another_voice_needs_its_end() -> None:
    first = attributes() + note("C4", 8, inside=TIE_START)
    other = "<voice>2</voice>"
    assert joined(first, note("C4", 4, inside=TIE_STOP + other)) == [(0, 6)]
    assert joined(first, note("C4", 4, inside=other)) == [(0, 4), (4, 2)]


def test_signs_of_repeats() -> None:
    measures = read(
        attributes() + '<barline location="left"><repeat direction="forward"/></barline>',
        '<barline location="left"><ending number="1, 2" type="start"/></barline>'
        '<barline><ending number="1, 2" type="stop"/><repeat direction="backward" times="3"/>'
        "</barline>",
        '<barline location="left"><ending number="" type="start">3.</ending></barline>'
        '<direction><direction-type><coda/></direction-type><sound coda="coda"/></direction>',
        '<sound segno="s"/><sound tocoda="coda"/><sound fine="yes"/><sound dalsegno="s"/>',
    ).measures
    assert [measure.signs for measure in measures] == [
        Signs(opens=True),
        Signs(endings=0b11, repeats=2),
        Signs(endings=0b100, is_coda=True),
        Signs(is_segno=True, to_coda=True, is_fine=True, jump=Jump.SEGNO),
    ]


def test_a_chord_symbol_with_all_that_it_may_have() -> None:
    measure = read_one(
        note("C4", 2) + "<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root>"
        "<kind>dominant</kind><bass><bass-step>D</bass-step></bass><degree>"
        "<degree-value>9</degree-value><degree-alter>1</degree-alter>"
        "<degree-type>add</degree-type></degree><offset>1</offset></harmony>"
        "<harmony><function>V</function><kind>major</kind></harmony>"
    )
    assert measure.chords == [
        ChordSymbol(Fraction(3, 2), "Bb", "dominant", (("add", 9, 1),), "D"),
        ChordSymbol(Fraction(1), "", "major"),
    ]


def test_a_seventh_may_be_in_the_text_of_a_suspension_alone() -> None:
    measure = read_one(
        "<harmony><root><root-step>G</root-step></root>"
        '<kind text="7sus4">suspended-fourth</kind></harmony>' + note("C4", 8)
    )
    assert measure.chords == [ChordSymbol(Fraction(0), "G", "suspended-fourth", (("add", 7, -1),))]


def test_the_first_mark_and_tempo_of_a_bar_count() -> None:
    mark = "<direction><direction-type><rehearsal>{}</rehearsal></direction-type></direction>"
    measure = read_one(mark.format(" B \n 2") + mark.format("C") + '<sound tempo="88.5"/>')
    assert measure.mark == "B 2"
    assert measure.quarters_per_minute == Fraction(177, 2)


def test_signatures_last() -> None:
    with_mode = attributes(fifths=-3).replace("</fifths>", "</fifths><mode>Minor</mode>")
    first, second = read(with_mode + note("C4", 8), note("C4", 8)).measures
    assert (second.fifths, second.mode, second.beats, second.unit) == (-3, "minor", 4, 4)
    assert (first.length_q, second.length_q) == (4, 4)


def test_a_tempo_may_have_all_digits_of_a_double() -> None:
    """music21 writes 166.5 like this, computed from 111 dotted quarters."""
    measure = read_one('<sound tempo="166.49999999999997"/>' + note("C4", 8))
    assert float(measure.quarters_per_minute or 0) == 166.49999999999997


@pytest.mark.parametrize("number", ["", "x", "1e9", "1/2", "9" * 13, "١"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="number"):
        read(attributes().replace("<divisions>2", f"<divisions>{number}") + note("C4", 8))
