"""A bounded table in a SQLite file: what the bot must still know after a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog

logger = structlog.get_logger(__name__)


class BoundedTable:
    """Rows by their key, in a SQLite file or, without a path, in memory.

    Beyond ``max_rows`` the rows that were written longest ago are dropped. Several tables may share
    a file. Subclasses say what the rows mean.

    Parameters
    ----------
    path : Path or None
        The file; its folder is created if it does not exist.
    name : str
        The table's name.
    key : str
        Name and type of the key's column, in SQL.
    columns : Mapping[str, str]
        Names and types of the other columns, in SQL.
    max_rows : int

    Raises
    ------
    OSError, sqlite3.Error
        If the file cannot be opened.
    """

    def __init__(
        self, path: Path | None, name: str, key: str, columns: Mapping[str, str], max_rows: int
    ) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database: Final = sqlite3.connect(path or ":memory:", isolation_level=None)
        # The event loop waits for each write. In this mode a write waits for no disk; if the power
        # fails, the last rows may be lost, but the file is not damaged.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._name = name
        self._key = key.split()[0]
        self._columns = tuple(columns)
        self._max_rows = max_rows
        others = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        self._database.execute(
            f"CREATE TABLE IF NOT EXISTS {name} ({key} PRIMARY KEY, {others},"
            " changed INTEGER NOT NULL)"
        )
        self._database.execute(f"CREATE INDEX IF NOT EXISTS {name}_changed ON {name} (changed)")

    def _read(self, key: Any) -> tuple[Any, ...] | None:
        """The row under a key, without the key; None if there is none."""
        row: tuple[Any, ...] | None = self._database.execute(
            f"SELECT {', '.join(self._columns)} FROM {self._name} WHERE {self._key} = ?", (key,)
        ).fetchone()
        return row

    def _write(self, key: Any, *values: Any) -> None:
        """Write a row, in place of one with the same key."""
        marks = ", ".join("?" * (len(values) + 1))
        self._database.execute(
            f"INSERT OR REPLACE INTO {self._name} VALUES ({marks},"
            f" (SELECT COALESCE(MAX(changed), 0) + 1 FROM {self._name}))",
            (key, *values),
        )
        self._database.execute(
            f"DELETE FROM {self._name}"
            f" WHERE changed <= (SELECT MAX(changed) FROM {self._name}) - ?",
            (self._max_rows,),
        )

    @contextmanager
    def _tolerate_faults(self) -> Iterator[None]:
        """Log a fault of the file, such as a full disk, where the bot can do without the row."""
        try:
            yield
        except sqlite3.Error as error:
            logger.warning("row not written", table=self._name, error=str(error))

    def _delete(self, key: Any) -> None:
        """Delete the row under a key, if there is one."""
        self._delete_where(f"{self._key} = ?", key)

    def _delete_where(self, condition: str, *values: Any) -> None:
        """Delete the rows for which a condition holds, in SQL."""
        self._database.execute(f"DELETE FROM {self._name} WHERE {condition}", values)

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
