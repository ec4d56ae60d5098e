"""A single line is told from chords and from several lines."""

from __future__ import annotations

from inference_service.music.events import NoteEvent
from inference_service.music.lines import is_single_line


def _line(count: int = 40, length_s: float = 0.25, step: int = 2) -> list[NoteEvent]:
    return [
        NoteEvent(0.25 * k, 0.25 * k + length_s, 60 + step * k % 12 + k % 5) for k in range(count)
    ]


def test_a_melody_is_a_line_even_if_strings_ring_on() -> None:
    assert is_single_line(_line())
    assert is_single_line(_line(length_s=0.4))


def test_octaves_and_a_few_false_notes_are_no_chords() -> None:
    octaves = [NoteEvent(n.onset_s, n.offset_s, n.pitch - 12) for n in _line()]
    assert is_single_line([*_line(), *octaves])
    assert is_single_line([*_line(), *(NoteEvent(3.0 * k, 3.0 * k + 0.2, 40) for k in range(3))])


def test_chords_arpeggios_and_two_parts_are_no_line() -> None:
    chords = [NoteEvent(k, k + 1.0, pitch) for k in range(8) for pitch in (60, 64, 67)]
    arpeggio = [NoteEvent(0.25 * k, 0.25 * k + 1.0, (60, 64, 67, 71)[k % 4]) for k in range(40)]
    second = [NoteEvent(n.onset_s, n.offset_s, n.pitch - 5) for n in _line()]
    assert not is_single_line(chords)
    assert not is_single_line(arpeggio)
    assert not is_single_line([*_line(), *second])


def test_silence_is_a_line() -> None:
    assert is_single_line([])
