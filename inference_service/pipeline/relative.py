"""Turn what is asked for in terms of the page that is shown into what it is in absolute terms.

A reader says "one beat later", "twice as slow", "in G" under a transposed page, or "transpose to
D". The page is that of the result with the corrections that it already has. Edits of single notes
and chords are left to ``settle.py``.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from inference_service.errors import InvalidCorrections
from inference_service.music.adjustments import Adjustments, BarShift, LocalShift, NamedKey
from inference_service.music.corrections import (
    Corrections,
    round_bar_move,
    round_first_beat,
    round_scale,
)
from inference_service.music.events import Key, Mode, Transcription
from inference_service.music.metre import parse_time_signature
from inference_service.music.pitch import pitch_class, relative_key, transpose_key
from inference_service.pipeline.correct import Corrected, correct
from inference_service.pipeline.options import MAX_TRANSPOSITION, Pitches, RenderOptions
from inference_service.pipeline.settle import settle_edits
from inference_service.pipeline.shown import Shown, show
from inference_service.pipeline.written import write_corrected


def make_absolute(heard: Transcription, options: RenderOptions) -> RenderOptions:
    """Return options without adjustments, with absolute edits and a transposition by semitones.

    Parameters
    ----------
    heard : Transcription
        With the corrections of the page, without those of the options.
    options : RenderOptions
        A key to transpose to is that of the page with all corrections.

    Raises
    ------
    InvalidCorrections
        If an adjustment leads to a value outside its range, or a new edit can change nothing.
    """
    if options.adjustments or options.transpose_to is not None:
        options = _adjust(heard, options)
    return settle_edits(heard, options)


def _adjust(heard: Transcription, options: RenderOptions) -> RenderOptions:
    wanted = options.adjustments
    if wanted != Adjustments(local_shifts=wanted.local_shifts) or options.transpose_to is not None:
        options = _adjust_whole(heard, options)
    for local in wanted.local_shifts:
        move = _find_move(local, options.amend(heard))
        options = replace(options, edit=options.edit.then(move))
    return replace(options, adjustments=Adjustments(), transpose_to=None)


def _adjust_whole(heard: Transcription, options: RenderOptions) -> RenderOptions:
    """Return options with what is asked for the whole page in absolute terms."""
    corrected = correct(heard)
    written = write_corrected(corrected, Pitches.MEANT, "")
    page = show(written, corrected, options)
    wanted = options.adjustments
    later = Corrections(
        beat_scale=(
            None
            if wanted.rescale is None
            else round_scale(float(corrected.beat_scale) * wanted.rescale)
        ),
        first_beat=(
            None
            if wanted.bar_shift is None
            else round_first_beat(_shift(wanted.bar_shift, corrected, page))
        ),
        key=(
            None if wanted.key is None else _find_key(wanted.key, page, options.transpose_semitones)
        ),
    )
    edit = options.edit.then(later)
    semitones = options.transpose_semitones
    if options.transpose_to is not None:
        key = edit.corrections.key or page.untransposed_key
        semitones = find_transposition(key, options.transpose_to, semitones)
    return replace(options, edit=edit, transpose_semitones=semitones)


def _shift(shift: BarShift, corrected: Corrected, page: Shown) -> float:
    """Return the number of the heard beat at which bar 1 begins if bar lines are moved."""
    signature = parse_time_signature(page.time_signature)
    step = shift.unit.in_quarters(signature) / corrected.heard_beat_quarters
    bar = signature.beats * signature.beat_quarters / corrected.heard_beat_quarters
    number = page.first_beat + shift.count * step
    if number <= 0:  # the same bar lines, counted from a later bar
        number = number % bar or bar
    return float(number)


def _find_move(local: LocalShift, heard: Transcription) -> Corrections:
    """Return the move of bar lines that a page is to have beside those that it already has."""
    if local.from_bar == 1:
        return Corrections(first_beat=_shift_all(local.shift, heard))
    corrected = correct(heard)
    written = write_corrected(corrected, Pitches.MEANT, "")
    if local.from_bar >= len(written.bar_lines_s):
        raise InvalidCorrections(
            f"there are {len(written.bar_lines_s) - 1} bars", correction="local_shifts"
        )
    signature = written.score.signature
    step = local.shift.unit.in_quarters(signature) / corrected.heard_beat_quarters
    (from_beat,) = corrected.number_unmoved([written.bar_lines_s[local.from_bar - 1]])
    known = {move.from_beat: move.beats for move in heard.corrections.bar_moves}
    beats = known.get(from_beat, Fraction(0)) + local.shift.count * step
    return Corrections(bar_moves=(round_bar_move(float(from_beat), float(beats)),))


def _shift_all(shift: BarShift, heard: Transcription) -> Fraction:
    """Return the number of the heard beat at which bar 1 begins if all bar lines are moved."""
    corrected = correct(heard)
    written = write_corrected(corrected, Pitches.MEANT, "")
    page = show(written, corrected, RenderOptions())
    return round_first_beat(_shift(shift, corrected, page))


def _find_key(named: NamedKey, page: Shown, semitones: int) -> Key:
    """Return the untransposed key that a page has if its transposition is in a named key."""
    shown = transpose_key(page.untransposed_key, semitones)
    compared = [transpose_key(other.key, semitones) for other in page.alternatives]
    mode = named.mode or shown.mode
    if named.tonic is not None:
        if named.mode is None:
            mode = _find_mode(named.tonic, compared, shown.mode)
        key = Key(named.tonic, mode)
    elif mode == shown.mode:
        key = shown
    else:
        key = next((other for other in compared if other.mode == mode), relative_key(shown))
    return transpose_key(key, -semitones)


def _find_mode(tonic: str, compared: list[Key], usual: Mode) -> Mode:
    """Return the mode of the likeliest reading on a tonic, or else the usual one."""
    return next((other.mode for other in compared if other.tonic == tonic), usual)


def find_transposition(key: Key, named: NamedKey, semitones: int) -> int:
    """Return the transposition to another key that is nearest to the present one.

    A key of the other mode stands for its relative: the music changes its pitch, not its mode.
    Of two that are as near, it is the one nearer to the untransposed key.

    Parameters
    ----------
    key : Key
        Before transposition.
    named : NamedKey
        Without a tonic, the transposition stays.
    semitones : int
        The present transposition.
    """
    if named.tonic is None:
        return semitones
    target = Key(named.tonic, named.mode or key.mode)
    if target.mode != key.mode:
        target = relative_key(target)
    distance = (pitch_class(target.tonic) - pitch_class(key.tonic)) % 12
    shifts = range(distance - MAX_TRANSPOSITION, MAX_TRANSPOSITION + 1, 12)
    return min(shifts, key=lambda shift: (abs(shift - semitones), abs(shift)))
