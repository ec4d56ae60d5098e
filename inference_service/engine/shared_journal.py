"""Accepted jobs in Valkey or Redis, for several gateways.

A job is a hash with its record as JSON, its state, the gateway that runs it, and its progress.
Records change by compare-and-set. A sorted set has the jobs that are to run, by when their leases
end, in the server's time; a gateway renews its leases twice a second, and claims those that have
ended. What a gateway has lost it may no longer store, so that a job has one outcome. Keys of jobs
expire ``max_age_s`` after their last change, those of leases and attendances within seconds.

Scripts name keys that they compute, so the server must not be a cluster with several slots; one
server with replicas serves. It should write to its disk (``appendonly yes``): jobs that it forgets
are sent again by the bot, and the work begins anew.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import TypeAdapter

from inference_service.engine.job_store import (
    CLOSED,
    Beat,
    JobRecord,
    JobState,
    Recording,
    decode_record,
    encode_record,
    job_id,
)
from inference_service.engine.recordings import KeptRecording, Recordings
from inference_service.engine.shared_state import PREFIX, SharedState
from inference_service.engine.upload import Upload
from inference_service.engine.worker import Update
from inference_service.errors import JobTaken, JobUnknown
from inference_service.pipeline.options import TranscribeOptions

BEAT_S: Final = 0.5
LEASE_S: Final = 10.0
"""Long enough for an event loop that waits for the interpreter while a model loads."""

_JOB: Final = f"{PREFIX}job:"
_ATTENDED: Final = f"{PREFIX}attended:"
_OPEN: Final = f"{PREFIX}open:"
_LEASES: Final = f"{PREFIX}leases"

_UPDATE: Final[TypeAdapter[Update]] = TypeAdapter(Update)

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_ACCEPT: Final = """
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'uploading' then
    return false
end
if not state then
    redis.call('HSET', KEYS[1], 'record', ARGV[1], 'state', 'uploading')
    redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return redis.call('HGET', KEYS[1], 'record')
"""
"""Keys: job, its caller's open jobs. Arguments: record, name, acceptance, age."""

_STORE: Final = (
    _NOW
    + """
local name, gateway, lease_ms, how = ARGV[4], ARGV[6], ARGV[7], ARGV[8]
local current = redis.call('HGET', KEYS[1], 'record')
if not current then
    return 'gone'
end
if how == 'end' and redis.call('HGET', KEYS[1], 'holder') ~= gateway then
    return 'lost'
end
if current ~= ARGV[1] then
    return 'stale'
end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'state', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if ARGV[3] == 'closed' then
    redis.call('ZREM', KEYS[2], name)
end
if ARGV[3] ~= 'running' then
    redis.call('ZREM', KEYS[3], name)
    redis.call('HDEL', KEYS[1], 'holder', 'news')
elseif how == 'begin' then
    redis.call('HSET', KEYS[1], 'holder', gateway)
    redis.call('ZADD', KEYS[3], now + lease_ms, name)
elseif how == 'end' then
    redis.call('HDEL', KEYS[1], 'holder', 'news')
    redis.call('ZADD', KEYS[3], 0, name)
end
return 'stored'
"""
)
"""Keys: job, its caller's open jobs, leases. Arguments: record before, record after, state, name,
age, gateway, length of a lease, and what becomes of the lease: keep, begin, end."""

_CLAIM: Final = (
    _NOW
    + """
local claimed = {}
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
for _, name in ipairs(ended) do
    local job = ARGV[4] .. name
    if redis.call('HGET', job, 'state') == 'running' then
        redis.call('HSET', job, 'holder', ARGV[1])
        redis.call('ZADD', KEYS[1], now + ARGV[2], name)
        table.insert(claimed, redis.call('HGET', job, 'record'))
    else
        redis.call('ZREM', KEYS[1], name)
    end
end
return claimed
"""
)
"""Key: leases. Arguments: gateway, length of a lease, most jobs, prefix of their keys."""

_RENEW: Final = (
    _NOW
    + """
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'closed' then
    return 'closed'
end
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
    return 'lost'
end
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[3])
if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[1], 'news', ARGV[4])
end
return state
"""
)
"""Keys: job, leases. Arguments: gateway, length of a lease, name, progress."""

_STAY: Final = """
local gateway = redis.call('GET', KEYS[1])
if gateway and gateway ~= ARGV[1] then
    return 'closed'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('HGET', KEYS[2], 'state') or ''
"""
"""Keys: attendance, job. Arguments: gateway, length of a lease."""

_LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
"""
"""Key: attendance. Argument: gateway."""


class SharedJournal:
    """The :class:`~inference_service.engine.job_store.JobStore` of several gateways.

    Parameters
    ----------
    state : SharedState
    recordings : Recordings
    max_age_s : float
        Since a job was last changed.
    lease_s : float
        How long a job or an attendance stays with a gateway that does not renew it.
    """

    beat_s: float | None = BEAT_S

    def __init__(
        self,
        state: SharedState,
        recordings: Recordings,
        max_age_s: float,
        lease_s: float = LEASE_S,
    ) -> None:
        self._state = state
        self._recordings = recordings
        self._max_age_ms = int(max_age_s * 1000)
        self._lease_ms = int(lease_s * 1000)
        self._gateway = secrets.token_hex(8)
        register = state.client.register_script
        self._accept: Any = register(_ACCEPT)
        self._store: Any = register(_STORE)
        self._claim: Any = register(_CLAIM)
        self._renew: Any = register(_RENEW)
        self._stay: Any = register(_STAY)
        self._leave: Any = register(_LEAVE)

    async def accept(
        self, bot: str, key: str, options: TranscribeOptions, context: str
    ) -> JobRecord:
        """Write a job down; one whose upload was cut off keeps its context.

        Raises
        ------
        JobTaken
            If the job is known, and its upload was not cut off.
        NotReady
            If the server is away.
        """
        record = JobRecord(bot, key, context, options, time.time())
        accepted_ms = int(record.accepted_s * 1000)
        stored = await self._state.ask(
            self._accept(
                [_JOB + record.id, _OPEN + bot],
                [encode_record(record), record.id, accepted_ms, self._max_age_ms],
            )
        )
        if stored is None:
            raise JobTaken("a job with this key was accepted before")
        return decode_record(stored)

    async def find(self, bot: str, key: str) -> JobRecord:
        """Return an open job.

        Raises
        ------
        JobUnknown
        """
        return decode_record(await self._read(bot, key))

    async def list_open(self, bot: str) -> list[tuple[JobRecord, bool]]:
        """Return a caller's open jobs, the oldest first, and whether a call attends to each."""
        client, index = self._state.client, _OPEN + bot
        names = [name.decode() for name in await self._state.ask(client.zrange(index, 0, -1))]
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.hget(_JOB + name, "record")
            pipeline.exists(_ATTENDED + name)
        answers = iter(await self._state.ask(pipeline.execute()))
        found = list(zip(names, answers, answers, strict=True))
        if expired := [name for name, data, _ in found if data is None]:
            await self._state.ask(client.zrem(index, *expired))
        records = [(decode_record(data), bool(held)) for _, data, held in found if data is not None]
        return [(record, attended) for record, attended in records if record.is_open]

    async def change(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store a job with other values.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted meanwhile.
        """
        return await self._change(record, "keep", changes)

    async def settle(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store what has become of a job that this gateway runs, and end its lease.

        Raises
        ------
        JobTaken
            If another gateway runs the job now.
        JobUnknown
            If it has been closed or deleted meanwhile.
        """
        return await self._change(record, "end", changes)

    async def close(self, record: JobRecord) -> None:
        """Close a job: only its key is remembered.

        Raises
        ------
        JobUnknown
            If it is not open.
        """
        await self._change(record, "keep", CLOSED)

    async def attend(self, name: str) -> bool:
        """Let a call of this gateway attend to a job; False if another call does."""
        key, lease_ms = _ATTENDED + name, self._lease_ms
        attending = self._state.client.set(key, self._gateway, nx=True, px=lease_ms)
        return await self._state.ask(attending) is not None

    async def leave(self, name: str) -> None:
        """End the attendance of a call of this gateway."""
        await self._state.ask(self._leave([_ATTENDED + name], [self._gateway]))

    def receive(self, record: JobRecord) -> Upload:
        """Return what collects a job's recording on its way in."""
        return self._recordings.receive(record.id)

    async def seal(self, record: JobRecord, upload: Upload) -> Recording:
        """Store that a job's recording is complete; this gateway runs the job.

        Raises
        ------
        JobUnknown
            If the job has been closed meanwhile.
        NotReady
            If the recording cannot be kept where all gateways read it.
        """
        await self._recordings.keep(record.id, upload)
        await self._change(record, "begin", {"state": JobState.RUNNING})
        return KeptRecording(self._recordings, record.id)

    async def drop_recording(self, record: JobRecord) -> None:
        """Delete a job's recording."""
        await self._recordings.drop(record.id)

    async def claim(self, limit: int) -> list[tuple[JobRecord, Recording]]:
        """Lease up to ``limit`` jobs that are to run and that no gateway runs."""
        claimed = await self._state.ask(
            self._claim([_LEASES], [self._gateway, self._lease_ms, limit, _JOB])
        )
        records = [decode_record(data) for data in claimed]
        return [(record, KeptRecording(self._recordings, record.id)) for record in records]

    async def beat(self, running: Mapping[str, Update | None], attended: Collection[str]) -> Beat:
        """Renew the leases of this gateway."""
        if not running and not attended:
            return Beat()
        pipeline = self._state.client.pipeline(transaction=False)
        lease = [self._gateway, self._lease_ms]
        for name, update in running.items():
            news = b"" if update is None else _UPDATE.dump_json(update)
            await self._renew([_JOB + name, _LEASES], [*lease, name, news], client=pipeline)
        for name in attended:
            await self._stay([_ATTENDED + name, _JOB + name], lease, client=pipeline)
        states = await self._state.ask(pipeline.execute())
        names = (*running, *attended)
        found = [(name, state.decode()) for name, state in zip(names, states, strict=True)]
        return Beat(
            closed=frozenset(name for name, state in found if state == JobState.CLOSED),
            lost=frozenset(name for name, state in found if state == "lost"),
        )

    async def watch(self, record: JobRecord) -> tuple[JobRecord, Update | None]:
        """Return a job as it is stored now, and its latest progress.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted.
        """
        found = await self.find(record.bot, record.key)
        news = await self._state.ask(self._state.client.hget(_JOB + record.id, "news"))
        return found, None if news is None else _UPDATE.validate_json(news)

    async def find_problem(self) -> str:
        """Return why the server cannot be used, or an empty text."""
        return await self._state.find_problem()

    async def disconnect(self) -> None:
        """Close the connections to the server."""
        await self._state.close()

    async def _read(self, bot: str, key: str) -> bytes:
        """Return an open job as it is stored."""
        data, state = await self._state.ask(
            self._state.client.hmget(_JOB + job_id(bot, key), "record", "state")
        )
        if data is None or state.decode() == JobState.CLOSED:
            raise JobUnknown("no open job has this key")
        return bytes(data)

    async def _change(
        self, record: JobRecord, lease: str, changes: Mapping[str, object]
    ) -> JobRecord:
        while True:
            before = await self._read(record.bot, record.key)
            after = replace(decode_record(before), **changes)  # type: ignore[arg-type]
            outcome = await self._state.ask(
                self._store(
                    [_JOB + record.id, _OPEN + record.bot, _LEASES],
                    [
                        before,
                        encode_record(after),
                        after.state.value,
                        record.id,
                        self._max_age_ms,
                        self._gateway,
                        self._lease_ms,
                        lease,
                    ],
                )
            )
            if outcome == b"stored":
                break
            if outcome == b"lost":
                raise JobTaken("another gateway runs this job now")
        if after.state not in {JobState.UPLOADING, JobState.RUNNING}:
            await self._recordings.drop(record.id)
        return after
