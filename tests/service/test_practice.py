"""Practice: sheets of cached results, and their sounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import av
import grpc
import pytest
from notabot.v1 import practice_pb2 as pb
from notabot.v1 import transcription_pb2

from inference_service.music.events import NoteEvent
from inference_service.settings import Settings
from tests.factories import encode_audio, sing
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    last,
    messages,
    read_failure,
    run_service,
    wait_until,
)

TUNE = [NoteEvent(0.1, 0.9, 69), NoteEvent(1.0, 1.9, 72)]
SOUND = bytes(range(256)) * 2_000


async def transcribe(running: Running, data: bytes = b"a", **render: Any) -> str:
    call = running.transcription.Transcribe(iter(messages(data, **render)))
    result_id: str = (await last(call)).result.result_id
    return result_id


async def engrave(
    running: Running, result_id: str, screen: pb.Screen | None = None, **render: Any
) -> tuple[pb.Sheet, list[str]]:
    options = transcription_pb2.RenderOptions(**render)
    request = pb.EngraveRequest(result_id=result_id, render=options, screen=screen)
    first, *rest = await drain(running.practice.Engrave(request))
    return first.sheet, [event.page.svg for event in rest]


async def fetch(running: Running, result_id: str, name: str, **fields: Any) -> list[pb.SoundChunk]:
    request = pb.FetchSoundRequest(result_id=result_id, name=name, **fields)
    return await drain(running.practice.FetchSound(request))


async def fail(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    failure = read_failure(raised.value)
    return failure.status, failure.reason


async def test_a_sheet_comes_before_its_pages(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    held.stems = {"recording": SOUND, "vocals": b"v"}
    result_id = await transcribe(running, title="A song")
    sheet, pages = await engrave(running, result_id, transpose_semitones=3)
    assert sheet.result.result_id == result_id
    assert sheet.result.render.title == "A song"
    assert sheet.result.pages == len(pages) == 1
    assert sheet.result.rendered_key.tonic == "C"
    assert [(note.note, note.pitch) for note in sheet.notes] == [("vocals:0", 72), ("vocals:1", 75)]
    heads = [name for note in sheet.notes for name in note.ids]
    for name in (*heads, *(measure.id for measure in sheet.measures)):
        assert f' id="{name}"' in pages[0]
    assert list(sheet.sounds) == ["recording", "vocals"]
    assert [part.id for part in sheet.parts] == ["vocals"]
    assert [(p.quarters, p.time_s) for p in sheet.clock][:2] == [(0.0, 0.0), (1.0, 0.5)]
    assert sheet.glyphs.startswith("<svg")
    assert {font.family for font in sheet.fonts} >= {"STIXGeneral"}


async def test_a_corrected_sheet_is_a_result_of_its_own(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    held.stems = {"recording": SOUND}
    result_id = await transcribe(running)
    corrections = transcription_pb2.Corrections(time_signature="3/4")
    sheet, _ = await engrave(running, result_id, corrections=corrections)
    assert sheet.result.result_id != result_id
    assert sheet.result.previous_id == result_id
    assert list(sheet.sounds) == ["recording"]
    again, _ = await engrave(running, sheet.result.result_id)
    assert again.result.time_signature == "3/4"
    assert b"".join(c.data for c in await fetch(running, again.result.result_id, "recording"))


async def test_a_wider_screen_has_wider_pages(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    result_id = await transcribe(running)

    async def width(screen: pb.Screen) -> int:
        _, (page,) = await engrave(running, result_id, screen)
        match = re.search(r'viewBox="0 0 (\d+) ', page)
        assert match is not None
        return int(match[1])

    narrow = await width(pb.Screen(width_px=390, staff_height_px=20))
    assert await width(pb.Screen(width_px=780, staff_height_px=20)) == 2 * narrow
    assert await width(pb.Screen(width_px=390, staff_height_px=40)) == narrow // 2


@pytest.mark.parametrize(
    "screen", [{"width_px": 100}, {"width_px": 100_000}, {"staff_height_px": float("nan")}]
)
async def test_a_screen_that_there_is_not_is_refused(
    running: Running, held: HeldPipeline, screen: dict[str, Any]
) -> None:
    held.release.set()
    result_id = await transcribe(running)
    refused = await fail(engrave(running, result_id, pb.Screen(**screen)))
    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_OPTIONS")


async def test_a_result_that_was_forgotten_is_gone(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    held.stems = {"recording": SOUND}
    mine, other = await transcribe(running), await transcribe(running)
    request = transcription_pb2.ForgetRequest(result_ids=[mine, "AAAAAAAAAAAA", "\0"])
    for _ in range(2):
        await running.transcription.Forget(request)
    expired = (grpc.StatusCode.NOT_FOUND, "RESULT_EXPIRED")
    assert await fail(engrave(running, mine)) == expired
    assert await fail(fetch(running, mine, "recording")) == expired
    assert await fetch(running, other, "recording")
    many = transcription_pb2.ForgetRequest(result_ids=[other] * 101)
    refused = await fail(running.transcription.Forget(many))
    assert refused[0] == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("result_id", ["", "AAAAAAAAAAAA", "../../etc/pa", "x" * 100_000, "\0"])
async def test_ids_of_no_result_are_refused(running: Running, result_id: str) -> None:
    expired = (grpc.StatusCode.NOT_FOUND, "RESULT_EXPIRED")
    assert await fail(engrave(running, result_id)) == expired
    assert await fail(fetch(running, result_id, "recording")) == expired


async def test_a_sound_comes_in_pieces(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    held.stems = {"recording": SOUND}
    result_id = await transcribe(running)
    first, *rest = await fetch(running, result_id, "recording")
    assert (first.media_type, first.size_bytes) == ("audio/ogg", len(SOUND))
    assert first.data + b"".join(chunk.data for chunk in rest) == SOUND
    assert {chunk.media_type for chunk in rest} == {""}
    assert len(rest) > 1


async def test_a_sound_is_converted_for_browsers_without_opus(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    held.stems = {"recording": encode_audio(sing(TUNE).samples, "ogg-opus"), "vocals": SOUND}
    result_id = await transcribe(running)
    first, *rest = await fetch(running, result_id, "recording", encoding=pb.SOUND_ENCODING_FLAC)
    sound = b"".join(chunk.data for chunk in (first, *rest))
    assert (first.media_type, first.size_bytes) == ("audio/flac", len(sound))
    with av.open(BytesIO(sound), "r") as container:
        frames = list(container.decode(container.streams.audio[0]))
    assert sum(frame.samples / frame.sample_rate for frame in frames) == pytest.approx(
        sing(TUNE).duration_s, abs=0.03
    )
    for name in ("vocals", "drums"):  # no sound at all, and none that is kept
        refused = await fail(fetch(running, result_id, name, encoding=pb.SOUND_ENCODING_FLAC))
        assert refused == (grpc.StatusCode.NOT_FOUND, "SOUND_UNAVAILABLE")


@pytest.mark.parametrize("name", ["", "drums", "../recording", "recording\0"])
async def test_a_sound_that_is_not_kept_is_refused(
    running: Running, held: HeldPipeline, name: str
) -> None:
    held.release.set()
    held.stems = {"recording": SOUND}
    result_id = await transcribe(running)
    refused = await fail(fetch(running, result_id, name))
    assert refused == (grpc.StatusCode.NOT_FOUND, "SOUND_UNAVAILABLE")
    held.stems = {}
    without = await transcribe(running)
    assert (await fail(fetch(running, without, "recording")))[1] == "SOUND_UNAVAILABLE"
    assert not (await engrave(running, without))[0].sounds


async def test_sounds_that_nobody_reads_hold_up_nothing(
    build: Callable[..., Settings],
) -> None:
    settings = build(engine={"render_queue_size": 1, "queue_size": 1}, server={"read_stall_s": 0.3})
    held = HeldPipeline(settings)
    held.release.set()
    held.stems = {"recording": bytes(8_000_000)}
    async with run_service(settings, use_cases=held) as running:
        result_id = await transcribe(running)
        request = pb.FetchSoundRequest(result_id=result_id, name="recording")
        call = running.practice.FetchSound(request)
        engine = running.service.engine
        await wait_until(lambda: len(engine.deliveries) == 1)
        await engrave(running, result_id)
        await wait_until(lambda: len(engine.deliveries) == 0)
        assert (await fail(drain(call)))[1] == "DEADLINE_EXCEEDED"


async def test_the_recording_is_kept_from_its_first_sample(
    build: Callable[..., Settings],
) -> None:
    sung = sing(TUNE)
    async with run_service(build()) as running:
        result_id = await transcribe(running, encode_audio(sung.samples))
        chunks = await fetch(running, result_id, "recording")
        sheet, _ = await engrave(running, result_id)
    with av.open(BytesIO(b"".join(chunk.data for chunk in chunks)), "r") as container:
        frames = list(container.decode(container.streams.audio[0]))
    assert sum(frame.samples for frame in frames) / 48_000 == pytest.approx(
        sung.duration_s, abs=0.03
    )
    assert sheet.duration_s == pytest.approx(sung.duration_s, abs=0.001)


async def test_an_operator_may_keep_no_recordings(build: Callable[..., Settings]) -> None:
    sung = sing(TUNE)
    async with run_service(build(cache={"recordings": False})) as running:
        result_id = await transcribe(running, encode_audio(sung.samples))
        sheet, _ = await engrave(running, result_id)
    assert not sheet.sounds
