"""Notes are divided between the players of an ensemble."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.players import count_lines, divide, split_lines

SOPRANO = (67, 69, 71, 72, 71, 69, 67, 67)
ALTO = (64, 64, 67, 67, 67, 65, 64, 62)
BASS = (48, 52, 55, 52, 43, 53, 48, 47)


def play(*lines: tuple[int, ...], length_s: float = 0.5, held_s: float = 0.55) -> list[NoteEvent]:
    """Return lines of equal notes, the highest line first, each note a little too long."""
    return [
        NoteEvent(round(step * length_s, 3), step * length_s + held_s, pitch)
        for line in lines
        for step, pitch in enumerate(line)
    ]


def sure(notes: list[NoteEvent], *families: str, share: float = 0.9) -> NDArray[np.float32]:
    """Return probabilities of a family for each note; of the last one for all that remain."""
    odds = np.full((len(notes), len(FAMILIES)), (1 - share) / (len(FAMILIES) - 1), np.float32)
    for index in range(len(notes)):
        odds[index, FAMILIES.index(families[min(index, len(families) - 1)])] = share
    return odds


@pytest.mark.parametrize("lines", [(SOPRANO,), (SOPRANO, BASS), (SOPRANO, ALTO, BASS)])
def test_counts_the_lines_that_sound_together(lines: tuple[tuple[int, ...], ...]) -> None:
    assert count_lines(sorted(play(*lines))) == len(lines)


def test_a_line_is_followed_through_leaps() -> None:
    notes = sorted(play(SOPRANO, ALTO, BASS))
    own = split_lines(notes, 3)
    for line, pitches in enumerate((SOPRANO, ALTO, BASS)):
        assert tuple(notes[i].pitch for i in np.flatnonzero(own == line)) == pitches


def test_a_line_that_rests_is_not_filled_by_the_others() -> None:
    notes = sorted(
        play(SOPRANO, BASS) + [NoteEvent(4.0 + k / 2, 4.5 + k / 2, 48) for k in range(4)]
    )
    own = split_lines(notes, 2)
    assert all(own[i] == 1 for i, note in enumerate(notes) if note.pitch < 60)


def test_the_family_of_a_line_is_that_of_its_notes_together() -> None:
    notes = play(SOPRANO, BASS)
    odds = sure(notes, "strings")
    odds[3] = sure(notes, "piano")[0]
    odds[8:] = sure(notes, "winds")[0]
    parts = divide(notes, odds)
    assert [(part.name, len(part.notes)) for part in parts] == [("Strings", 8), ("Winds", 8)]


def test_equal_families_are_numbered_and_unsure_ones_have_no_name() -> None:
    notes = play(SOPRANO, ALTO, BASS)
    names = [part.name for part in divide(notes, sure(notes, "strings"))]
    assert names == ["Strings 1", "Strings 2", "Strings 3"]
    assert len({part.id for part in divide(notes, sure(notes, "strings"))}) == 3
    unsure = [part.name for part in divide(notes, sure(notes, "strings", share=0.2))]
    assert unsure == ["Part 1", "Part 2", "Part 3"]


def test_an_instrument_of_chords_is_one_part() -> None:
    notes = play(SOPRANO, ALTO, BASS)
    parts = divide(notes, sure(notes, *["winds"] * 8, "piano"))
    assert sorted((part.name, len(part.notes)) for part in parts) == [("Piano", 16), ("Winds", 8)]


def test_no_note_is_lost_and_no_singer_invented() -> None:
    random = np.random.default_rng(1)
    notes = [
        NoteEvent(start, start + random.uniform(0.1, 2.0), int(random.integers(40, 90)))
        for start in random.uniform(0, 20, 200).tolist()
    ]
    odds = random.dirichlet(np.ones(len(FAMILIES)), 200).astype(np.float32)
    odds[:20] = sure(notes[:20], "voice")
    parts = divide(notes, odds)
    assert sorted(note for part in parts for note in part.notes) == sorted(notes)
    assert not any(part.id.startswith("voice") for part in parts)
    assert divide([], np.zeros((0, len(FAMILIES)), np.float32)) == []
