"""The calls of ``notabot.v1.Jobs``: transcriptions that outlive the call that asked for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import grpc
from notabot.v1 import jobs_pb2, jobs_pb2_grpc

from bot.client.attempts import Attempt, ask, build_metadata, read, try_twice
from bot.client.conversion import decode_open_job
from bot.client.types import Event, OpenJob

DEADLINE_S: Final = 5.0


class JobsClient:
    """Calls about accepted jobs.

    Parameters
    ----------
    channel : grpc.aio.Channel
    token : str
        Bearer token; empty: none.
    deadline_s : float
        For following a job.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str, deadline_s: float) -> None:
        self._jobs = jobs_pb2_grpc.JobsStub(channel)  # type: ignore[no-untyped-call]
        self._token = token
        self._deadline_s = deadline_s

    async def list_open(self, bot: str, *, request_id: str) -> list[OpenJob]:
        """Return a bot's open jobs, the oldest first.

        Raises
        ------
        ServiceError
        """
        response = await ask(
            self._jobs.ListOpen,
            jobs_pb2.ListOpenRequest(bot=bot),
            metadata=build_metadata(request_id, self._token),
            deadline_s=DEADLINE_S,
        )
        return [decode_open_job(job) for job in response.jobs]

    def attach(self, bot: str, key: str, *, request_id: str) -> AsyncGenerator[Event]:
        """Return to a job; yields its events like ``ServiceClient.transcribe``.

        Raises
        ------
        ServiceError
            ``JOB_UNKNOWN`` if it must be sent again, ``JOB_TAKEN`` while another call attends to
            it.
        """

        def start(attempt: Attempt) -> AsyncGenerator[Event]:
            attempt.sent = True
            call = self._jobs.Attach(
                jobs_pb2.AttachRequest(bot=bot, key=key),
                timeout=self._deadline_s,
                metadata=build_metadata(request_id, self._token),
            )
            return read(call, attempt)

        return try_twice(start, repeatable=True)

    async def note(self, bot: str, key: str, context: str, *, request_id: str) -> None:
        """Replace a job's context.

        Raises
        ------
        ServiceError
        """
        await ask(
            self._jobs.Note,
            jobs_pb2.NoteRequest(bot=bot, key=key, context=context),
            metadata=build_metadata(request_id, self._token),
            deadline_s=DEADLINE_S,
        )

    async def close(self, bot: str, key: str, *, request_id: str) -> None:
        """Close a job, which stops its work.

        Raises
        ------
        ServiceError
        """
        await ask(
            self._jobs.Close,
            jobs_pb2.CloseRequest(bot=bot, key=key),
            metadata=build_metadata(request_id, self._token),
            deadline_s=DEADLINE_S,
        )
