"""The language of each person: chosen with ``/language``, or else that of their Telegram.

Choices must survive a restart, and Telegram has nowhere to keep them. They are kept behind
:class:`LanguageStore`. If they are lost, the bot follows everyone's Telegram again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from aiogram.types import User

from bot.i18n import DEFAULT_LANGUAGE, LANGUAGES, TextCatalogues, Translator

MAX_CHOICES: Final = 100_000


class LanguageStore(Protocol):
    """Stores what people chose."""

    def get(self, user_id: int) -> str | None:
        """The language that a person chose, or None."""
        ...

    def choose(self, user_id: int, language: str) -> None:
        """Store a person's choice."""
        ...

    def forget(self, user_id: int) -> None:
        """Delete a person's choice."""
        ...


class SqliteLanguages:
    """Stores choices in a SQLite file or, without a path, in memory: a row for each person.

    Beyond :data:`MAX_CHOICES` rows the oldest choices are dropped.

    Parameters
    ----------
    path : Path or None
        The file; its folder is created if it does not exist.

    Raises
    ------
    OSError, sqlite3.Error
        If the file cannot be opened.
    """

    def __init__(self, path: Path | None = None, *, max_choices: int = MAX_CHOICES) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._max_choices = max_choices
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS languages"
            " (user_id INTEGER PRIMARY KEY, language TEXT NOT NULL, changed INTEGER NOT NULL)"
        )

    def get(self, user_id: int) -> str | None:
        """The language that a person chose, or None."""
        row = self._database.execute(
            "SELECT language FROM languages WHERE user_id = ?", (user_id,)
        ).fetchone()
        return None if row is None else str(row[0])

    def choose(self, user_id: int, language: str) -> None:
        """Store a person's choice."""
        self._database.execute(
            "INSERT OR REPLACE INTO languages VALUES (?, ?,"
            " (SELECT COALESCE(MAX(changed), 0) + 1 FROM languages))",
            (user_id, language),
        )
        self._database.execute(
            "DELETE FROM languages WHERE changed <= (SELECT MAX(changed) FROM languages) - ?",
            (self._max_choices,),
        )

    def forget(self, user_id: int) -> None:
        """Delete a person's choice."""
        self._database.execute("DELETE FROM languages WHERE user_id = ?", (user_id,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


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

    def translator(self, user: User | None) -> Translator:
        """Texts for a person; in the default language for an update without a person."""
        return Translator(self._catalogues, self._language(user))

    def choose(self, user: User, language: str | None) -> Translator:
        """Store a person's choice, None to follow their Telegram; return the texts to use now."""
        if language is None:
            self._store.forget(user.id)
        else:
            self._store.choose(user.id, language)
        return self.translator(user)

    def _language(self, user: User | None) -> str:
        if user is None:
            return DEFAULT_LANGUAGE
        telegram, _, _ = (user.language_code or "").partition("-")
        wanted = (self._store.get(user.id), telegram.lower())
        return next((language for language in wanted if language in LANGUAGES), DEFAULT_LANGUAGE)
