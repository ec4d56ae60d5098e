"""Forgetting a person: what ``/privacy`` offers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.languages import LanguageStore
from bot.latest import PageStore
from bot.practice.store import SqliteHeads, SqliteRevocations
from bot.recordings import RecordingStore
from bot.sent import SentFiles


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Deletes what the bot keeps about a person, and voids the links that they were given."""

    languages: LanguageStore
    pages: PageStore
    recordings: RecordingStore
    heads: SqliteHeads
    revocations: SqliteRevocations
    sent: SentFiles
    now_s: Callable[[], float] = time.time

    def forget(self, person_id: int) -> None:
        """Forget a person; their private chat has the same id.

        Raises
        ------
        sqlite3.Error
            If the file does not take it.
        """
        self.revocations.revoke(person_id, int(self.now_s() * 1000))
        self.heads.forget(person_id)
        self.pages.forget(person_id)
        self.recordings.forget(person_id)
        self.sent.forget(person_id)
        self.languages.forget(person_id)
