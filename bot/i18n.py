"""Texts in the person's language: gettext through aiogram's ``I18n``.

The catalogues ``locales/LANGUAGE/LC_MESSAGES/bot.po`` are compiled in memory at start, so there are
no compiled files to build or to go stale. Message ids are names (``status.queued``), not English
sentences: rewording English touches one file, and a test can check each catalogue for every id.
Values put into a text are escaped for Telegram's HTML.
"""

from __future__ import annotations

import gettext
import html
import io
from pathlib import Path
from typing import Final

from aiogram.utils.i18n import I18n
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.units import format_unit

DEFAULT_LANGUAGE: Final = "en"
LANGUAGES: Final = ("ru", "en")

_LOCALES_PATH = Path(__file__).parent / "locales"
_DOMAIN = "bot"


class TextCatalogues(I18n):
    """aiogram's ``I18n`` that reads ``.po`` files without a compile step."""

    def find_locales(self) -> dict[str, gettext.GNUTranslations]:
        """Compile every language's catalogue in memory."""
        return {
            po_path.parent.parent.name: _compile(po_path)
            for po_path in sorted(self.path.glob(f"*/LC_MESSAGES/{self.domain}.po"))
        }


def _compile(po_path: Path) -> gettext.GNUTranslations:
    with po_path.open("rb") as file:
        catalogue = read_po(file, locale=po_path.parent.parent.name, domain=_DOMAIN)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def load_catalogues() -> TextCatalogues:
    """Load the catalogues of every language."""
    return TextCatalogues(path=_LOCALES_PATH, default_locale=DEFAULT_LANGUAGE, domain=_DOMAIN)


class Translator:
    """Texts and formats of one language.

    Parameters
    ----------
    catalogues : TextCatalogues
    language : str
        One of :data:`LANGUAGES`.
    """

    def __init__(self, catalogues: TextCatalogues, language: str) -> None:
        self._catalogues = catalogues
        self.language = language

    def __call__(self, message_id: str, **values: str | int | float) -> str:
        """The text of ``message_id`` with ``values`` put in; strings are escaped for HTML."""
        text = self._catalogues.gettext(message_id, locale=self.language)
        return text.format_map(_escaped(values)) if values else text

    def plural(self, singular_id: str, plural_id: str, n: int, **values: str | int | float) -> str:
        """The text for ``n`` things, in the language's own plural form; ``{n}`` is the number."""
        text = self._catalogues.gettext(singular_id, plural_id, n, locale=self.language)
        return text.format_map(_escaped({"n": n, **values}))

    def has(self, message_id: str) -> bool:
        """Whether the catalogue holds this text."""
        return self(message_id) != message_id

    def duration(self, seconds: float) -> str:
        """``90.0`` to "2 minutes": whole units, rounded up, for limits and waits."""
        whole_s = max(1, -int(-seconds // 1))
        if whole_s < 60:
            return format_unit(whole_s, "duration-second", locale=self.language)
        if whole_s < 7200:
            return format_unit(-(-whole_s // 60), "duration-minute", locale=self.language)
        return format_unit(-(-whole_s // 3600), "duration-hour", locale=self.language)

    def length(self, seconds: float) -> str:
        """``192.3`` to "3:12": the length of a recording."""
        minutes, rest_s = divmod(round(seconds), 60)
        return f"{minutes}:{rest_s:02d}"

    def size(self, size_bytes: float) -> str:
        """``20_000_000`` to "20 MB"."""
        return format_unit(
            max(0.1, round(size_bytes / 1e6, 1)),
            "digital-megabyte",
            length="short",
            locale=self.language,
        )


def _escaped(values: dict[str, str | int | float]) -> dict[str, str | int | float]:
    return {
        name: html.escape(value, quote=False) if isinstance(value, str) else value
        for name, value in values.items()
    }
