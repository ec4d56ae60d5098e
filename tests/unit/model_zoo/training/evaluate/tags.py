"""Tags of which a test knows that they are there."""

from __future__ import annotations

from model_zoo.training.evaluate.metrics import NoteArray, Tags


def notes_of(tags: Tags) -> NoteArray:
    """Notes, shape (N, 5); somebody must have listened for them."""
    assert tags.notes is not None
    return tags.notes


def strokes_of(tags: Tags) -> NoteArray:
    """Strokes of drums, shape (K, 2); somebody must have listened for them."""
    assert tags.strokes is not None
    return tags.strokes
