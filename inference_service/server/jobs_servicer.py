"""``notabot.v1.Jobs``: accepted transcriptions, until their caller has delivered the results."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from notabot.v1 import jobs_pb2, jobs_pb2_grpc

from inference_service.engine.accepted import AcceptedJobs
from inference_service.engine.job_store import JobState
from inference_service.server.convert.options import check_job_context, check_job_names
from inference_service.server.sending import Context, Sender

HOLD_S: Final = 900.0
"""How long a caller may take to deliver a result; then another call may attend to the job."""

_STATES: Final = {
    JobState.UPLOADING: jobs_pb2.JOB_STATE_UPLOADING,
    JobState.RUNNING: jobs_pb2.JOB_STATE_RUNNING,
    JobState.DONE: jobs_pb2.JOB_STATE_DONE,
    JobState.FAILED: jobs_pb2.JOB_STATE_FAILED,
}


class JobsServicer(jobs_pb2_grpc.JobsServicer):
    """Thin asynchronous methods over the accepted jobs."""

    def __init__(self, jobs: AcceptedJobs, sender: Sender) -> None:
        self._jobs = jobs
        self._sender = sender

    async def ListOpen(  # noqa: N802
        self, request: jobs_pb2.ListOpenRequest, context: Context
    ) -> jobs_pb2.ListOpenResponse:
        """List a caller's open jobs."""
        check_job_names(request.bot)
        return jobs_pb2.ListOpenResponse(
            jobs=[
                jobs_pb2.OpenJob(
                    key=record.key,
                    context=record.context,
                    state=_STATES[record.state],
                    attended=attended,
                )
                for record, attended in await self._jobs.list_open(request.bot)
            ]
        )

    async def Attach(  # noqa: N802
        self, request: jobs_pb2.AttachRequest, context: Context
    ) -> None:
        """Send a job's updates, its files and its result, and wait until it is closed."""
        check_job_names(request.bot, request.key)
        async with self._jobs.attend(request.bot, request.key) as closed:
            record = await self._jobs.find(request.bot, request.key)
            await self._sender.send(self._jobs.follow(record), context)
            await hold(closed)

    async def Note(  # noqa: N802
        self, request: jobs_pb2.NoteRequest, context: Context
    ) -> jobs_pb2.NoteResponse:
        """Replace a job's context."""
        check_job_names(request.bot, request.key)
        check_job_context(request.context)
        await self._jobs.note(request.bot, request.key, request.context)
        return jobs_pb2.NoteResponse()

    async def Close(  # noqa: N802
        self, request: jobs_pb2.CloseRequest, context: Context
    ) -> jobs_pb2.CloseResponse:
        """Close a job."""
        check_job_names(request.bot, request.key)
        await self._jobs.close(request.bot, request.key)
        return jobs_pb2.CloseResponse()


async def hold(closed: asyncio.Event) -> None:
    """Keep a call open while its caller delivers the result."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HOLD_S):
            await closed.wait()
