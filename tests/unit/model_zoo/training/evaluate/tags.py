"""Accessors for tags that a test knows to be present."""

from __future__ import annotations

from model_zoo.training.evaluate.metrics import NoteArray, Tags


def notes_of(tags: Tags) -> NoteArray:
    """Return the notes, shape (N, 5), which must not be None."""
    assert tags.notes is not None
    return tags.notes


def strokes_of(tags: Tags) -> NoteArray:
    """Return the drum strokes, shape (K, 2), which must not be None."""
    assert tags.strokes is not None
    return tags.strokes
