"""The language of each person: chosen with ``/language``, or else that of their Telegram.

Choices must survive a restart, and Telegram has nowhere to keep them. They are kept behind
:class:`LanguageStore`. If they are lost, the bot follows everyone's Telegram again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from aiogram.types import User

from bot.i18n import DEFAULT_LANGUAGE, LANGUAGES, TextCatalogues, Translator
from bot.table import BoundedTable

MAX_CHOICES: Final = 100_000


class LanguageStore(Protocol):
    """Stores what people chose."""

    async def get(self, user_id: int) -> str | None:
        """The language that a person chose, or None."""
        ...

    async def choose(self, user_id: int, language: str) -> None:
        """Store a person's choice."""
        ...

    async def forget(self, user_id: int) -> None:
        """Delete a person's choice."""
        ...


class SqliteLanguages(BoundedTable):
    """Stores choices in a SQLite file or, without a path, in memory: a row for each person."""

    def __init__(self, path: Path | None = None, *, max_choices: int = MAX_CHOICES) -> None:
        columns = {"language": "TEXT NOT NULL"}
        super().__init__(path, "languages", "user_id INTEGER", columns, max_choices)

    async def get(self, user_id: int) -> str | None:
        """The language that a person chose, or None."""
        row = self._read(user_id)
        return None if row is None else str(row[0])

    async def choose(self, user_id: int, language: str) -> None:
        """Store a person's choice."""
        self._write(user_id, language)

    async def forget(self, user_id: int) -> None:
        """Delete a person's choice."""
        self._delete(user_id)


class Languages:
    """Finds the texts that each person is answered with.

    Parameters
    ----------
    catalogues : TextCatalogues
    store : LanguageStore
    """

    def __init__(self, catalogues: TextCatalogues, store: LanguageStore) -> None:
        self._catalogues = catalogues
        self._store = store

    async def translator(self, user: User | None) -> Translator:
        """Texts for a person; in the default language for an update without a person."""
        return Translator(self._catalogues, await self._language(user))

    async def choose(self, user: User, language: str | None) -> Translator:
        """Store a person's choice, None to follow their Telegram; return the texts to use now."""
        if language is None:
            await self._store.forget(user.id)
        else:
            await self._store.choose(user.id, language)
        return await self.translator(user)

    async def _language(self, user: User | None) -> str:
        if user is None:
            return DEFAULT_LANGUAGE
        telegram, _, _ = (user.language_code or "").partition("-")
        wanted = (await self._store.get(user.id), telegram.lower())
        return next((language for language in wanted if language in LANGUAGES), DEFAULT_LANGUAGE)
