"""Select the parts, staves and voices of a quantised piece for each view.

- FULL: every part that has notes, in score order; keyboard parts on two staves where needed; drums
  on a percussion staff, hands above feet.
- MELODY: the sung part alone, or else the line that stands out as the melody.
- LEAD_SHEET: the melody with chord symbols.
- PIANO: two staves. A solo piano is kept; anything else becomes a playable reduction.

Every view but MELODY has chord symbols above the top staff. Lasting modulations become changes of
key signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from statistics import mean
from typing import Final

from inference_service.music.excerpt import cut_score
from inference_service.music.programs import KEYBOARDS
from inference_service.music.score import Score, ScoreNote, ScorePart
from inference_service.notation.bars import pickup_length
from inference_service.notation.hands import part_hands
from inference_service.notation.keys import find_key_changes
from inference_service.notation.melody import find_melody, named_melody, top_line
from inference_service.notation.names import order_parts
from inference_service.notation.percussion import FEET, merge_strokes
from inference_service.notation.reduction import reduce_to_piano
from inference_service.notation.views import View
from inference_service.notation.voices import write_voices

VOCALS_ID: Final = "vocals"
ACCOMPANIMENT_ID: Final = "accompaniment"

_ONE_STAFF_PITCH: Final = 53
"""Lowest pitch of a keyboard part that fits a single treble staff. Set by hand; not fitted."""

_HIGHEST_IN_BASS_CLEF: Final = 64
"""Highest pitch of a keyboard part that fits a single bass staff. Set by hand; not fitted."""


def arrange(score: Score, view: View) -> Score:
    """Return the score with the parts, staves and voices of a view.

    Parameters
    ----------
    score : Score
        From :func:`~inference_service.notation.quantize.quantize`, or read from a file.
    view : View
    """
    score = _join_hands(find_key_changes(score))
    if view is View.FULL:
        parts = [arrange_part(part) for part in score.parts if part.notes]
        return replace(score, parts=order_parts(parts) or (_melody(score),))
    if view is View.PIANO:
        return replace(score, parts=(_reduce(score),))
    melody = replace(score, parts=(_melody(score),))
    if view is View.LEAD_SHEET:
        return _start_at(melody, min(_opening(melody), Fraction(0)))
    return _start_at(replace(melody, chords=()), _opening(melody))


def _opening(score: Score) -> Fraction:
    """Return the position of the first note in beats."""
    return min((n.start_beats for part in score.parts for n in part.notes), default=Fraction(0))


def _start_at(score: Score, opening: Fraction) -> Score:
    """Return the score without the bars, or the beats of the pickup, before a position."""
    if opening < 0:
        return replace(score, pickup_beats=min(score.pickup_beats, pickup_length(opening)))
    bars = score.bars()
    first = [bar for bar in bars if bar.start_beats <= opening][-1]
    number = first.number if score.first_number > 1 else 1  # excerpts keep their numbers
    left = cut_score(score, first.start_beats, bars[-1].stop_beats)
    return replace(left, first_number=number)


def _join_hands(score: Score) -> Score:
    """Join two parts that are the hands of one piano, as in many MIDI files."""
    pitched = [part for part in score.parts if part.notes and not part.is_drum]
    if len(pitched) != 2 or named_melody(pitched) or not all(map(_is_pianist, pitched)):
        return score
    left, right = sorted(pitched, key=lambda part: mean(n.pitch for n in part.notes))
    if left.staves > 1 or right.staves > 1:
        return score
    notes = [replace(n, staff=1) for n in right.notes] + [replace(n, staff=2) for n in left.notes]
    joined = ScorePart("piano", "Piano", tuple(sorted(notes)), right.program, staves=2)
    return replace(score, parts=(joined, *(p for p in score.parts if p.is_drum)))


def arrange_part(part: ScorePart) -> ScorePart:
    """Return a part with the staves and voices of the full score."""
    if part.is_drum:
        return replace(part, notes=_write_drums(part.notes))
    if part.staves > 1:
        return replace(part, notes=_write_hands(part.notes))
    if part.id == VOCALS_ID:
        return replace(part, notes=_write(_on_one_staff(top_line(part.notes)), voices=1))
    if _is_keyboard(part) and part.clef is None:
        hands = _hands(part)
        if _needs_two_staves(part, hands):
            return replace(part, notes=_write_hands(hands), staves=2)
    return replace(part, notes=_write(_on_one_staff(part.notes)))


def _hands(part: ScorePart) -> list[ScoreNote]:
    """Return the notes divided between hands: as given where known, else by pitch."""
    is_read = part.staves > 1 or all(note.settled or note.grace for note in part.notes)
    return list(part.notes) if is_read else part_hands(part.notes)


def _on_one_staff(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    return [replace(note, staff=1) for note in notes]


def _melody(score: Score) -> ScorePart:
    """Return a part with the melody and nothing else."""
    line = _write(_on_one_staff(find_melody(score.parts)), voices=1)
    named = named_melody(score.parts)
    pitched = [part for part in score.parts if part.notes and not part.is_drum]
    owner = named or (pitched[0] if len(pitched) == 1 else None)
    if owner is None:
        return ScorePart("melody", "Melody", line, program=0)
    return replace(owner, notes=line)


def _reduce(score: Score) -> ScorePart:
    """Return all pitched parts as one piano part."""
    pitched = [part for part in score.parts if part.notes and not part.is_drum]
    if len(pitched) == 1 and _is_pianist(pitched[0]):
        hands = _hands(pitched[0])
    else:
        melody = find_melody(pitched)
        named = named_melody(pitched)
        others = [note for part in pitched if part is not named for note in part.notes]
        hands = reduce_to_piano(melody, others)
    return ScorePart("piano", "Piano", _write_hands(hands), 0, staves=2)


def _is_keyboard(part: ScorePart) -> bool:
    """Whether a part may be for keyboard: so by its program, or without a program."""
    return part.program is None or part.program in KEYBOARDS


def _needs_two_staves(part: ScorePart, hands: Sequence[ScoreNote]) -> bool:
    is_low = any(n.staff == 2 and n.pitch < _ONE_STAFF_PITCH for n in hands)
    is_high = any(n.staff == 1 and n.pitch > _HIGHEST_IN_BASS_CLEF for n in hands)
    return is_low and (is_high or part.program is not None)


def _is_pianist(part: ScorePart) -> bool:
    """Whether one pianist played the part, so that it needs no reduction."""
    return _is_keyboard(part) and part.id != ACCOMPANIMENT_ID


def _write_drums(notes: Sequence[ScoreNote]) -> tuple[ScoreNote, ...]:
    """Write drums played by hand as the upper voice and those played by foot as the lower."""
    notes = merge_strokes(notes)
    feet = _write([n for n in notes if n.pitch in FEET], voices=1)
    hands = _write([n for n in notes if n.pitch not in FEET], voices=1)
    return tuple(sorted([*hands, *(replace(n, voice=2) for n in feet)]))


def _write_hands(notes: Sequence[ScoreNote]) -> tuple[ScoreNote, ...]:
    hands = [_write([n for n in notes if n.staff == staff]) for staff in (1, 2)]
    return tuple(sorted(hands[0] + hands[1]))


def _write(notes: Sequence[ScoreNote], *, voices: int = 2) -> tuple[ScoreNote, ...]:
    """Assign voices; a grace note gets the voice of the note that it leads to."""
    written = write_voices([n for n in notes if not n.grace], voices=voices)
    chords: dict[Fraction, list[ScoreNote]] = {}
    for note in written:
        chords.setdefault(note.start_beats, []).append(note)
    graces = []
    for note in notes:
        if note.grace and note.start_beats in chords:
            led = min(chords[note.start_beats], key=lambda n: abs(n.pitch - note.pitch))
            graces.append(replace(note, voice=led.voice))
    return tuple(sorted([*written, *graces]))
