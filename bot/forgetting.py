"""Forgetting a person: what ``/privacy`` offers.

The service deletes the results that were made for the person's private chat. Each job has a result
of its own, so nobody else loses theirs, even of the same recording. What was asked for in a group
belongs to the group, and goes when the service forgets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.client.calls import ServiceClient
from bot.languages import LanguageStore
from bot.latest import PageStore
from bot.practice.store import HeadStore, RevocationStore
from bot.recordings import RecordingStore
from bot.results import ResultIdStore
from bot.sent import SentFiles


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Deletes what is kept about a person, and voids the links that they were given."""

    client: ServiceClient

    languages: LanguageStore
    pages: PageStore
    recordings: RecordingStore
    results: ResultIdStore
    heads: HeadStore
    revocations: RevocationStore
    sent: SentFiles
    now_s: Callable[[], float] = time.time

    async def forget(self, person_id: int, *, request_id: str) -> None:
        """Forget a person; their private chat has the same id.

        Raises
        ------
        ServiceError
            If the service did not delete the results: they can be forgotten once more. The bot has
            then forgotten everything else.
        sqlite3.Error, CoordinationAwayError
            If the file or the server does not take it.
        """
        await self.revocations.revoke(person_id, int(self.now_s() * 1000))
        await self.heads.forget(person_id)
        await self.pages.forget(person_id)
        await self.recordings.forget(person_id)
        self.sent.forget(person_id)
        await self.languages.forget(person_id)
        results = await self.results.list(person_id)
        await self.client.forget(results, request_id=request_id)
        await self.results.forget(person_id)
