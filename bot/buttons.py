"""The data of every button, and what the extra buttons under a result send.

The bot keeps no results, so a button holds everything needed to answer a press: the result's id,
the view, the transposition, the kind of chords and the pitches. Data outside a field's range does
not unpack, and the press is answered like that of any unknown button. Telegram allows 64 bytes for
a button, which leaves 43 for the result's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Final, Literal

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup
from pydantic import Field

from bot.client.types import FILE_FORMATS, Format, Pitches, Preset, Result, View
from bot.i18n import LANGUAGES

MAX_TRANSPOSITION: Final = 24
MAX_PAGE: Final = 99
FOLLOW_TELEGRAM: Final = "auto"
MEASURES: Final = 8
MAX_MEASURES: Final = 32
MAX_SEED: Final = 99
BOLDNESS_STEPS: Final = 2
"""The number of steps from the default to the calmest and to the boldest."""

_VIEW_CODES: Final = {
    View.FULL: "f", View.MELODY: "m", View.LEAD_SHEET: "l", View.PIANO: "p", View.CHORDS: "c",
}  # fmt: skip
_VIEWS: Final = {code: view for view, code in _VIEW_CODES.items()}
_AS_SUNG: Final = "s"

ViewCode = Annotated[str, Field(pattern=f"^(?i:[{''.join(_VIEWS)}]){_AS_SUNG}?$")]
Semitones = Annotated[int, Field(ge=-MAX_TRANSPOSITION, le=MAX_TRANSPOSITION)]


def view_code(view: View, *, simple_chords: bool, pitches: Pitches) -> str:
    """The letter of a view, upper case for simplified chords, followed by "s" for sung pitches."""
    code = _VIEW_CODES[view].upper() if simple_chords else _VIEW_CODES[view]
    return code + _AS_SUNG if pitches is Pitches.SUNG else code


class CancelButton(CallbackData, prefix="x"):
    """Stop a running job."""

    job_id: str


class RenderButton(CallbackData, prefix="r"):
    """Show a result in another view or transposition, or with other chords or pitches."""

    result_id: str
    view_code: ViewCode
    transpose_semitones: Semitones

    @property
    def view(self) -> View:
        """The view to show."""
        return _VIEWS[self.view_code[0].lower()]

    @property
    def simple_chords(self) -> bool:
        """Whether chords are reduced to triads and sevenths."""
        return self.view_code[0].isupper()

    @property
    def pitches(self) -> Pitches:
        """Which pitches are written for singers."""
        return Pitches.SUNG if self.view_code.endswith(_AS_SUNG) else Pitches.MEANT

    @property
    def page_number(self) -> int:
        """The page to show, from 1."""
        return 1


PageNumber = Annotated[int, Field(ge=1, le=MAX_PAGE)]


class PageButton(RenderButton, prefix="n"):
    """Show a page other than the first."""

    page: PageNumber

    @property
    def page_number(self) -> int:
        """The page to show, from 1."""
        return self.page


HeardPreset = Literal[
    Preset.VOICE, Preset.PIANO, Preset.SONG, Preset.GUITAR, Preset.SOLO, Preset.ENSEMBLE
]
"""A preset that a recording was, or may be, heard as."""


class MoreButton(PageButton, prefix="b"):
    """Offer what else there is; ``page`` is the one that is shown."""


class HeardButton(PageButton, prefix="v"):
    """Offer to hear the recording as something else; ``page`` is the one that is shown."""

    preset: HeardPreset


class HearButton(HeardButton, prefix="j"):
    """Hear a result's recording again, as something else."""


class ListenButton(RenderButton, prefix="p"):
    """Play the score as shown."""


class FilesButton(RenderButton, prefix="f"):
    """Send the files of what is shown."""


class RollButton(RenderButton, prefix="o"):
    """Draw a result's piano roll."""


class StemsButton(RenderButton, prefix="k"):
    """Send a song's stems."""


class Medium(Enum):
    """How a chat shows files."""

    PHOTO = auto()
    VOICE = auto()
    MUSIC = auto()
    FILES = auto()


@dataclass(frozen=True, slots=True)
class Extra:
    """Files that a button sends in addition to the score; the buttons stay where they are.

    Parameters
    ----------
    label : str
        Message id of the button's text.
    formats : tuple of Format
        The formats to request from the service.
    medium : Medium
        How the chat shows the files.
    in_every_view : bool
        Whether the files are the same in every view; the caption then names no view.
    is_offered : callable
        Whether a result has such files.
    """

    label: str
    formats: tuple[Format, ...]
    medium: Medium
    in_every_view: bool = False
    is_offered: Callable[[Result], bool] = lambda result: True


EXTRAS: Final[Mapping[type[RenderButton], Extra]] = {
    FilesButton: Extra("button.files", FILE_FORMATS, Medium.FILES),
    ListenButton: Extra("button.listen", (Format.PREVIEW,), Medium.VOICE),
    RollButton: Extra("button.roll", (Format.ROLL,), Medium.PHOTO, in_every_view=True),
    StemsButton: Extra(
        "button.stems",
        (Format.STEMS,),
        Medium.MUSIC,
        in_every_view=True,
        is_offered=lambda result: result.preset is Preset.SONG,
    ),
}
"""Every extra by its button, in the order shown under a result."""


class ContinueButton(RenderButton, prefix="g"):
    """Continue a result in the shown view; ``boldness`` is in [-BOLDNESS_STEPS, BOLDNESS_STEPS]."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    boldness: Annotated[int, Field(ge=-BOLDNESS_STEPS, le=BOLDNESS_STEPS)] = 0
    measures: Annotated[int, Field(ge=1, le=MAX_MEASURES)] = MEASURES


class ContinuationPageButton(ContinueButton, prefix="h"):
    """Show another page of a continuation."""

    page: PageNumber


class ContinuationFilesButton(ContinueButton, prefix="e"):
    """Send the files of a continuation."""


class ChordsButton(CallbackData, prefix="c"):
    """Write a result's chords as text."""

    result_id: str
    transpose_semitones: Semitones


class SimpleChordsButton(ChordsButton, prefix="d"):
    """Write a result's chords as text, reduced to triads and sevenths."""


class ShownButton(CallbackData, prefix="s"):
    """Marks what is already shown."""

    what: str


class SampleButton(CallbackData, prefix="a"):
    """Send a recording of ours, and its score."""


class LanguageButton(CallbackData, prefix="l"):
    """Choose a language, or :data:`FOLLOW_TELEGRAM`."""

    language: Annotated[str, Field(pattern=f"^({'|'.join((*LANGUAGES, FOLLOW_TELEGRAM))})$")]

    @property
    def chosen(self) -> str | None:
        """The language; None to follow the person's Telegram."""
        return None if self.language == FOLLOW_TELEGRAM else self.language


class ForgetButton(CallbackData, prefix="q"):
    """Forget the person who presses it."""


class FiguresButton(CallbackData, prefix="m"):
    """Tell what is known about each model; for administrators."""


class UseButton(CallbackData, prefix="u"):
    """Make a model serve a task; for administrators."""

    task: str
    model: str


def callback_data(markup: InlineKeyboardMarkup | None) -> list[str]:
    """Return the data of every button of a keyboard."""
    rows = markup.inline_keyboard if markup is not None else []
    return [button.callback_data or "" for row in rows for button in row]


def find_shown(data: Iterable[str]) -> RenderButton | None:
    """Return a button of what a page shows, by the buttons under it; None if it is no page.

    Each of the keyboards under a page has a button of one of these kinds.
    """
    for item in data:
        for kind in (ListenButton, RollButton, HearButton):
            if item.startswith(f"{kind.__prefix__}:"):
                try:
                    return kind.unpack(item)
                except (TypeError, ValueError):
                    continue
    return None
