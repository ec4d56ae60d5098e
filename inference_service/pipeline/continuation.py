"""The use case: write the files of a continuation of given music."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from string import ascii_lowercase
from typing import Final

from inference_service.continuation.compose import Continuation, continue_music
from inference_service.midi.preview import Synthesizer
from inference_service.music.events import Transcription
from inference_service.music.score import Score
from inference_service.notation.melody import find_melody, named_melody
from inference_service.notation.views import View
from inference_service.pipeline.correct import correct
from inference_service.pipeline.options import ContinueOptions, Format, RenderOptions
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.remembered import Remembered
from inference_service.pipeline.render import (
    Artifact,
    Names,
    Rendering,
    write_score,
)
from inference_service.pipeline.shown import show
from inference_service.pipeline.written import write_corrected
from inference_service.progress import Progress, Stage

NAME: Final = "continuation"

_COMPOSED: Final[Remembered[list[Continuation]]] = Remembered()
"""The same options compose the same music, of which people ask for further pages and files."""


def continue_transcription(
    transcription: Transcription,
    options: ContinueOptions,
    progress: Progress,
    synthesizer: Synthesizer = Synthesizer(),  # noqa: B008 - immutable
) -> Rendering:
    """Continue a transcription; see :func:`continue_score`.

    ``Rendering.shown`` describes the given music, not the continuation.
    """
    options = replace(options, render=make_absolute(transcription, options.render))
    corrected = correct(options.render.amend(transcription))
    written = write_corrected(corrected, options.render.pitches, options.render.title)
    artifacts = continue_score(written.score, options, progress, synthesizer)
    shown = show(written, corrected, options.render)
    return Rendering(shown, tuple(artifacts), options.render)


def continue_score(
    score: Score,
    options: ContinueOptions,
    progress: Progress,
    synthesizer: Synthesizer = Synthesizer(),  # noqa: B008 - immutable
) -> list[Artifact]:
    """Write the files of a continuation, ``continuation-1.png`` and so on, then of alternatives:
    ``continuation-b-1.png``, ``continuation-c-1.png``.

    A title in the options replaces the score's own. Whether this machine can play a preview is
    checked before anything is composed.

    Raises
    ------
    NothingToContinue
        If the music has too few notes.
    PreviewUnavailable
        If a preview is requested and this machine cannot play.
    """
    progress(Stage.CONTINUATION, 0.0)
    if Format.PREVIEW in options.render.formats:
        synthesizer.require()
    score = replace(score, title=options.render.title or score.title)
    found = _COMPOSED.get((score, options.music), partial(_compose, score, options, progress))
    artifacts: list[Artifact] = []
    shown = _with_melody(options.render, score)
    for letter, one in zip(ascii_lowercase, found, strict=False):
        name = NAME if letter == "a" else f"{NAME}-{letter}"
        artifacts += write_score(one.score, shown, progress, synthesizer, Names(name, name))
    progress(Stage.ENGRAVING, 1.0)
    return artifacts


def _compose(score: Score, options: ContinueOptions, progress: Progress) -> list[Continuation]:
    report = partial(progress, Stage.CONTINUATION)
    return continue_music(score, find_melody(score.parts), options.music, report)


def _with_melody(options: RenderOptions, score: Score) -> RenderOptions:
    """Return options that write the new melody of a chord sheet, if the piece has one.

    On a chord sheet alone nobody could see how the tune goes on.
    """
    is_sung = options.view is View.CHORDS and named_melody(score.parts) is not None
    return replace(options, view=View.LEAD_SHEET) if is_sung else options
