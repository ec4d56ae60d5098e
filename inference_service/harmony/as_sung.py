"""Sung pitches as they were sung."""

from __future__ import annotations

from collections.abc import Sequence

from inference_service.model_files import ModelFiles
from inference_service.music.events import Key, NoteEvent
from inference_service.settings import ModelSettings


class AsSung:
    """Satisfies ``pipeline.stages.PitchDecoder``, and leaves pitches as the tagger rounded them."""

    def decode(self, notes: Sequence[NoteEvent], key: Key | None) -> list[NoteEvent]:
        """Return the notes themselves."""
        return list(notes)


def build(entry: ModelFiles, settings: ModelSettings) -> AsSung:
    """Build the stage that changes nothing, as the manifest declares it."""
    return AsSung()
