"""Every text exists in every language, with the same values to put in."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from notabot.v1 import errors_pb2

import bot
from bot.buttons import EXTRAS
from bot.client.types import Clef, Feel, FinestValue, ModelState, Stage, Triplets, View
from bot.commands import ADMIN_COMMANDS, COMMANDS
from bot.errors import BotError, BotErrorCode
from bot.fix_buttons import Topic
from bot.fix_keyboards import CLEFS, FINEST, MOVED_UNITS
from bot.fix_words import FACTORS, LOCAL_SHIFTS, SHIFTS
from bot.i18n import LANGUAGES, Translator
from bot.presets import PRESETS
from bot.views import STEMS, error_text
from bot.wishes.parts import INSTRUMENTS

BOT = Path(bot.__file__).parent
CODES = [name for name in errors_pb2.ErrorCode.keys() if name != "ERROR_CODE_UNSPECIFIED"]  # noqa: SIM118
ALL_CODES = [*CODES, *BotErrorCode]
NOT_NAMED = {"NONE", "ROOT", "MINOR", "AT_BAR"}
"""Topics that no button names."""

COMPUTED = {
    *(f"error.{code}" for code in ALL_CODES),
    *(f"stage.{stage}" for stage in Stage),
    *(f"view.{view}" for view in View),
    *(f"model.{state}" for state in ModelState),
    *(f"command.{name}" for name in COMMANDS + ADMIN_COMMANDS),
    *(f"note.{letter}" for letter in "CDEFGAB"),
    *("key.major", "key.minor"),
    *(f"stem.{name}" for name in STEMS),
    *(extra.label for extra in EXTRAS.values()),
    *(f"fix.topic.{topic.name.lower()}" for topic in Topic if topic.name not in NOT_NAMED),
    *(f"fix.{name}" for _, name in FACTORS),
    *(f"fix.{name}" for name in SHIFTS.values()),
    *(f"fix.from.{name}" for name in LOCAL_SHIFTS.values()),
    *(
        f"fix.{kind}.{way}.{unit}"
        for kind in ("move", "from")
        for way in ("earlier", "later")
        for unit in MOVED_UNITS
    ),
    *(f"fix.finest.{value}" for value in FINEST),
    *(f"fix.clef.{clef}" for clef in CLEFS),
    *(f"instrument.{name}" for name in INSTRUMENTS),
    *(f"set.finest.{value}" for value in FinestValue),
    *(f"set.triplets.{triplets}" for triplets in Triplets),
    *(f"set.feel.{feel}" for feel in Feel),
    *(f"set.clef.{clef}" for clef in Clef),
    *("button.sung", "button.meant"),
    *(f"wish.{name}" for name in ("too_far", "no_part", "no_bars", "no_tempo", "nothing_to_undo")),
    *(f"wish.{name}" for name in ("in_key", "in_relative", "to_relative")),
    *(f"button.{word}.{preset}" for word in ("hear", "heard") for preset in PRESETS),
}


def _catalogue(language: str) -> Catalog:
    with (BOT / "locales" / language / "LC_MESSAGES" / "bot.po").open("rb") as file:
        return read_po(file, locale=language)


def _texts(language: str) -> dict[str, tuple[str, ...]]:
    """Message id to its text, or texts by number."""
    texts = {}
    for message in _catalogue(language):
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            text = message.string or ""
            texts[key] = (text,) if isinstance(text, str) else tuple(text)
    return texts


def _used() -> set[str]:
    """Message ids in the code, literal or computed."""
    found = extract_from_dir(
        BOT,
        method_map=[("localchat/**", "ignore"), ("**.py", "python")],
        keywords={"t": None, "chosen": None, "plural": (1, 2)},
    )
    literal = {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}
    return {name for name in literal if "{" not in name} | COMPUTED


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_of_the_code_has_a_text(language: str) -> None:
    texts = _texts(language)
    used = _used()
    assert {"start", "status.queued", "admin.busy"} <= used
    assert sorted(used - texts.keys()) == []
    assert sorted(name for name, forms in texts.items() if not all(forms)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_left_over(language: str) -> None:
    assert sorted(_texts(language).keys() - _used()) == []


def test_languages_put_in_the_same_values() -> None:
    def fields(forms: tuple[str, ...]) -> set[str]:
        return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}

    russian, english = _texts("ru"), _texts("en")
    assert {name: fields(forms) for name, forms in russian.items()} == {
        name: fields(forms) for name, forms in english.items()
    }


@pytest.mark.parametrize("code", ALL_CODES)
def test_every_error_code_has_a_text(code: str, t: Translator) -> None:
    params = {"limit_s": "900", "limit_bytes": "20000000", "task": "voice", "model": "pesto"}
    text = error_text(BotError(code, params, retry_after_s=61), t, "0123")

    assert "error." not in text
    assert "{" not in text
    assert text[-1] == "." or text.endswith("pesto") or text.endswith("/models")
    assert len(text) <= 200, "it must fit an alert, too"


def test_texts_without_parameters_still_read_well(t: Translator) -> None:
    for code in ALL_CODES:
        text = error_text(BotError(code), t)
        assert "{" not in text
        assert "  " not in text


def test_russian_plurals(russian: Translator) -> None:
    counts = {
        n: russian.plural("status.queued", "status.queued.many", n) for n in (1, 2, 5, 11, 21, 104)
    }
    assert counts == {
        1: "Перед вами в очереди 1 запись.",
        2: "Перед вами в очереди 2 записи.",
        5: "Перед вами в очереди 5 записей.",
        11: "Перед вами в очереди 11 записей.",
        21: "Перед вами в очереди 21 запись.",
        104: "Перед вами в очереди 104 записи.",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"),
        (45, "45 seconds"),
        (61, "2 minutes"),
        (900, "15 minutes"),
        (7201, "3 hours"),
    ],
)
def test_durations(english: Translator, seconds: float, text: str) -> None:
    assert english.duration(seconds) == text


def test_values_are_escaped(english: Translator) -> None:
    assert "&lt;b&gt;" in english("admin.use.loading", task="<b>", model="x")
