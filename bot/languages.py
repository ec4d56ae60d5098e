"""Who chose which language.

A choice made with ``/language`` must survive a restart, and Telegram has nowhere to keep it. This
is the bot's only state: one small SQLite table, a row for each person who chose, the longest
unchanged choices forgotten beyond :data:`MAX_CHOICES`. Losing the file loses nothing but the
choices: the bot then follows each person's Telegram language again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiogram.types import User

from bot.i18n import DEFAULT_LANGUAGE, LANGUAGES, TextCatalogues, Translator

MAX_CHOICES: Final = 100_000


class LanguageStore:
    """The choices, in a file or, without a path, in memory.

    Parameters
    ----------
    path : Path or None
        The file; its folder is created.

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
        """The language that this person chose, if any."""
        row = self._database.execute(
            "SELECT language FROM languages WHERE user_id = ?", (user_id,)
        ).fetchone()
        return None if row is None else str(row[0])

    def choose(self, user_id: int, language: str) -> None:
        """Remember the choice."""
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
        """Follow this person's Telegram language again."""
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
    """The language that each person is answered in: the chosen one, else that of their Telegram.

    Parameters
    ----------
    catalogues : TextCatalogues
    store : LanguageStore
        The choices.
    """

    def __init__(self, catalogues: TextCatalogues, store: LanguageStore) -> None:
        self._catalogues = catalogues
        self._store = store

    def translator(self, user: User | None) -> Translator:
        """The texts for a person; those of an update without one are in the default language."""
        return Translator(self._catalogues, self._language(user))

    def choose(self, user: User, language: str | None) -> Translator:
        """Remember a person's choice, None for their Telegram's language; return its texts."""
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
