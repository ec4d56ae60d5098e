"""The melody is printed once."""

from __future__ import annotations

from inference_service.music.events import NoteEvent, Part
from inference_service.pipeline.bleed import remove_bleed

SUNG = [NoteEvent(1.0, 2.0, 60), NoteEvent(3.0, 4.0, 60), NoteEvent(4.0, 5.0, 64)]


def band(*notes: NoteEvent) -> list[Part]:
    return [Part("guitar", "Guitar", notes, 24)]


def test_echoes_of_the_singer_are_left_out() -> None:
    echoes = (NoteEvent(0.95, 2.1, 60), NoteEvent(3.4, 3.9, 60), NoteEvent(4.05, 4.9, 64))
    kept = (NoteEvent(1.0, 1.9, 67), NoteEvent(2.0, 2.9, 67), NoteEvent(3.0, 3.9, 67))
    (part,) = remove_bleed(band(*echoes, *kept), SUNG)
    assert part.notes == kept
    assert remove_bleed(band(*echoes, kept[0]), SUNG) == []


def test_what_outlasts_or_precedes_the_singer_is_the_band_s() -> None:
    notes = (NoteEvent(0.5, 1.8, 60), NoteEvent(1.0, 2.6, 60), NoteEvent(2.2, 2.8, 60))
    (part,) = remove_bleed(band(*notes), SUNG)
    assert part.notes == notes


def test_an_instrument_that_only_echoes_is_none() -> None:
    assert remove_bleed(band(NoteEvent(1.1, 1.9, 60)), SUNG) == []


def test_drums_have_no_pitch_to_share() -> None:
    drums = Part("drums", "Drums", (NoteEvent(1.1, 1.2, 60),), None, is_drum=True)
    assert remove_bleed([drums], SUNG) == [drums]
