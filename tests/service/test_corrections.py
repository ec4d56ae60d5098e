"""Corrected results: rendered, continued and described without another transcription."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest
from notabot.v1 import transcription_pb2 as pb

from inference_service.music.corrections import Corrections as Kept
from inference_service.music.events import Alternative, Key
from inference_service.settings import Settings
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    last,
    messages,
    read_failure,
    run_service,
)


async def transcribe(running: Running, **render: Any) -> pb.Result:
    result: pb.Result = (
        await last(running.transcription.Transcribe(iter(messages(b"a", **render))))
    ).result
    return result


async def correct(running: Running, result_id: str, **corrections: Any) -> pb.Result:
    render = pb.RenderOptions(corrections=pb.Corrections(**corrections))
    request = pb.RenderRequest(result_id=result_id, render=render)
    result: pb.Result = (await last(running.transcription.Render(request))).result
    return result


async def test_a_corrected_result_is_a_result(settings: Settings, held: HeldPipeline) -> None:
    held.release.set()
    key = pb.Key(tonic="D", mode=pb.MODE_MINOR)
    async with run_service(settings, use_cases=held) as running:
        heard = await transcribe(running)
        waltz = await correct(running, heard.result_id, time_signature="3/4")
        minor = await correct(running, waltz.result_id, key=key)
    assert (heard.uncorrected_id, heard.previous_id) == (heard.result_id, "")
    assert heard.corrections == pb.Corrections()
    assert (waltz.uncorrected_id, waltz.previous_id) == (heard.result_id, heard.result_id)
    assert (minor.uncorrected_id, minor.previous_id) == (heard.result_id, waltz.result_id)
    assert len({heard.result_id, waltz.result_id, minor.result_id}) == 3
    assert (waltz.time_signature, waltz.key.tonic) == ("3/4", "A")
    assert (minor.time_signature, minor.key, minor.rendered_key) == ("3/4", key, key)
    assert minor.corrections == pb.Corrections(time_signature="3/4", key=key)
    assert (minor.metre_probability, minor.key_probability) == (1.0, 1.0)
    async with run_service(settings, use_cases=held) as running:
        again = (
            await drain(running.transcription.Render(pb.RenderRequest(result_id=minor.result_id)))
        )[-1]
    assert again.result.corrections == minor.corrections
    assert again.result.result_id == minor.result_id
    assert held.began == ["a"]


async def test_the_same_correction_has_the_same_id(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    heard = await transcribe(running)
    once = await correct(running, heard.result_id, time_signature="3/4")
    twice = await correct(running, heard.result_id, time_signature="3/4")
    again = await correct(running, once.result_id, time_signature="3/4")
    assert once.result_id == twice.result_id == again.result_id
    back = await correct(running, once.result_id, as_heard=[pb.CORRECTABLE_METRE])
    assert back.result_id == heard.result_id
    assert back.time_signature == "4/4"


async def test_an_edit_is_a_correction(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    heard = await transcribe(running)
    move = pb.ScoreEdit(move=pb.MoveNote(note="vocals:0", semitones=1))
    moved = await correct(running, heard.result_id, edits=[move])
    pitch = pb.SetPitch(note="vocals:0", pitch=70, spelling=pb.SPELLING_RAISED)
    assert moved.corrections == pb.Corrections(edits=[pb.ScoreEdit(pitch=pitch)])
    assert moved.previous_id == heard.result_id
    split = pb.ScoreEdit(split=pb.SplitNote(note="vocals:0"))
    cut = await correct(running, moved.result_id, edits=[*moved.corrections.edits, split])
    assert list(cut.corrections.edits) == [pb.ScoreEdit(pitch=pitch), split]
    assert cut.previous_id == moved.result_id
    undone = await correct(running, cut.previous_id)
    assert undone.corrections == moved.corrections
    waltz = await correct(running, cut.result_id, time_signature="3/4")
    assert waltz.corrections.edits == cut.corrections.edits
    back = await correct(running, cut.result_id, as_heard=[pb.CORRECTABLE_EDITS])
    assert back.result_id == heard.result_id


async def test_two_people_do_not_disturb_each_other(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    heard = await transcribe(running)
    waltz = await correct(running, heard.result_id, time_signature="3/4")
    march = await correct(running, heard.result_id, time_signature="2/4")
    assert (await correct(running, waltz.result_id)).time_signature == "3/4"
    assert (await correct(running, march.result_id)).time_signature == "2/4"
    assert (await correct(running, heard.result_id)).time_signature == "4/4"


async def test_what_is_asked_for_in_terms_of_the_page_becomes_corrections(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    heard = await transcribe(running)
    slow = await correct(running, heard.result_id, beat_scale=0.5)
    asked = pb.RenderOptions(
        transpose_semitones=2,
        adjustments=pb.Adjustments(
            rescale=2.0,
            bar_shift=pb.BarShift(count=1, unit=pb.BAR_UNIT_QUARTER),
            key=pb.NamedKey(tonic="D", mode=pb.MODE_MAJOR),
        ),
        transpose_to=pb.NamedKey(tonic="E"),
    )
    request = pb.RenderRequest(result_id=slow.result_id, render=asked)
    result = (await last(running.transcription.Render(request))).result
    c_major = pb.Key(tonic="C", mode=pb.MODE_MAJOR)
    assert result.corrections == pb.Corrections(beat_scale=1.0, first_beat=3.0, key=c_major)
    assert (result.render.transpose_semitones, result.rendered_key.tonic) == (4, "E")
    assert not result.render.HasField("adjustments")
    assert not result.render.HasField("transpose_to")
    again = await correct(running, result.result_id)
    assert (again.previous_id, again.corrections) == (slow.result_id, result.corrections)


async def test_a_doubtful_result_offers_other_readings(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    minor = Key("A", "minor")
    held.alternatives = (
        Alternative("4/4", 1.0, 1.0, minor, 0.5),
        Alternative("3/4", 1.0, 2.0, minor, 0.3),
        Alternative("4/4", 1.0, 2.0, Key("C", "major"), 0.2),
    )
    heard = await transcribe(running)
    assert (heard.metre_is_doubtful, heard.key_is_doubtful) == (True, False)
    waltz, other = heard.offers
    assert waltz.corrections == pb.Corrections(time_signature="3/4")
    assert (waltz.time_signature, waltz.rescale, waltz.tempo_bpm) == ("3/4", 1.0, 120.0)
    assert not waltz.HasField("bar_shift")
    assert not waltz.HasField("key")
    assert other.bar_shift == pb.BarShift(count=1, unit=pb.BAR_UNIT_BEAT)
    assert other.key == pb.Key(tonic="C", mode=pb.MODE_MAJOR)


async def test_a_transcription_may_be_corrected_at_once(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    result = await transcribe(running, corrections=pb.Corrections(beat_scale=0.5))
    assert result.corrections.beat_scale == result.beat_scale == 0.5
    assert result.uncorrected_id == result.previous_id != result.result_id


async def test_a_continuation_goes_on_from_the_corrected_music(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    heard = await transcribe(running)
    waltz = await correct(running, heard.result_id, time_signature="3/4")
    events = await drain(
        running.transcription.Continue(pb.ContinueRequest(result_id=waltz.result_id))
    )
    assert events[-1].result.time_signature == "3/4"
    assert events[-1].result.result_id == waltz.result_id
    assert held.continued[0][0].corrections == Kept(time_signature="3/4")


async def test_stems_of_a_corrected_result(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    held.stems = {"vocals": b"sung"}
    heard = await transcribe(running)
    waltz = await correct(running, heard.result_id, time_signature="3/4")
    render = pb.RenderOptions(formats=[pb.FORMAT_STEMS])
    request = pb.RenderRequest(result_id=waltz.result_id, render=render)
    events = await drain(running.transcription.Render(request))
    assert [e.artifact.data for e in events if e.HasField("artifact")] == [b"sung"]


async def test_a_result_is_described_as_it_is_rendered(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    heard = await transcribe(running)
    waltz = await correct(running, heard.result_id, time_signature="3/4")
    options = pb.RenderOptions(transpose_semitones=2, view=pb.VIEW_MELODY)
    described = await running.transcription.Describe(
        pb.DescribeRequest(result_id=waltz.result_id, render=options)
    )
    rendered = await last(
        running.transcription.Render(pb.RenderRequest(result_id=waltz.result_id, render=options))
    )
    for result in (described, rendered.result):
        result.render.title = ""
    assert described == rendered.result
    assert described.parts[0].id == "vocals"
    assert (described.first_beat, described.beat_scale, described.bar_count) == (1.0, 1.0, 1)


async def test_what_is_not_kept_is_not_described(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await running.transcription.Describe(pb.DescribeRequest(result_id="AAAAAAAAAAAA"))
    assert read_failure(raised.value).reason == "RESULT_EXPIRED"


def delete(note: str) -> pb.ScoreEdit:
    return pb.ScoreEdit(delete=pb.DeleteNote(note=note))


def duration(quarters: float) -> pb.ScoreEdit:
    return pb.ScoreEdit(duration=pb.SetDuration(note="vocals:0", quarters=quarters))


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("time_signature", {"time_signature": "0/0"}),
    ("time_signature", {"time_signature": "9999/1"}),
    ("time_signature", {"time_signature": "3" * 100_000 + "/4"}),
    ("beat_scale", {"beat_scale": float("nan")}),
    ("beat_scale", {"beat_scale": 1e300}),
    ("beat_scale", {"beat_scale": -1.0}),
    ("tempo_bpm", {"tempo_bpm": float("inf")}),
    ("tempo_bpm", {"tempo_bpm": float("nan")}),
    ("first_beat", {"first_beat": 1e300}),
    ("first_beat", {"first_beat": float("nan")}),
    ("first_beat", {"first_beat": 5000.0}),
    ("key", {"key": pb.Key(tonic="H", mode=pb.MODE_MINOR)}),
    ("key", {"key": pb.Key(tonic="C" * 1000)}),
    ("key", {"key": pb.Key(tonic="C", mode=9)}),  # type: ignore[arg-type]
    ("finest_value", {"finest_value": 9}),
    ("triplets", {"triplets": 9}),
    ("feel", {"feel": 9}),
    ("as_heard", {"as_heard": [99]}),
    ("parts", {"parts": [pb.PartCorrection(id="theremin", left_out=True)]}),
    ("parts", {"parts": [pb.PartCorrection(id="vocals", left_out=True)]}),
    ("parts", {"parts": [pb.PartCorrection(id="vocals", name="x" * 10_000_000)]}),
    ("parts", {"parts": [pb.PartCorrection(id="x" * 10_000_000, name="x")]}),
    ("parts", {"parts": [pb.PartCorrection(id="vocals", program=4_000_000_000)]}),
    ("parts", {"parts": [pb.PartCorrection(id="vocals", clef=77)]}),  # type: ignore[arg-type]
    ("parts", {"parts": [pb.PartCorrection(id=str(k), name="x") for k in range(5000)]}),
    ("first_beat", {"bar_moves": [pb.BarMove(beats=1.0)]}),
    ("bar_moves", {"bar_moves": [pb.BarMove(from_beat=5000.0, beats=1.0)]}),
    ("first_beat", {"bar_moves": [pb.BarMove(from_beat=float("nan"), beats=1.0)]}),
    ("bar_moves", {"bar_moves": [pb.BarMove(from_beat=1.0, beats=float("inf"))]}),
    ("bar_moves", {"bar_moves": [pb.BarMove(from_beat=1.0, beats=1e300)]}),
    ("bar_moves", {"bar_moves": [pb.BarMove(from_beat=1.0 + k, beats=1.0) for k in range(5000)]}),
    ("bars", {"bars": pb.BarRange(first=2, last=3)}),
    ("bars", {"bars": pb.BarRange(first=0, last=0)}),
    ("bars", {"bars": pb.BarRange(first=4, last=2)}),
    ("bars", {"bars": pb.BarRange(first=1, last=2**32 - 1)}),
    ("edits", {"edits": [pb.ScoreEdit()]}),
    ("edits", {"edits": [delete("vocals:7")]}),
    ("edits", {"edits": [delete("vocals:0"), delete("theremin:0")]}),
    ("edits", {"edits": [delete("x" * 10_000_000)]}),
    ("edits", {"edits": [delete("vocals:0")] * 500_000}),
    ("edits", {"edits": [pb.ScoreEdit(move=pb.MoveNote(note="vocals:0", steps=2**31 - 1))]}),
    ("edits", {"edits": [pb.ScoreEdit(pitch=pb.SetPitch(note="vocals:0", pitch=2**32 - 1))]}),
    ("edits", {"edits": [duration(float("nan"))]}),
    ("edits", {"edits": [duration(1e300)]}),
    ("edits", {"edits": [duration(5e-324)]}),
    ("edits", {"edits": [pb.ScoreEdit(chord=pb.SetChord(time_s=0.0, text="<b>"))]}),
    ("edits", {"edits": [pb.ScoreEdit(chord=pb.SetChord(time_s=float("inf"), text="G"))]}),
    ("edits", {"edits": [pb.ScoreEdit(delete_chord=pb.DeleteChord(time_s=-1e300))]}),
    ("edits", {"edits": [pb.ScoreEdit(add=pb.AddNote(part="vocals", quarters=1.0, staff=9))]}),
]


async def test_hostile_corrections_are_refused_and_leave_nothing(
    settings: Settings, held: HeldPipeline
) -> None:
    held.release.set()
    async with run_service(settings, use_cases=held) as running:
        heard = await transcribe(running)
        for field, corrections in HOSTILE:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await correct(running, heard.result_id, **corrections)
            failure = read_failure(raised.value)
            assert failure.reason == "INVALID_CORRECTIONS", corrections
            assert failure.status is grpc.StatusCode.INVALID_ARGUMENT
            assert failure.params["correction"] == field
        assert not list(settings.cache.directory.glob("*.corrected"))
        assert (await correct(running, heard.result_id)).result_id == heard.result_id


HOSTILE_ADJUSTMENTS: list[tuple[str, dict[str, Any]]] = [
    ("rescale", {"rescale": float("nan")}),
    ("rescale", {"rescale": float("inf")}),
    ("rescale", {"rescale": -2.0}),
    ("beat_scale", {"rescale": 1.1}),
    ("beat_scale", {"rescale": 1e300}),
    ("bar_shift", {"bar_shift": pb.BarShift(count=2**31 - 1)}),
    ("bar_shift", {"bar_shift": pb.BarShift(count=1, unit=9)}),  # type: ignore[arg-type]
    ("first_beat", {"bar_shift": pb.BarShift(count=100_000)}),
    ("local_shifts", {"local_shifts": [pb.LocalShift(shift=pb.BarShift(count=1))]}),
    ("local_shifts", {"local_shifts": [pb.LocalShift(from_bar=9, shift=pb.BarShift(count=1))]}),
    ("local_shifts", {"local_shifts": [pb.LocalShift(from_bar=2**32 - 1)]}),
    ("local_shifts", {"local_shifts": [pb.LocalShift(from_bar=1)] * 1000}),
    ("key", {"key": pb.NamedKey()}),
    ("key", {"key": pb.NamedKey(tonic="H")}),
    ("key", {"key": pb.NamedKey(tonic="C", mode=9)}),  # type: ignore[arg-type]
]


async def test_hostile_adjustments_are_refused(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    heard = await transcribe(running)
    requests = [
        (field, pb.RenderOptions(adjustments=pb.Adjustments(**wrong)))
        for field, wrong in HOSTILE_ADJUSTMENTS
    ]
    requests.append(("key", pb.RenderOptions(transpose_to=pb.NamedKey(tonic="C" * 1000))))
    for field, render in requests:
        request = pb.DescribeRequest(result_id=heard.result_id, render=render)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await running.transcription.Describe(request)
        failure = read_failure(raised.value)
        assert failure.reason == "INVALID_CORRECTIONS", render
        assert failure.params["correction"] == field, render


async def test_a_correction_is_described_at_once(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    heard = await transcribe(running)
    start_s = time.monotonic()
    for metre in ("3/4", "6/8", "2/4"):
        await correct(running, heard.result_id, time_signature=metre)
    assert time.monotonic() - start_s < 3.0
