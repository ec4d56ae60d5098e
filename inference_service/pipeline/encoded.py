"""MusicXML of the scores that were written last.

To write it takes half of the time of a page, and it is the same for pages of all sizes: the page in
the chat, the files and the practice page share it, and so do the two sides of a turned phone.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from inference_service.music.score import Score
from inference_service.notation.musicxml import encode_musicxml
from inference_service.pipeline.remembered import Remembered
from inference_service.progress import Progress, Stage

_ENCODED: Final[Remembered[bytes]] = Remembered()
"""A score of 12 pages takes 1.5 MB."""


def encode_once(score: Score, progress: Progress) -> bytes:
    """Return the MusicXML of an arranged score, written anew only if it is not remembered."""
    ids = tuple(note.id for part in score.parts for note in part.notes)  # scores ignore them
    write = partial(encode_musicxml, score, partial(progress, Stage.NOTATION))
    return _ENCODED.get((score, ids), write)
