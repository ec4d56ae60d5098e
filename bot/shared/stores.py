"""What several bots must still know after a restart, in the server that they share.

The interfaces are those of the SQLite tables. A row expires some time after it was last written.
While the server is away, what the bot can do without is not known; forgetting, edits of the
practice page and its links wait for it.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from aiogram.types import InlineKeyboardMarkup

from bot.coordination import DAY_S
from bot.latest import LatestPage, decode_page, encode_page
from bot.practice.links import SECRET_BYTES, Link
from bot.practice.store import MAX_UNDONE, Head
from bot.shared.state import PREFIX, SharedState
from bot.shared.table import SharedTable
from bot.sources import AudioSource
from bot.stores import Stores

YEAR_S: Final = 365 * DAY_S
RESULTS_S: Final = 30 * DAY_S
"""For what refers to results, which the service keeps for a week after their last use."""

_SECRET: Final = f"{PREFIX}practice_secret"


class SharedLanguages(SharedTable):
    """Choices of languages: a row for each person, for a year after the choice."""

    def __init__(self, state: SharedState) -> None:
        super().__init__(state, "languages", YEAR_S)

    async def get(self, user_id: int) -> str | None:
        """The language that a person chose, or None."""
        row = None
        with self._tolerate_faults():
            row = await self._read(user_id)
        return None if row is None else str(row[0])

    async def choose(self, user_id: int, language: str) -> None:
        """Store a person's choice."""
        await self._write(user_id, language)

    async def forget(self, user_id: int) -> None:
        """Delete a person's choice."""
        await self._delete(user_id)


class SharedPages(SharedTable):
    """The latest page of each chat."""

    def __init__(self, state: SharedState) -> None:
        super().__init__(state, "pages", RESULTS_S)

    async def find(self, chat_id: int) -> LatestPage | None:
        """The latest page of a chat, or None."""
        row = None
        with self._tolerate_faults():
            row = await self._read(chat_id)
        return None if row is None else decode_page(*row)

    async def note(
        self, chat_id: int, message_id: int, markup: InlineKeyboardMarkup, title: str | None
    ) -> None:
        """Note that a message shows a page; None keeps the title that the message had."""
        with self._tolerate_faults():
            row = encode_page(await self._read(chat_id), message_id, markup, title)
            if row is not None:
                await self._write(chat_id, *row)

    async def forget(self, chat_id: int) -> None:
        """Delete the note about a chat."""
        await self._delete(chat_id)


class SharedRecordings(SharedTable):
    """The recordings that scores came from: a row for each key."""

    def __init__(self, state: SharedState) -> None:
        super().__init__(state, "recordings", RESULTS_S)

    async def find(self, key: str) -> AudioSource | None:
        """The recording under a key, or None."""
        row: list[Any] | None = None
        with self._tolerate_faults():
            row = await self._read(key)
        return None if row is None else AudioSource(*row)

    async def note(self, key: str, source: AudioSource) -> None:
        """Note a recording."""
        chat, is_message, _ = key.partition(".")
        owners = (f"file:{source.file_id}", *([f"chat:{chat}"] if is_message else []))
        with self._tolerate_faults():
            await self._write(
                key,
                source.file_id,
                source.title,
                source.size_bytes,
                source.duration_s,
                owners=owners,
            )

    async def forget(self, chat_id: int) -> None:
        """Delete the notes about the recordings of a private chat, under whichever keys."""
        chat = f"chat:{chat_id}"
        for key in await self._list_owned(chat):
            row = await self._read(key)
            if row is not None:
                await self._delete_owned(f"file:{row[0]}")
        await self._delete_owned(chat)


class SharedResults(SharedTable):
    """Which results were made for which private chat: a row for each result."""

    def __init__(self, state: SharedState) -> None:
        super().__init__(state, "results", RESULTS_S)

    async def note(self, result_id: str, chat_id: int) -> None:
        """Note for which private chat a result was made."""
        with self._tolerate_faults():
            await self._write(result_id, chat_id, owners=(chat_id,))

    async def list(self, chat_id: int) -> tuple[str, ...]:
        """Return the ids of the results that were made for a private chat."""
        return tuple(await self._list_owned(chat_id))

    async def forget(self, chat_id: int) -> None:
        """Delete the notes about a private chat."""
        await self._delete_owned(chat_id)


class SharedHeads(SharedTable):
    """The newest revision of each result that was edited on the page, in each chat."""

    def __init__(self, state: SharedState) -> None:
        super().__init__(state, "practice_heads", RESULTS_S)

    async def find(self, link: Link) -> Head:
        """The newest revision; that of the link itself if nothing was edited."""
        row = await self._read(link.key)
        return Head(link.shown.result_id) if row is None else Head(row[0], tuple(row[1]))

    async def note(self, link: Link, head: Head) -> None:
        """Note a new revision."""
        undone = head.undone[-MAX_UNDONE:]
        await self._write(link.key, head.revision, undone, owners=(link.chat_id,))

    async def drop(self, link: Link) -> None:
        """Go back to the link's own revision."""
        await self._delete(link.key)

    async def forget(self, chat_id: int) -> None:
        """Delete what is kept of a chat."""
        await self._delete_owned(chat_id)


class SharedRevocations(SharedTable):
    """Until when each person's links are void, for as long as a link works."""

    def __init__(self, state: SharedState, link_max_age_s: float) -> None:
        super().__init__(state, "practice_revocations", link_max_age_s)

    async def revoke(self, person_id: int, before_ms: int) -> None:
        """Make every link void that was issued to a person up to a time, in ms since the epoch."""
        await self._write(person_id, before_ms)

    async def is_revoked(self, link: Link) -> bool:
        """Whether the person of a link has had it revoked."""
        row = await self._read(link.person_id)
        return row is not None and link.issued_ms <= int(row[0])


class SharedSecret:
    """The secret that links are signed with; it does not expire."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def get(self) -> bytes:
        """Return the secret, which whoever asks first makes.

        Raises
        ------
        CoordinationAwayError
        """
        client = self._state.client
        await self._state.ask(client.set(_SECRET, secrets.token_bytes(SECRET_BYTES), nx=True))
        return bytes(await self._state.ask(client.get(_SECRET)))


def build_shared_stores(state: SharedState, link_max_age_s: float) -> Stores:
    """Return the stores of several bots."""
    return Stores(
        SharedLanguages(state),
        SharedPages(state),
        SharedRecordings(state),
        SharedResults(state),
        SharedHeads(state),
        SharedRevocations(state, link_max_age_s),
        SharedSecret(state),
    )
