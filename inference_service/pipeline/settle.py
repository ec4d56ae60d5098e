"""Put the edits that a request makes into absolute terms, and refuse those that change nothing.

A note that is asked to move by a step is given the pitch where it arrives on the page that the
request asks for: in the key that is in force, and from the pitch as sung if such pitches are shown.
A chord that is named on a transposed page is given its untransposed label. What is kept then means
the same whatever is corrected later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference_service.errors import InvalidCorrections
from inference_service.music.chord_names import read_chord
from inference_service.music.edits import ScoreEdit, SetChord
from inference_service.music.events import Key, Transcription
from inference_service.music.pitch import transpose_chord_label
from inference_service.pipeline.correct import correct
from inference_service.pipeline.options import RenderOptions
from inference_service.pipeline.written import write_corrected


def settle_edits(heard: Transcription, options: RenderOptions) -> RenderOptions:
    """Return options whose edits of notes and chords are absolute.

    Where their list continues that of the transcription, the earlier edits are not judged again:
    other corrections may have taken their notes away.

    Parameters
    ----------
    heard : Transcription
        With the corrections before the request.
    options : RenderOptions
        Without anything else that is in terms of the page.

    Raises
    ------
    InvalidCorrections
        If a new edit can change nothing, or if corrections do not fit the music.
    """
    corrections = options.edit.corrections
    edits = tuple(_name(edit, heard.key, options.transpose_semitones) for edit in corrections.edits)
    if not edits:
        return options
    known = _count_common(edits, heard.corrections.edits)
    amended = options.amend(heard)
    whole = replace(amended.corrections, edits=edits, bars=None)
    written = write_corrected(correct(replace(amended, corrections=whole)), options.pitches, "")
    for number, cause in sorted(written.problems.items()):
        if number >= known:
            raise InvalidCorrections(
                f"edit {number + 1}: {cause}", correction="edits", edit=number + 1
            )
    settled = replace(corrections, edits=written.edits)
    return replace(options, edit=replace(options.edit, corrections=settled))


def _count_common(edits: Sequence[ScoreEdit], known: Sequence[ScoreEdit]) -> int:
    """Return the number of edits with which both lists begin."""
    for number, (edit, other) in enumerate(zip(edits, known, strict=False)):
        if edit != other:
            return number
    return min(len(edits), len(known))


def _name(edit: ScoreEdit, key: Key, transpose_semitones: int) -> ScoreEdit:
    """Return an edit with the untransposed label of a chord that the page names."""
    if not isinstance(edit, SetChord) or not edit.text:
        return edit
    label = read_chord(edit.text)
    if label is None:
        return edit
    return replace(edit, text="", label=transpose_chord_label(label, -transpose_semitones, key))
