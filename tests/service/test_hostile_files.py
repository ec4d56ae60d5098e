"""A hundred hostile files, sent to a service in a separate process.

By default the tests' small models transcribe what can be decoded; with ``NOTABOT_TEST_PROFILE=cpu``
the real models do, which takes some minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
from notabot.v1 import (
    errors_pb2,
    models_pb2,
    models_pb2_grpc,
    transcription_pb2,
    transcription_pb2_grpc,
)

from tests.service.hostile import KINDS, build_hostile_files
from tests.service.running import last, messages, read_failure

PROFILE = os.environ.get("NOTABOT_TEST_PROFILE", "tiny")
TIMEOUT_S = 60.0
AUDIO_ERRORS = {name for name, _ in errors_pb2.ErrorCode.items() if name.startswith("AUDIO")}
GROWTH_LIMIT_BYTES = 250_000_000
"""Far below the 1.3 GB that an hour of samples would take if it were decoded whole."""


async def send(stub: Any, data: bytes) -> str:
    """Send a file; return ``RESULT`` or the error's documented code."""
    sent = messages(data, transcription_pb2.PRESET_AUTO, formats=[transcription_pb2.FORMAT_JSON])
    call = stub.Transcribe(iter(sent), timeout=TIMEOUT_S)
    try:
        result = await last(call)
    except grpc.aio.AioRpcError as error:
        return read_failure(error).reason
    assert result.HasField("result")
    return "RESULT"


async def test_each_gets_a_result_or_a_documented_error(
    start: Callable[..., Any], environment: dict[str, str]
) -> None:
    process = start(NOTABOT_MODELS_PROFILE=PROFILE)
    files = build_hostile_files()
    outcomes: dict[str, str] = {}
    async with grpc.aio.insecure_channel(environment["NOTABOT_SERVER_LISTEN"]) as channel:
        stub = transcription_pb2_grpc.TranscriptionStub(channel)  # type: ignore[no-untyped-call]
        models = models_pb2_grpc.ModelsStub(channel)  # type: ignore[no-untyped-call]

        async def resident_bytes() -> int:
            status = await models.Status(models_pb2.StatusRequest(), wait_for_ready=True)
            return int(status.memory_bytes)

        await resident_bytes()
        for name, data in files.items():
            outcomes[name] = await send(stub, data)
        # Libraries have allocated; when files come again, of one container, memory must not grow.
        before_bytes = await resident_bytes()
        for name, data in files.items():
            if name.endswith(".mp3") or not name.endswith(KINDS):
                outcomes[name] = await send(stub, data)
        growth_bytes = await resident_bytes() - before_bytes

    print("\n".join(f"{outcome:18} {name}" for name, outcome in sorted(outcomes.items())))
    counts = Counter(outcomes.values())
    assert process.poll() is None, "the service died"
    assert set(counts) <= {"RESULT", "NOTHING_HEARD"} | AUDIO_ERRORS
    assert counts["AUDIO_UNREADABLE"] >= 20
    assert outcomes["an hour of silence"] == outcomes["a FLAC that claims 10 h"] == "AUDIO_TOO_LONG"
    assert outcomes["ten minutes of silence"] == outcomes["a constant"] == "AUDIO_SILENT"
    assert outcomes["white noise"] == "NOTHING_HEARD"
    assert outcomes["nothing"] == "AUDIO_EMPTY"
    assert outcomes["a video without sound"] == "AUDIO_NO_TRACK"
    assert outcomes["playlist"] == "AUDIO_UNREADABLE"
    assert growth_bytes < GROWTH_LIMIT_BYTES
