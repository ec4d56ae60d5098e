"""From wishes about a page to what is asked of the service.

What people say in terms of the page that they see, such as "one beat later", "twice as slow", or
"in G" under a transposed page, is passed on as it is: the service knows what it means in terms of
the music. :func:`fulfil` finds the fields, from the :class:`~bot.client.types.Result` that
describes the page.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.buttons import MAX_TRANSPOSITION
from bot.client.types import (
    BarRange,
    BarShift,
    BarUnit,
    Clef,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Key,
    LocalShift,
    NamedKey,
    Part,
    PartCorrection,
    RenderOptions,
    Result,
    Triplets,
)
from bot.wishes.values import (
    AllBars,
    BarsAre,
    ChordsAre,
    ClefIs,
    FeelIs,
    FinestIs,
    InstrumentIs,
    KeyIs,
    LastBars,
    Metre,
    Numbered,
    PartIs,
    PartName,
    PitchesAre,
    PlayedBy,
    Rescale,
    ShiftBars,
    ShiftFrom,
    Tempo,
    Transpose,
    TransposeTo,
    TripletsAre,
    Unit,
    Untransposed,
    ViewIs,
    Wish,
)

TEMPO_OCTAVES: Final = 0.25
"""How far a tempo may be from the one wished for, as a power of two: a fifth."""

_PROGRAMS: Final = {
    "piano": range(8),
    "guitar": range(24, 32),
    "bass": range(32, 40),
    "vocals": range(52, 55),
}
_FAMILY: Final = 8
"""Programs of a family of General MIDI."""

_RHYTHM: Final = (Metre, Tempo, Rescale, ShiftBars, ShiftFrom)
_UNITS: Final[dict[Unit, BarUnit]] = {
    "beat": BarUnit.BEAT,
    "half beat": BarUnit.HALF_BEAT,
    "quarter": BarUnit.QUARTER,
    "eighth": BarUnit.EIGHTH,
}


class WishError(Exception):
    """A wish does not fit the page.

    Parameters
    ----------
    text : str
        Message id of the explanation.
    values : str or Key
        What its text puts in; keys by their names.
    """

    def __init__(self, text: str, **values: str | Key) -> None:
        super().__init__(text)
        self.text = text
        self.values = values


def in_steps(wishes: Iterable[Wish]) -> list[list[Wish]]:
    """Divide wishes so that those that refer to the outcome of others begin a step of their own.

    Bars and tempo move from where a metre or tempo that was wished before has put them. A key is
    called what it is before a later transposition, and after an earlier one, which is not known yet
    if it was given by its key. There is one step at least.
    """
    steps: list[list[Wish]] = [[]]
    for wish in wishes:
        if any(_refers(wish, earlier) for earlier in steps[-1]):
            steps.append([])
        steps[-1].append(wish)
    return steps


def _refers(wish: Wish, earlier: Wish) -> bool:
    match wish:
        case Rescale() | ShiftBars() | ShiftFrom():
            return isinstance(earlier, _RHYTHM)
        case Transpose() | Untransposed():
            return isinstance(earlier, KeyIs | TransposeTo)
        case KeyIs():
            return isinstance(earlier, TransposeTo)
    return False


def fulfil(wishes: Iterable[Wish], result: Result) -> RenderOptions:
    """Return how to render a result so that the page becomes as wished.

    Parameters
    ----------
    wishes : iterable of Wish
        One step of :func:`in_steps`. Those that ask for no page are passed over.
    result : Result
        Describes the page that is shown.

    Returns
    -------
    RenderOptions
        The view, transposition, chords and pitches of the page, changed as wished, and corrections
        to add to those of the result.

    Raises
    ------
    WishError
        If there is no such part, or no such bar, or the transposition is too large.
    """
    draft = _Draft(result)
    for wish in wishes:
        draft.add(wish)
    return draft.options


def check_tempo(wishes: Iterable[Wish], page: Result) -> None:
    """Refuse a tempo that no values come near: the music was played as it was.

    Raises
    ------
    WishError
        If the page's tempo is not the one wished for.
    """
    for wish in wishes:
        if isinstance(wish, Tempo) and abs(math.log2(page.tempo_bpm / wish.bpm)) > TEMPO_OCTAVES:
            tempos = (page.tempo_bpm / 2, page.tempo_bpm, page.tempo_bpm * 2)
            raise WishError("wish.no_tempo", tempos=", ".join(f"{tempo:.0f}" for tempo in tempos))


def find_relative(wishes: Iterable[Wish], page: Result) -> Key | None:
    """Return the key to which a page was to be transposed if it is now in that key's relative.

    Transposing does not turn major into minor.
    """
    for wish in wishes:
        if isinstance(wish, TransposeTo) and wish.mode not in (None, page.rendered_key.mode):
            return Key(wish.tonic, wish.mode or page.rendered_key.mode)
    return None


def check_transposition(wishes: Collection[Wish], before: Result, page: Result) -> None:
    """Refuse to transpose to the key that the page is in, if nothing else was wished for.

    Raises
    ------
    WishError
        If the page is the one that was shown before.
    """
    is_same = page.result_id == before.result_id and shown_as(page) == shown_as(before)
    if is_same and all(isinstance(wish, TransposeTo) for wish in wishes):
        named = find_relative(wishes, page)
        if named is None:
            raise WishError("wish.in_key", key=page.rendered_key)
        raise WishError("wish.in_relative", key=page.rendered_key, named=named)


def shown_as(result: Result) -> RenderOptions:
    """Return how a result is shown, without further corrections."""
    return RenderOptions(
        view=result.view,
        transpose_semitones=result.transpose_semitones,
        simple_chords=result.simple_chords,
        pitches=result.pitches,
    )


def find_part(result: Result, name: PartName) -> Part | None:
    """Return the part that a wish calls by its number, instrument, or id, such as "drums"."""
    if isinstance(name, Numbered):
        return next(iter(result.parts[name.number - 1 : name.number]), None)
    if isinstance(name, PlayedBy):
        exact = next((p for p in result.parts if p.program == name.program and not p.is_drum), None)
        if exact is not None:
            return exact
        first = name.program - name.program % _FAMILY
        programs = range(first, first + _FAMILY)
    else:
        programs = _PROGRAMS.get(name, range(0))

    def fit(part: Part) -> int:
        is_family = part.program in programs and not part.is_drum
        is_drum = name == "drums" and part.is_drum
        return 2 * (part.id == name) + (is_family or is_drum)

    best = max(result.parts, key=fit, default=None)
    return best if best is not None and fit(best) else None


def leading_part(result: Result) -> Part | None:
    """Return the part that clefs and instruments refer to if none is named: the singer's, or the
    first one with pitches.
    """
    pitched = [part for part in result.parts if not part.is_drum and not part.left_out]
    singer = find_part(result, "vocals")
    return singer if singer in pitched else next(iter(pitched), None)


@dataclass(slots=True)
class _Draft:
    """A page while wishes are added to it."""

    result: Result
    options: RenderOptions = field(init=False)

    def __post_init__(self) -> None:
        self.options = shown_as(self.result)

    @property
    def _edit(self) -> Corrections:
        return self.options.corrections

    def add(self, wish: Wish) -> None:
        """Add a wish; those that ask for no page change nothing."""
        match wish:
            case Metre():
                self._correct(time_signature=wish.time_signature)
            case Rescale():
                self._adjust(rescale=wish.factor)
            case Tempo():
                self._adjust(rescale=0.0)
                self._correct(tempo_bpm=wish.bpm)
            case ShiftBars():
                self._adjust(bar_shift=BarShift(wish.count, _UNITS[wish.unit]))
            case ShiftFrom():
                self._shift_from(wish)
            case KeyIs():
                self._name_key(wish)
            case FinestIs():
                self._correct(finest_value=FinestValue(wish.value))
            case TripletsAre():
                self._correct(triplets=Triplets.ALLOWED if wish.allowed else Triplets.NOT_ALLOWED)
            case FeelIs():
                self._correct(feel=Feel.SWING if wish.swung else Feel.STRAIGHT)
            case BarsAre():
                self._set_bars(wish)
            case LastBars():
                count = self.result.bar_count
                self._set_bars(BarsAre(max(count - wish.count + 1, 1), count or wish.count))
            case AllBars():
                self._correct(bars=None, as_heard=(*self._edit.as_heard, Correctable.BARS))
            case PartIs():
                self._leave_out(wish)
            case ClefIs():
                self._amend(self._find(wish.part), clef=Clef(wish.clef))
            case InstrumentIs():
                self._amend(self._find(wish.part), program=wish.program)
            case Transpose():
                self._transpose(self.options.transpose_semitones + wish.semitones)
            case TransposeTo():
                named = NamedKey(wish.tonic, wish.mode)
                self.options = replace(self.options, transpose_to=named)
            case Untransposed():
                self._transpose(0)
            case PitchesAre():
                self.options = replace(self.options, pitches=wish.pitches)
            case ViewIs():
                self.options = replace(self.options, view=wish.view)
            case ChordsAre():
                self.options = replace(self.options, simple_chords=wish.simple)

    def _correct(self, **changes: Any) -> None:
        self.options = replace(self.options, corrections=replace(self._edit, **changes))

    def _adjust(self, **changes: Any) -> None:
        adjustments = replace(self.options.adjustments, **changes)
        self.options = replace(self.options, adjustments=adjustments)

    def _shift_from(self, wish: ShiftFrom) -> None:
        count = self.result.bar_count or wish.bar
        if wish.bar > count:
            raise WishError("wish.no_bars", bars=str(count))
        shift = BarShift(wish.count, _UNITS[wish.unit])
        self._adjust(local_shifts=(LocalShift(wish.bar, shift),))

    def _name_key(self, wish: KeyIs) -> None:
        """Name the key; what a wish leaves open may have been said by one before it."""
        known = self.options.adjustments.key or NamedKey()
        self._adjust(key=NamedKey(wish.tonic or known.tonic, wish.mode or known.mode))

    def _set_bars(self, wish: BarsAre) -> None:
        count = self.result.bar_count or (wish.last or wish.first)
        if wish.first > count:
            raise WishError("wish.no_bars", bars=str(count))
        self._correct(bars=BarRange(wish.first, min(wish.last or count, count)))

    def _transpose(self, semitones: int) -> None:
        if abs(semitones) > MAX_TRANSPOSITION:
            raise WishError("wish.too_far")
        self.options = replace(self.options, transpose_semitones=semitones)

    def _leave_out(self, wish: PartIs) -> None:
        named = self._find(wish.part)
        if not wish.others:
            self._amend(named, left_out=wish.left_out)
            return
        for part in self.result.parts:
            self._amend(part, left_out=part.id != named.id)

    def _find(self, name: PartName | None) -> Part:
        part = leading_part(self.result) if name is None else find_part(self.result, name)
        if part is None:
            parts = ", ".join(part.name or part.id for part in self.result.parts)
            raise WishError("wish.no_part", parts=parts or "–")
        return part

    def _amend(self, part: Part, **changes: Any) -> None:
        parts = {known.id: known for known in self._edit.parts}
        parts[part.id] = replace(parts.get(part.id, PartCorrection(part.id)), **changes)
        self._correct(parts=tuple(parts.values()))
