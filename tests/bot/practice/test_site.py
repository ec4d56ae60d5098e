"""The server of the practice page: what it serves, to whom, and how often."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from bot.practice.built import Built
from bot.practice.site import ADDRESS_RATE, PracticeSite
from tests.bot.practice.conftest import ANN, BOB, GROUP, House, build_house
from tests.bot.service import FakeService


async def test_the_page_and_its_files_are_served(house: House) -> None:
    async with house.web.get("") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';")
        assert "unsafe-inline" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers
    async with house.web.get("assets/app-0123abcd.js") as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert await answer.read() == b"go()"
    async with house.web.get("assets/clock.json") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
        etag = answer.headers["ETag"]
    async with house.web.get("assets/clock.json", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with house.web.get("soundbank/piano.sf3") as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"


async def test_an_address_without_a_slash_leads_to_the_page(house: House) -> None:
    async with aiohttp.ClientSession() as browser:
        async with browser.get(house.url[:-1], allow_redirects=False) as answer:
            assert answer.status == 308
            assert answer.headers["Location"] == "practice/"
        async with browser.get(house.url[:-1]) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "secret.txt",
        "offline.html",
        "assets/",
        "assets/nothing.js",
        "assets/../secret.txt",
        "assets/%2e%2e/secret.txt",
        "assets/..%2fsecret.txt",
        "soundbank/..%5c..%5csecret.txt",
        "assets//etc/passwd",
        "assets/%00",
        "api",
        "api/",
        "..%2f..%2fetc%2fpasswd",
    ],
)
async def test_nothing_else_is_served(house: House, path: str) -> None:
    parts = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET /practice/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in {b"400", b"404"}, head
    assert b"not for browsers" not in answer
    assert b"Traceback" not in answer
    if head.split()[1] == b"404":
        assert b"Content-Security-Policy" in head
        assert json.loads(body)["error"] == "NOT_FOUND"


async def test_a_call_that_does_not_exist_is_refused(house: House) -> None:
    assert (await house.get("nothing"))[0] == 404
    assert (await house.get("edits"))[0] == 404
    assert (await house.post("score", {}))[0] == 404
    assert (await house.get("sounds/../score"))[1]["revision"], "the client resolves this itself"
    async with house.web.options("api/score", headers=house.headers()) as answer:
        assert answer.status == 404
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_link_lets_in_and_nothing_else_does(house: House) -> None:
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Practice "},
        {"Authorization": f"Bearer {house.token()}"},
        {"Authorization": f"Practice {house.token()}x"},
        {"X-Telegram-Init-Data": house.init_data()},
    ):
        async with house.web.get("api/score", headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"] == "LINK_INVALID"
            assert answer.headers["Cache-Control"] == "no-store"
    async with house.web.get("api/score", params={"token": house.token()}) as answer:
        assert answer.status == 401, "a token in an address is no token"
    assert not house.service.engravings
    assert (await house.get("score"))[0] == 200


async def test_telegrams_word_is_checked(house: House) -> None:
    for init_data in (
        "",
        "hash=1",
        house.init_data(now_s=1e9),
        house.init_data(token="1:another"),
        house.init_data().replace("AAF", "BBF"),
    ):
        assert (await house.get("score", init_data=init_data))[0] == 401, init_data
    status, body = await house.get("score", init_data=house.init_data(BOB))
    assert (status, body["error"]) == (403, "LINK_NOT_YOURS")
    assert not house.service.engravings
    assert (await house.get("score", init_data=house.init_data(ANN)))[0] == 200


async def test_the_link_of_a_mini_app_is_of_no_use_elsewhere(house: House) -> None:
    token = house.token(in_telegram=True)
    assert (await house.get("score", token))[0] == 401
    assert (await house.get("score", token, house.init_data(BOB)))[0] == 403
    assert (await house.get("score", token, house.init_data(ANN)))[0] == 200


async def test_the_link_of_a_group_is_everyones_in_it(house: House) -> None:
    token = house.token(chat_id=GROUP)
    assert (await house.get("score", token))[0] == 200
    assert (await house.get("score", token, house.init_data(BOB)))[0] == 200
    assert (await house.get("score", token, "forged"))[0] == 401


async def test_errors_are_told_in_the_readers_language(house: House) -> None:
    async with house.web.get("api/score", headers={"Accept-Language": "ru-RU,ru"}) as answer:
        assert (await answer.json())["text"].startswith("Эта ссылка больше не действует")
    house.service.expired.add("0123456789ab")
    status, body = await house.get("score", house.token(language="ru"))
    assert (status, body["error"]) == (410, "RESULT_EXPIRED")
    assert body["text"].startswith("Эти ноты сервис уже забыл")
    assert (await house.get("score", language="en"))[1]["text"].startswith("The service")


async def test_who_asks_too_often_is_refused_while_others_are_answered(
    service: tuple[FakeService, str], built: Built
) -> None:
    async with build_house(service, built, proxies=1) as house:
        headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}

        async def ask() -> tuple[int, str]:
            async with house.web.get("assets/clock.json", headers=headers) as answer:
                return answer.status, answer.headers.get("Retry-After", "")

        answers = await asyncio.gather(*(ask() for _ in range(int(ADDRESS_RATE.burst) + 100)))
        refused = [wait for status, wait in answers if status == 429]
        assert 50 < len(refused) <= 100
        assert refused[0] == "1"
        for address in ("198.51.100.8", "2001:db8::1", "198.51.100.7, 198.51.100.8"):
            other = {"X-Forwarded-For": address}
            async with house.web.get("assets/clock.json", headers=other) as answer:
                assert answer.status == 200


async def test_one_link_asks_only_so_often(house: House) -> None:
    answers = await asyncio.gather(*(house.get("link") for _ in range(60)))
    refused = [body for status, body in answers if status == 429]
    assert 15 <= len(refused) <= 20
    assert refused[0]["error"] == "TOO_MANY_REQUESTS"
    assert (await house.get("link", house.token(result_id="b" * 12)))[0] == 200


async def test_guessing_at_links_is_slow(house: House) -> None:
    answers = await asyncio.gather(*(house.get("score", "A" * 120) for _ in range(40)))
    assert [status for status, _ in answers].count(401) == 20
    assert [status for status, _ in answers].count(429) == 20
    assert (await house.get("score"))[0] == 200, "a link that is good still is"


async def test_the_page_waits_for_a_bot_that_starts(built: Built, house: House) -> None:
    assert house.practice.site is not None
    house.practice.site.close()
    status, body = await house.get("score")
    assert (status, body["error"]) == (503, "NOT_READY")


async def test_a_fault_of_ours_tells_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("424242:secret")

    monkeypatch.setattr("bot.practice.api.read_display", fail)
    status, body = await house.get("score")
    assert (status, body["error"]) == (500, "INTERNAL")
    assert "secret" not in body["text"]


async def test_it_is_mounted_beside_other_routes(built: Built, house: House) -> None:
    async def hook(request: web.Request) -> web.Response:
        return web.Response(text="hook")

    application = web.Application()
    application.router.add_get("/hook", hook)
    assert house.practice.site is not None
    PracticeSite(house.practice.site._catalogues, built).mount(application)
    runner = web.AppRunner(application)
    await runner.setup()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with aiohttp.ClientSession(base) as browser:
            async with browser.get("/hook") as answer:
                assert await answer.text() == "hook"
                assert "Content-Security-Policy" not in answer.headers
            async with browser.get("/practice/") as answer:
                assert answer.status == 200
                assert "Content-Security-Policy" in answer.headers
        await runner.cleanup()
