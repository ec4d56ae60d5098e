"""The calls of the practice page, against the service double."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiogram.exceptions import TelegramForbiddenError, TelegramServerError
from aiogram.methods import SendMediaGroup, SendMessage, SendPhoto
from notabot.v1 import practice_pb2 as ppb
from notabot.v1 import transcription_pb2 as pb

from bot.errors import BotErrorCode, ServiceError
from bot.practice.api import MAX_BODY_BYTES
from bot.practice.desk import MAX_WAITING_OF_LINK, Desk
from tests.bot.practice.conftest import (
    ANN,
    BANK,
    GROUP,
    PUBLIC,
    RESULT_ID,
    House,
    opening,
    token_of,
)
from tests.bot.practised import RECORDING, SOUNDS
from tests.bot.service import RefusalError
from tests.bot.telegram import text_of

MARKUP = "</script><script>alert(1)</script><b>&amp;"


async def test_a_score_is_as_the_chat_shows_it(house: House) -> None:
    token = house.token(view_code="Ls", transpose=-2, title="Песня")
    status, score = await house.get("score", token, width="390", staff="24.5")
    assert status == 200
    [request] = house.service.engravings
    assert request.result_id == RESULT_ID
    assert request.render.view == pb.VIEW_LEAD_SHEET
    assert request.render.transpose_semitones == -2
    assert request.render.simple_chords
    assert request.render.pitches == pb.PITCHES_SUNG
    assert (request.render.title, request.render.language) == ("Песня", "en")
    assert (request.screen.width_px, request.screen.staff_height_px) == (390, 24.5)

    assert score["revision"] == RESULT_ID
    assert (score["title"], score["view"], score["transpose"]) == ("Песня", "lead_sheet", -2)
    assert score["key"] == {"tonic": "G", "mode": "minor"}
    assert score["pages"] == ["<svg><text>Песня</text></svg>"]
    assert score["measures"][1] == {
        "number": "2", "id": "bar-2", "page": 1, "start": 4, "end": 8, "fifths": -1,
    }  # fmt: skip
    assert score["parts"] == [
        {"id": "vocals", "name": "Voice", "program": 0, "is_drum": False, "staves": 1}
    ]
    assert score["notes"][0] == {
        "ids": ["n0"], "note": "vocals:0", "part": "vocals", "pitch": 67,
        "start": 0, "duration": 4, "velocity": 80,
    }  # fmt: skip
    assert score["clock"] == [[0, 0], [4, 2], [8, 4], [12, 6], [16, 8]]
    assert score["fonts"][0]["woff2"] == base64.b64encode(b"wOF2").decode()
    assert score["glyphs"] == "<svg><defs/></svg>"
    assert score["sounds"] == list(SOUNDS)
    assert score["corrections"] == {}
    assert (score["can_undo"], score["can_redo"], score["can_send"]) == (False, False, True)


async def test_the_page_asks_for_another_view(house: House) -> None:
    query = {"view": "piano", "transpose": "3", "pitches": "sung", "language": "ru"}
    _, score = await house.get("score", simple_chords="true", **query)
    assert (score["view"], score["transpose"], score["pitches"]) == ("piano", 3, "sung")
    assert score["simple_chords"]
    assert house.service.engravings[-1].render.language == "ru"


@pytest.mark.parametrize(
    "query",
    [
        {"view": "everything"}, {"transpose": "25"}, {"transpose": "x"}, {"width": "100"},
        {"width": "100000"}, {"staff": "nan"}, {"staff": "1e9"}, {"pitches": "1"},
        {"language": "de"}, {"formats": "json"},
    ],
)  # fmt: skip
async def test_what_cannot_be_shown_is_refused(house: House, query: dict[str, str]) -> None:
    status, body = await house.get("score", **query)
    assert (status, body["error"]) == (422, "INVALID_REQUEST")
    assert not house.service.engravings


async def test_readings_are_offered_and_can_be_sent_back(house: House) -> None:
    house.service.corrected.heard = pb.Result(
        offers=[
            pb.Offer(corrections=pb.Corrections(time_signature=metre), time_signature=metre)
            for metre in ("3/4", "3/4")
        ],
    )
    _, score = await house.get("score", house.token(language="ru"))
    [other] = score["alternatives"]
    assert other["text"] == "3/4"
    body = {"revision": score["revision"], "corrections": other["corrections"]}
    status, changed = await house.post("edits", body)
    assert status == 200
    assert changed["time_signature"] == "3/4"


async def edit(house: House, revision: str, corrections: Any, **display: Any) -> Any:
    """Correct, and expect that it works."""
    body = {"revision": revision, "corrections": corrections}
    status, score = await house.post("edits", body, **display)
    assert status == 200, score
    return score


async def test_edits_build_on_each_other_and_are_undone_and_redone(house: House) -> None:
    first = await edit(house, RESULT_ID, {"time_signature": "3/4"}, view="piano")
    assert first["view"] == "piano"
    assert first["corrections"] == {"time_signature": "3/4"}
    assert first["can_undo"]
    second = await edit(
        house,
        first["revision"],
        {
            "key": {"tonic": "D", "mode": "major"},
            "parts": [{"id": "vocals", "program": 40}],
            "triplets": "not_allowed",
        },
    )
    part = house.service.engravings[-1].render.corrections.parts[0]
    assert (part.program, part.name) == (40, "Violin"), "as in the chat"
    assert second["corrections"]["key"] == {"tonic": "D", "mode": "major"}
    assert (await house.get("score"))[1]["revision"] == second["revision"]

    status, undone = await house.post("undo", {"revision": second["revision"]})
    assert (status, undone["revision"], undone["can_redo"]) == (200, first["revision"], True)
    status, undone = await house.post("undo", {"revision": first["revision"]})
    assert (status, undone["revision"], undone["can_undo"]) == (200, RESULT_ID, False)
    assert (await house.post("undo", {"revision": RESULT_ID}))[0] == 422

    status, redone = await house.post("redo", {"revision": RESULT_ID})
    assert (status, redone["revision"]) == (200, first["revision"])
    other = await edit(house, first["revision"], {"beat_scale": 2})
    assert not other["can_redo"], "an edit ends what can be redone"
    assert (await house.post("redo", {"revision": other["revision"]}))[0] == 422


async def test_two_browsers_lose_nothing_of_each_other(house: House) -> None:
    house.service.hold = asyncio.Event()
    wishes = [{"time_signature": metre} for metre in ("3/4", "6/8")]
    both = [
        asyncio.create_task(house.post("edits", {"revision": RESULT_ID, "corrections": wish}))
        for wish in wishes
    ]
    await asyncio.sleep(0.1)
    house.service.hold.set()
    (status, first), (late_status, late) = await asyncio.gather(*both)
    assert (status, late_status) == (200, 409)
    assert late["error"] == "EDIT_CONFLICT"
    assert late["revision"] == first["revision"]
    assert "newest" in late["text"]
    for call in ("undo", "redo", "send"):
        assert (await house.post(call, {"revision": RESULT_ID}))[0] == 409
    _, score = await house.get("score")
    assert score["corrections"] == {"time_signature": "3/4"}
    both_wishes = await edit(house, score["revision"], {"beat_scale": 2})
    assert both_wishes["corrections"] == {"time_signature": "3/4", "beat_scale": 2}


async def test_each_chat_has_its_own_newest_revision(house: House) -> None:
    await edit(house, RESULT_ID, {"beat_scale": 2})
    assert (await house.get("score", house.token(chat_id=GROUP)))[1]["revision"] == RESULT_ID
    assert (await house.get("score", house.token(language="ru")))[1]["revision"] != RESULT_ID


async def test_corrections_in_terms_of_the_page(house: House) -> None:
    body = {
        "revision": RESULT_ID,
        "adjustments": {
            "rescale": 2,
            "bar_shift": {"count": -1, "unit": "beat"},
            "key": {"tonic": "Bb", "mode": "minor"},
        },
    }
    status, changed = await house.post("edits", body, transpose=1, width=390, language="ru")
    assert (status, changed["language"]) == (200, "ru")
    sent = house.service.engravings[-1].render
    assert sent.adjustments.rescale == 2
    assert sent.adjustments.bar_shift.count == -1
    assert sent.adjustments.key.tonic == "Bb"
    assert sent.transpose_semitones == 1


async def test_notes_are_edited(house: House) -> None:
    edits = [
        {"kind": "move", "note": "vocals:1", "steps": -1},
        {"kind": "chord", "time_s": 0.0, "text": "F♯m7"},
        {"kind": "pitch", "note": "vocals:2", "pitch": 60, "spelling": "raised"},
    ]
    score = await edit(house, RESULT_ID, {"edits": edits})
    sent = house.service.engravings[-1].render.corrections.edits
    assert [message.WhichOneof("edit") for message in sent] == ["move", "chord", "pitch"]
    assert (sent[0].move.note, sent[0].move.steps) == ("vocals:1", -1)
    assert sent[2].pitch.spelling == pb.SPELLING_RAISED
    back = score["corrections"]["edits"]
    assert back[0] == edits[0]
    again = await edit(house, score["revision"], {"edits": [*back, edits[0]]})
    assert len(again["corrections"]["edits"]) == 4
    gone = await edit(house, again["revision"], {"as_heard": ["edits"]})
    assert "edits" not in gone["corrections"]


async def test_an_edit_that_changes_nothing_makes_no_revision(house: House) -> None:
    first = await edit(house, RESULT_ID, {"beat_scale": 2})
    again = await edit(house, first["revision"], {"beat_scale": 2.0})
    assert again["revision"] == first["revision"]


async def test_a_revision_that_the_service_lost_gives_way_to_the_links(house: House) -> None:
    changed = await edit(house, RESULT_ID, {"beat_scale": 2})
    house.service.expired.add(changed["revision"])
    status, score = await house.get("score")
    assert (status, score["revision"]) == (200, RESULT_ID)
    await edit(house, RESULT_ID, {"beat_scale": 0.5})
    house.service.expired.add(RESULT_ID)
    house.service.expired.add((await house.get("score"))[1]["revision"])
    assert (await house.get("score"))[0] == 410


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff", b"{}",
        b'{"revision":7,"corrections":{}}',
        b'{"revision":"","corrections":{}}',
        b'{"revision":"' + b"a" * 44 + b'","corrections":{}}',
        b'{"revision":"a","corrections":{},"more":1}',
        b'{"revision":"a","corrections":{"edits":[{"kind":"sing","note":"a:1"}]}}',
        b'{"revision":"a","corrections":{"edits":[{"note":"a:1"}]}}',
        b'{"revision":"a","corrections":{"edits":[{"kind":"move","note":"a:1","steps":1.5}]}}',
        b'{"revision":"a","corrections":{"edits":[{"kind":"move","note":"a:1","x":1}]}}',
        b'{"revision":"a","width":"390"}',
        b'{"revision":"a","transpose":1.5}',
        b'{"revision":"a","adjustments":{"bar_shift":{"count":1,"unit":"parsec"}}}',
        b'{"revision":"a","corrections":[]}',
        b'{"revision":"a","corrections":{"tempo":3}}',
        b'{"revision":"a","corrections":{"beat_scale":"2"}}',
        b'{"revision":"a","corrections":{"beat_scale":NaN}}',
        b'{"revision":"a","corrections":{"beat_scale":1e999}}',
        b'{"revision":"a","corrections":{"key":{"tonic":"A","mode":"dorian"}}}',
        b'{"revision":"a","corrections":{"parts":[{"left_out":true}]}}',
        b'{"revision":"a","corrections":{"parts":[{"id":"p","clef":"bass","colour":"red"}]}}',
    ],
)  # fmt: skip
async def test_a_body_that_is_not_as_agreed_is_refused(house: House, body: bytes) -> None:
    headers = {**house.headers(), "Content-Type": "application/json"}
    async with house.web.post("api/edits", data=body, headers=headers) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"] == "INVALID_REQUEST"
    assert not house.service.engravings


@pytest.mark.parametrize(
    "corrections",
    [
        {"bars": {"first": 10**30, "last": 10**30}},
        {"bars": {"first": -1, "last": 2}},
        {"parts": [{"id": "vocals", "program": 2**40}]},
        {"edits": [{"kind": "pitch", "note": "vocals:1", "pitch": -1}]},
        {"edits": [{"kind": "move", "note": "vocals:1", "steps": 2**40}]},
    ],
)
async def test_a_number_that_cannot_be_sent_is_refused(house: House, corrections: Any) -> None:
    body = {"revision": RESULT_ID, "corrections": corrections}
    status, answer = await house.post("edits", body)
    assert status == 422
    assert answer["error"] == (
        "INVALID_CORRECTIONS" if "edits" in corrections else "INVALID_REQUEST"
    )
    assert not house.service.engravings


async def test_half_a_character_is_refused(house: House) -> None:
    body = b'{"revision":"%s","corrections":{"time_signature":"\\ud800"}}' % RESULT_ID.encode()
    headers = {**house.headers(), "Content-Type": "application/json"}
    async with house.web.post("api/edits", data=body, headers=headers) as answer:
        assert answer.status == 422


async def test_too_long_a_body_is_refused_before_it_is_read(house: House) -> None:
    edits = b'{"revision":"' + RESULT_ID.encode() + b'","corrections":{"x":"' + b"a" * 10_000_000
    headers = {**house.headers(), "Content-Type": "application/json"}
    async with house.web.post("api/edits", data=edits, headers=headers) as answer:
        assert answer.status == 413
        body = await answer.json()
        assert body["error"] == "BODY_TOO_LARGE"
        assert "0.3" in body["text"]

    async def unannounced() -> Any:
        for start in range(0, len(edits), 65536):
            yield edits[start : start + 65536]

    async with house.web.post("api/edits", data=unannounced(), headers=headers) as answer:
        assert answer.status == 413
    packed = {**headers, "Content-Encoding": "gzip"}
    async with house.web.post("api/edits", data=b"\x1f\x8b", headers=packed) as answer:
        assert answer.status in {400, 422}
    assert MAX_BODY_BYTES < 1_000_000
    assert (await house.get("score"))[0] == 200


async def test_a_body_in_another_form_is_refused(house: House) -> None:
    async with house.web.post("api/edits", data={"a": "b"}, headers=house.headers()) as answer:
        assert answer.status == 422


async def test_errors_of_the_service_are_told(house: House) -> None:
    for code, status in (
        ("INVALID_CORRECTIONS", 422),
        ("INVALID_OPTIONS", 422),
        ("QUEUE_FULL", 503),
        ("SOMETHING_NEW", 500),
    ):
        house.service.refusal = RefusalError(3, code, retry_after_s=7)
        body = {"revision": RESULT_ID, "corrections": {"beat_scale": 2}}
        got, answer = await house.post("edits", body)
        assert (got, answer["error"]) == (status, code)
        assert answer["text"]
    house.service.refusal = RefusalError(3, "INVALID_CORRECTIONS", correction="edits")
    body = {"revision": RESULT_ID, "corrections": {"edits": [{"kind": "join", "note": "a:1"}]}}
    assert "to tie it to" in (await house.post("edits", body))[1]["text"]
    house.service.refusal = None
    assert (await house.get("score"))[1]["revision"] == RESULT_ID


async def test_a_link_has_a_few_requests_at_once(house: House) -> None:
    house.service.hold = asyncio.Event()
    asked = [asyncio.create_task(house.get("score")) for _ in range(MAX_WAITING_OF_LINK + 6)]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert done.pop().result()[1]["error"] == "PAGE_BUSY"
    others = asyncio.create_task(house.get("score", house.token(result_id="b" * 12)))
    house.service.hold.set()
    assert (await others)[0] == 200
    statuses = [status for status, _ in await asyncio.gather(*asked)]
    assert statuses.count(200) == MAX_WAITING_OF_LINK + 1


async def test_a_score_is_sent_to_its_chat(house: House) -> None:
    token = house.token(chat_id=GROUP, thread_id=5, title="Song & <b>", language="ru")
    body = {"revision": RESULT_ID, "corrections": {"beat_scale": 2}}
    _, score = await house.post("edits", body, token)
    status, _ = await house.post(
        "send", {"revision": score["revision"]}, token, view="piano", transpose=1
    )
    assert status == 202
    page = await house.session.wait_for(SendPhoto)
    await house.session.wait_for(SendMediaGroup)
    for request in house.service.renders:
        assert request.result_id == score["revision"]
        assert (request.render.view, request.render.transpose_semitones) == (pb.VIEW_PIANO, 1)
        assert request.render.language == "ru"
    assert (page.chat_id, page.message_thread_id) == (GROUP, 5)
    assert (page.caption or "").startswith("<b>Song &amp; &lt;b&gt;</b>")
    [button] = opening(page)
    assert house.practice.invitations is not None
    link = house.practice.invitations.signer.read(token_of(button))
    assert (link.shown.result_id, link.chat_id, link.thread_id) == (score["revision"], GROUP, 5)


async def test_one_score_is_sent_at_a_time_and_not_often(house: House) -> None:
    gate = asyncio.Event()
    render = house.service.render

    async def slow(request: pb.RenderRequest) -> Any:
        await gate.wait()
        async for event in render(request):
            yield event

    house.service.render = slow
    assert (await house.post("send", {"revision": RESULT_ID}))[0] == 202
    status, body = await house.post("send", {"revision": RESULT_ID})
    assert (status, body["error"]) == (429, "TOO_MANY_JOBS")
    gate.set()
    await house.session.wait_for(SendMediaGroup)
    await asyncio.sleep(0.05)
    assert (await house.post("send", {"revision": RESULT_ID}))[0] == 202
    status, body = await house.post("send", {"revision": RESULT_ID})
    assert (status, body["error"]) == (429, "TOO_MANY_REQUESTS")


async def test_a_score_that_cannot_be_sent_is_explained_in_the_chat(house: House) -> None:
    async def fail(request: pb.RenderRequest) -> Any:
        raise RefusalError(5, "RESULT_EXPIRED")
        yield

    house.service.render = fail
    assert (await house.post("send", {"revision": RESULT_ID}))[0] == 202
    said = await house.session.wait_for(SendMessage)
    assert "forgotten" in text_of(said)


async def test_a_chat_that_shut_the_bot_out_hears_nothing(house: House) -> None:
    refused = TelegramForbiddenError(SendPhoto(chat_id=ANN, photo="x"), "Forbidden: blocked")
    house.session.failures[SendPhoto].append(refused)
    assert (await house.post("send", {"revision": RESULT_ID}))[0] == 202
    await house.session.wait_for(SendPhoto)
    await asyncio.sleep(0.05)
    assert not house.session.sent(SendMessage)


async def test_the_address_for_any_browser(house: House) -> None:
    token = house.token(in_telegram=True)
    status, body = await house.get("link", token, house.init_data())
    assert status == 200
    other = body["link"].partition("#link=")[2]
    assert body["link"] == f"{PUBLIC}practice/#link={other}"
    assert (await house.get("score", other))[0] == 200

    assert (await house.post("link", {}))[0] == 202
    [said] = house.session.sent(SendMessage)
    assert said.chat_id == ANN
    assert "“Song”" in text_of(said)
    [button] = opening(said)
    assert (await house.get("score", token_of(button)))[0] == 200
    failure = TelegramServerError(SendMessage(chat_id=ANN, text="x"), "HTTP 502")
    house.session.failures[SendMessage].append(failure)
    status, body = await house.post("link", {})
    assert (status, body["error"]) == (502, "DELIVERY_FAILED")


async def test_sounds_are_passed_on(house: House) -> None:
    async with house.web.get("api/sounds/recording", headers=house.headers()) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "audio/ogg"
        assert answer.headers["Vary"] == "Authorization"
        assert answer.headers["Cache-Control"] == "private, max-age=86400"
        assert answer.content_length == len(RECORDING)
        assert await answer.read() == RECORDING
    assert house.service.fetched[0].result_id == RESULT_ID
    assert house.service.fetched[0].encoding == ppb.SOUND_ENCODING_UNSPECIFIED
    house.service.refusal = RefusalError(5, "SOUND_UNAVAILABLE")
    status, body = await house.get("sounds/drums")
    assert (status, body["error"]) == (404, "SOUND_UNAVAILABLE")
    for name in ("a/b", "..", "x" * 61, "a b", "%00"):
        assert (await house.get(f"sounds/{name}"))[0] == 404
    assert len(house.service.fetched) == 2
    house.service.refusal = None
    path = "api/sounds/recording?encoding="
    async with house.web.get(path + "flac", headers=house.headers()) as answer:
        assert answer.status == 200
    assert house.service.fetched[-1].encoding == ppb.SOUND_ENCODING_FLAC
    async with house.web.get(path + "exe", headers=house.headers()) as answer:
        assert answer.status == 422


async def test_a_link_has_one_sound_converted_at_a_time(house: House) -> None:
    house.service.hold = asyncio.Event()

    async def fetch(encoding: str) -> int:
        path = f"api/sounds/recording?encoding={encoding}"
        async with house.web.get(path, headers=house.headers()) as answer:
            await answer.read()
            return answer.status

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fetch(name)) for name in ("flac", "flac", "opus", "opus")]
        while len(house.service.fetched) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        wanted = sorted(request.encoding for request in house.service.fetched)
        assert wanted == [ppb.SOUND_ENCODING_UNSPECIFIED] * 2 + [ppb.SOUND_ENCODING_FLAC]
        house.service.hold.set()
    assert [task.result() for task in tasks] == [200] * 4


async def test_a_sound_that_breaks_off_is_not_taken_for_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Desk.fetch_sound

    async def breaking(self: Desk, *arguments: Any) -> AsyncIterator[Any]:
        pieces = fetch(self, *arguments)
        yield await anext(pieces)
        yield await anext(pieces)
        raise ServiceError(BotErrorCode.SERVICE_LOST)

    monkeypatch.setattr(Desk, "fetch_sound", breaking)
    for call in ("sounds/vocals", "save"):
        with pytest.raises(aiohttp.ClientError):
            async with house.web.get(f"api/{call}", headers=house.headers()) as answer:
                await answer.read()
    assert (await house.get("score"))[0] == 200


async def test_a_file_to_take_along_has_everything_in_it(house: House) -> None:
    token = house.token(title=MARKUP + "/|?")
    query = {"sounds": "recording,vocals,none", "banks": "piano.sf3", "transpose": "2"}
    async with house.web.get("api/save", headers=house.headers(token), params=query) as answer:
        assert answer.status == 200
        kept = answer.headers["Content-Disposition"]
        assert kept.startswith("attachment")
        assert "<" not in kept.partition("filename*")[0]
        text = await answer.text()
    assert text.startswith("<!doctype html><body><script type=")
    assert text.endswith("<script>go()</script>")
    assert "alert(1)</script>" not in text
    elements = re.findall(r"<script type=\"([^\"]+)\" ([^>]+)>([^<]*)</script>", text)
    assert [attributes for _, attributes, _ in elements] == [
        'id="practice-score"',
        'data-sound="recording"',
        'data-sound="vocals"',
        'data-bank="piano.sf3"',
    ]
    score = json.loads(elements[0][2])
    assert score["title"] == MARKUP + "/|?"
    assert score["transpose"] == 2
    assert score["sounds"] == ["recording", "vocals"]
    assert not score["can_send"]
    assert base64.b64decode(elements[1][2], validate=True) == RECORDING
    assert base64.b64decode(elements[3][2], validate=True) == BANK


@pytest.mark.parametrize(
    "query", [{"banks": "other.sf3"}, {"banks": "../secret.txt"}, {"sounds": "a,,\x00"}]
)
async def test_a_file_is_made_of_what_there_is(house: House, query: dict[str, str]) -> None:
    status, body = await house.get("save", **query)
    assert (status, body["error"]) == (422, "INVALID_REQUEST")


async def test_titles_with_markup_stay_text(house: House) -> None:
    _, score = await house.get("score", house.token(title=MARKUP))
    assert score["title"] == MARKUP
    assert house.service.engravings[-1].render.title == MARKUP
