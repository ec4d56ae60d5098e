"""What the bot must still know after a restart, put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.languages import LanguageStore, SqliteLanguages
from bot.latest import PageStore, SqlitePages
from bot.practice.store import (
    HeadStore,
    RevocationStore,
    SecretStore,
    SqliteHeads,
    SqliteRevocations,
    SqliteSecret,
)
from bot.recordings import RecordingStore, SqliteRecordings
from bot.results import ResultIdStore, SqliteResults


@dataclass(frozen=True, slots=True)
class Stores:
    """A store for each kind of note."""

    languages: LanguageStore
    pages: PageStore
    recordings: RecordingStore
    results: ResultIdStore
    heads: HeadStore
    revocations: RevocationStore
    secret: SecretStore


@contextmanager
def open_stores(path: Path | None = None) -> Iterator[Stores]:
    """Open the tables of a SQLite file or, without a path, in memory.

    Raises
    ------
    OSError, sqlite3.Error
        If the file cannot be opened.
    """
    with ExitStack() as stack:
        yield Stores(
            stack.enter_context(SqliteLanguages(path)),
            stack.enter_context(SqlitePages(path)),
            stack.enter_context(SqliteRecordings(path)),
            stack.enter_context(SqliteResults(path)),
            stack.enter_context(SqliteHeads(path)),
            stack.enter_context(SqliteRevocations(path)),
            stack.enter_context(SqliteSecret(path)),
        )
