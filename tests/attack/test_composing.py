"""Long continuations, all at once."""

from __future__ import annotations

import asyncio

from notabot.v1 import transcription_pb2 as pb

from tests.attack.table import Row
from tests.attack.victim import Victim, honest_person
from tests.factories import build_notes, build_scale, encode_audio


async def test_long_continuations(victim: Victim, row: Row, longest_wait_s: float) -> None:
    """A short recording is not behind them, nor are the buttons of a result."""
    song = encode_audio(build_notes(build_scale()).samples[0], "ogg-opus")
    outcome, result = await victim.send(song)
    assert outcome == "RESULT"
    row.before_mb = await victim.settled_mb()
    request = pb.ContinueRequest(result_id=result.result_id, measures=64, alternatives=1)
    calls = [victim.stub.Continue(request, timeout=60.0) for _ in range(8)]
    await asyncio.sleep(1.0)
    async with honest_person(victim, row):
        for _ in range(5):
            outcome, _ = await victim.render(result.result_id)
            row.note(survived=outcome == "RESULT")
            await asyncio.sleep(1.0)
    assert not any(call.done() for call in calls[1:])
    for call in calls:
        call.cancel()
    row.after_mb = await victim.settled_mb()
    assert (row.survived, row.lost) == (row.tried, 0)
    assert row.longest_wait_s < longest_wait_s
