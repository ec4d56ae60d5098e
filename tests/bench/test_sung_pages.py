"""Judging pages of melodies against the pages that were sung."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from fractions import Fraction
from pathlib import Path

import pytest

from inference_service.music.events import NoteEvent
from inference_service.music.metre import COMMON_TIME, TimeSignature
from tests.bench import peers, sung_pages
from tests.bench.melody_page import (
    FIGURES,
    MelodyPage,
    PageFigures,
    PageNote,
    ReferenceNote,
    ReferencePage,
    align_notes,
    judge,
    mean_figures,
    read_page,
    read_reference,
)
from tests.bench.sung_pages import Judged, average, find_half
from tests.bench.test_written import TIED_BACK, TIED_ON, build_note

PITCHES = (60, 62, 64, 65, 67, 69, 71, 72)
WALTZ = TimeSignature(3, 4)
SUNG = [NoteEvent(0.5 * k, 0.5 * k + 0.4, pitch) for k, pitch in enumerate(PITCHES)]
PRINTED = ReferencePage(
    "scale",
    (COMMON_TIME,),
    tuple(ReferenceNote(note.onset_s, float(k), note.pitch) for k, note in enumerate(SUNG)),
)
"""Two bars of quarters in 4/4."""

PERFECT = PageFigures(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


def build_page(
    *, shift: int = 0, scale: Fraction = Fraction(1), metre: TimeSignature = COMMON_TIME
) -> MelodyPage:
    """The scale, ``shift`` quarters late and with all values scaled."""
    bar = metre.beats * metre.beat_quarters
    positions = [(k + shift) * scale for k in range(len(PITCHES))]
    return MelodyPage(
        tuple(PageNote(p, p % bar, pitch) for p, pitch in zip(positions, PITCHES, strict=True)),
        metre,
    )


def move(page: MelodyPage, index: int, **changed: Fraction | int) -> MelodyPage:
    """The page with one note changed."""
    notes = list(page.notes)
    notes[index] = replace(notes[index], **changed)  # type: ignore[arg-type]
    return replace(page, notes=tuple(notes))


def test_a_perfect_page_has_every_figure_at_one() -> None:
    assert judge(PRINTED, build_page(), SUNG) == PERFECT


def test_a_page_that_is_a_beat_late_has_no_note_at_its_place() -> None:
    figures = judge(PRINTED, build_page(shift=1), SUNG)
    assert figures == replace(PERFECT, barline=0.0, bars=0.0)


def test_half_values_are_right_as_values_but_not_as_metre() -> None:
    half = build_page(scale=Fraction(1, 2))
    assert judge(PRINTED, half, SUNG) == replace(PERFECT, metre=0.0)
    assert judge(replace(PRINTED, scales=(2.0,)), half, SUNG) == PERFECT


def test_another_metre_is_right_only_if_the_reference_names_it() -> None:
    waltz = build_page(metre=WALTZ)
    figures = judge(PRINTED, waltz, SUNG)
    assert (figures.metre, figures.value, figures.barline) == (0.0, 1.0, 3 / 8)
    assert judge(replace(PRINTED, metres=(COMMON_TIME, WALTZ)), waltz, SUNG).metre == 1.0


def test_a_metre_that_is_as_right_also_counts_its_bars() -> None:
    two = TimeSignature(2, 4)
    figures = judge(replace(PRINTED, metres=(COMMON_TIME, two)), build_page(metre=two), SUNG)
    assert figures == PERFECT


def test_a_wrong_pitch_costs_its_bar() -> None:
    figures = judge(PRINTED, move(build_page(), 5, pitch=68), SUNG)
    assert figures == replace(PERFECT, pitch=7 / 8, bars=1 / 2)


def test_a_wrong_value_costs_two_intervals() -> None:
    late = move(build_page(), 2, position_quarters=Fraction(5, 2), place_quarters=Fraction(5, 2))
    figures = judge(PRINTED, late, SUNG)
    assert figures == replace(PERFECT, value=5 / 7, barline=7 / 8, bars=1 / 2)


def test_a_transposed_page_is_right() -> None:
    page = build_page()
    up = tuple(replace(note, pitch=note.pitch + 5) for note in page.notes)
    sung = [replace(note, pitch=note.pitch + 5) for note in SUNG]
    assert judge(PRINTED, replace(page, notes=up), sung) == PERFECT


def test_a_note_that_was_not_heard() -> None:
    page = build_page()
    figures = judge(PRINTED, replace(page, notes=page.notes[1:]), SUNG[1:])
    assert figures == replace(PERFECT, heard=7 / 8, bars=1 / 2)


@pytest.mark.parametrize(("page", "sung"), [(MelodyPage(()), []), (build_page(), [])])
def test_a_page_without_matching_notes_has_nothing_right(
    page: MelodyPage, sung: list[NoteEvent]
) -> None:
    assert judge(PRINTED, page, sung) == PageFigures()


def test_notes_are_aligned_by_pitch_and_order() -> None:
    page = build_page().notes
    an_octave_up = [replace(note, pitch=note.pitch + 12) for note in SUNG]
    assert align_notes(page, an_octave_up) == {k: k for k in range(8)}
    extra = [*SUNG[:3], NoteEvent(1.4, 1.45, 54), *SUNG[3:]]
    assert align_notes(page, extra) == {k: k + (k > 2) for k in range(8)}
    assert align_notes(page[:1], [replace(SUNG[0], pitch=61)]) == {0: 0}
    assert align_notes(page[:1], [replace(SUNG[0], pitch=62)]) == {}


def test_references_leave_slips_out(tmp_path: Path) -> None:
    notes = [
        {"label_index": k, "position_quarters": k, "pitch": pitch, "slip": k == 1}
        for k, pitch in enumerate(PITCHES[:3])
    ]
    page = {
        "exercise": "scale",
        "metre": "2/4",
        "metre_alternatives": ["4/4"],
        "value_scale_alternatives": [0.5],
        "notes": notes,
    }
    (tmp_path / "1.json").write_text(json.dumps(page))
    (tmp_path / "1.txt").write_text("0.1 0.4 60.2\n0.5 0.9 61.0\n1.1 1.4 64.1\n")
    reference = read_reference(tmp_path / "1.json", tmp_path / "1.txt")
    assert reference.notes == (ReferenceNote(0.1, 0.0, 60), ReferenceNote(1.1, 2.0, 64))
    assert reference.metres == (TimeSignature(2, 4), COMMON_TIME)
    assert reference.scales == (0.5,)
    slipped = MelodyPage(
        (
            PageNote(Fraction(0), Fraction(0), 60),
            PageNote(Fraction(1), Fraction(1), 61),
            PageNote(Fraction(2), Fraction(0), 64),
        ),
        TimeSignature(2, 4),
    )
    sung = [NoteEvent(0.1, 0.4, 60), NoteEvent(0.5, 0.9, 61), NoteEvent(1.1, 1.4, 64)]
    # without the slip there are no neighbours left to compare
    assert judge(reference, slipped, sung) == PERFECT


def test_pages_are_read_with_pickup_ties_and_graces() -> None:
    waltz = (
        "<attributes><divisions>2</divisions>"
        "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    )
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>"
    bars = (
        f"{waltz}{build_note('C', 2)}",
        f"{build_note('D', 4)}{grace}{build_note('F#', 2, TIED_ON)}",
        f"{build_note('F#', 2, TIED_BACK)}{build_note('G', 4)}",
    )
    measures = "".join(f"<measure>{bar}</measure>" for bar in bars)
    page = read_page(f"<score-partwise><part>{measures}</part></score-partwise>".encode())
    assert page.metre == WALTZ
    assert [astuple(note) for note in page.notes] == [
        (0, 2, 60),
        (1, 0, 62),
        (3, 2, 66),
        (5, 1, 67),
    ]
    assert read_page(b"<score-partwise/>").notes == ()


def test_means_are_taken_over_exercises() -> None:
    pages = [
        Judged("1", "scale", PERFECT),
        Judged("2", "scale", replace(PERFECT, bars=0.0)),
        Judged("3", "tune", replace(PERFECT, bars=0.0)),
    ]
    assert average(pages) == replace(PERFECT, bars=0.25)
    assert mean_figures([PERFECT, PageFigures()]) == PageFigures(*[0.5] * len(FIGURES))


def test_the_half_of_an_exercise_never_changes() -> None:
    assert [find_half(name) for name in ("jingle_bells", "edelweiss")] == [
        sung_pages.CHOOSING,
        sung_pages.REPORTED,
    ]


@pytest.mark.parametrize("is_installed", [False, True])
def test_the_section_has_both_halves_and_says_which_peer_is_missing(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    pages = [Judged("1", "jingle_bells", PERFECT), Judged("2", "edelweiss", PageFigures())]
    systems = sung_pages.SYSTEMS if is_installed else sung_pages.SYSTEMS[:2]
    monkeypatch.setattr(sung_pages, "list_clips", lambda data: [])
    monkeypatch.setattr(sung_pages, "measure", lambda clips, cache: dict.fromkeys(systems, pages))
    rows = list(sung_pages.run(Path(), Path()))
    assert sum("skipped" in row.what for row in rows) == len(sung_pages.SYSTEMS) - len(systems)
    measured = [row for row in rows if "skipped" not in row.what]
    assert len(measured) == len(systems) * 2 * len(FIGURES)
    assert sum(row.target is not None for row in rows) == len(sung_pages.TARGETS)
    assert [row.measured for row in rows if "reported half" in row.what] == [0.0] * len(systems)
    assert not any(row.met for row in rows if row.target is not None)


def test_musescore_is_read_as_a_page(tmp_path: Path) -> None:
    if peers.find_musescore() is None:
        pytest.skip("no MuseScore 3: install musescore3")
    written = sung_pages.write_by_musescore(SUNG, tmp_path)
    figures = judge(PRINTED, written.page, written.performed)
    assert figures == PERFECT


def test_every_printed_page_agrees_with_itself(data_dir: Path) -> None:
    clips = sung_pages.list_clips(data_dir)
    for clip in clips:
        reference = clip.reference
        metre = reference.metres[0]
        bar = metre.beats * metre.beat_quarters
        positions = [Fraction(note.position_quarters) for note in reference.notes]
        notes = tuple(
            PageNote(position, position % bar, note.pitch)
            for position, note in zip(positions, reference.notes, strict=True)
        )
        sung = [NoteEvent(n.time_s, n.time_s + 0.1, n.pitch) for n in reference.notes]
        assert judge(reference, MelodyPage(notes, metre), sung) == PERFECT, clip.audio.stem


def test_missing_recordings_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="voice_pages"):
        sung_pages.list_clips(tmp_path)
