"""What has become of a result's parts: the pages, the files, the buttons.

A bot that is killed while it delivers must send nothing twice when it goes on. The parts of a job
are therefore noted with the service, each before it is sent. A part that was begun and not finished
may or may not have arrived. It is not sent again: the buttons, which always come, ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.client.jobs import JobsClient
from bot.client.types import JobContext, Preset
from bot.errors import ServiceError
from bot.retries import Patience

CLOSE_PATIENCE_S: Final = 60.0

logger = structlog.get_logger(__name__)


class Ledger(Protocol):
    """Keeps account of parts."""

    async def begin(self, part: str) -> bool:
        """Note that a part is being sent; False if that was noted before."""
        ...

    async def end(self, part: str) -> None:
        """Note that a part has been delivered."""
        ...

    async def take_back(self, part: str) -> None:
        """Note that a part was refused, and may be sent later."""
        ...

    def is_delivered(self, part: str) -> bool:
        """Whether a part is known to be delivered."""
        ...


class Unrecorded:
    """The account of a result that is requested with a button, and again if need be."""

    async def begin(self, part: str) -> bool:
        """Send every part."""
        return True

    async def end(self, part: str) -> None:
        """Do nothing."""

    async def take_back(self, part: str) -> None:
        """Do nothing."""

    def is_delivered(self, part: str) -> bool:
        """Not known."""
        return False


UNRECORDED: Final = Unrecorded()


@dataclass(slots=True)
class JobNotes:
    """Everything that it takes to go on with a transcription: the context of its job.

    Parameters
    ----------
    chat_id, thread_id, reply_to_id : int
        Where the answer goes; see :class:`bot.request.Destination`.
    person_id : int
    language : str
    file_id : str
        The recording, for Telegram.
    title : str
        Empty if the recording has none.
    size_bytes : int or None
    preset : Preset
    status_id : int or None
        The status message.
    begun, ended : list of str
        Parts that were begun, and those that have been delivered.
    """

    chat_id: int
    thread_id: int | None
    reply_to_id: int | None
    person_id: int
    language: str
    file_id: str
    title: str
    size_bytes: int | None
    preset: Preset
    status_id: int | None = None
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def encode(self) -> str:
        """Write as JSON."""
        return _NOTES.dump_json(self, exclude_defaults=True).decode()


_NOTES: Final = TypeAdapter(JobNotes)


def decode_notes(context: str) -> JobNotes | None:
    """Read notes; None if they are of another kind, such as those of a later version."""
    try:
        return _NOTES.validate_json(context)
    except ValidationError:
        return None


class JobLedger:
    """The account of a job, kept by the service.

    Parameters
    ----------
    jobs : JobsClient
    bot : str
    key : str
    notes : JobNotes
    request_id : str
    """

    def __init__(
        self, jobs: JobsClient, bot: str, key: str, notes: JobNotes, request_id: str
    ) -> None:
        self.key = key
        self.notes = notes
        self._jobs = jobs
        self._bot = bot
        self._request_id = request_id

    @property
    def context(self) -> JobContext:
        """The job for the service."""
        return JobContext(self._bot, self.key, self.notes.encode())

    def adopt(self, context: str) -> None:
        """Go on from the notes that the service has."""
        self.notes = decode_notes(context) or self.notes

    async def note_status(self, message_id: int | None) -> None:
        """Note the status message."""
        if message_id != self.notes.status_id:
            self.notes.status_id = message_id
            await self._save()

    async def begin(self, part: str) -> bool:
        """Note that a part is being sent; False if that was noted before."""
        if part in self.notes.begun:
            return False
        self.notes.begun.append(part)
        await self._save()
        return True

    async def end(self, part: str) -> None:
        """Note that a part has been delivered."""
        self.notes.ended.append(part)
        await self._save()

    async def take_back(self, part: str) -> None:
        """Note that a part was refused, and may be sent later."""
        self.notes.begun.remove(part)
        await self._save()

    def is_delivered(self, part: str) -> bool:
        """Whether a part is known to be delivered."""
        return part in self.notes.ended

    async def close(self, patience_s: float = CLOSE_PATIENCE_S) -> bool:
        """Close the job; whether the service knows."""
        patience = Patience(patience_s)
        while True:
            try:
                await self._jobs.close(self._bot, self.key, request_id=self._request_id)
            except ServiceError as error:
                code = error.code
            else:
                return True
            if not await patience.pause():
                logger.warning("job not closed", key=self.key, code=code)
                return False

    async def _save(self) -> None:
        """Send the notes to the service. Without it, the work goes on all the same."""
        try:
            context = self.notes.encode()
            await self._jobs.note(self._bot, self.key, context, request_id=self._request_id)
        except ServiceError as error:
            logger.warning("not noted", key=self.key, code=error.code)
