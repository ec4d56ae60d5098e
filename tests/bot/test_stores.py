"""What the bot must still know, in the file of one bot and in the server that several share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bot.coordination import CoordinationAwayError
from bot.latest import LatestPage
from bot.practice.links import LinkSigner
from bot.practice.store import Head
from bot.shared.state import SharedState
from bot.shared.stores import build_shared_stores
from bot.sources import AudioSource
from bot.stores import Stores, open_stores
from tests.bot.practice.test_links import sign
from tests.bot.test_latest import SHOWN, UNDO, _markup
from tests.valkey_server import ValkeyServer

ANN, BOB = 7, 8
YEAR_S = 365 * 86_400.0

Open = Callable[[], Stores]
"""Opens the stores, as another bot or after a restart."""


@pytest.fixture(params=["file", "server"])
async def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Each kind of store."""
    if request.param == "file":
        with ExitStack() as stack:
            yield lambda: stack.enter_context(open_stores(tmp_path / "bot.sqlite3"))
        return
    states: list[SharedState] = []
    url = request.getfixturevalue("valkey").url

    def build() -> Stores:
        states.append(SharedState(url))
        return build_shared_stores(states[-1], YEAR_S)

    yield build
    for state in states:
        await state.close()


@pytest.fixture
def signer() -> LinkSigner:
    """Signs links."""
    return LinkSigner("1:token", b"s" * 32, YEAR_S)


async def test_languages(open_again: Open) -> None:
    languages = open_again().languages
    await languages.choose(ANN, "ru")
    await languages.choose(BOB, "en")
    await languages.choose(BOB, "ru")
    await languages.forget(ANN)
    languages = open_again().languages
    assert [await languages.get(user_id) for user_id in (ANN, BOB, 9)] == [None, "ru", None]


async def test_pages(open_again: Open) -> None:
    pages = open_again().pages
    assert await pages.find(ANN) is None
    await pages.note(ANN, 100, _markup(SHOWN), "Lied <3")
    await pages.note(ANN, 100, _markup(SHOWN, UNDO), None)
    await pages.note(ANN, 101, _markup("x:job"), "Status")
    await pages.note(BOB, 102, _markup(SHOWN), None)
    pages = open_again().pages
    assert await pages.find(ANN) == LatestPage(SHOWN, UNDO, "Lied <3")
    assert await pages.find(BOB) == LatestPage(SHOWN, None, "")
    await pages.forget(ANN)
    assert await pages.find(ANN) is None
    assert await pages.find(BOB) is not None


async def test_recordings(open_again: Open) -> None:
    recordings = open_again().recordings
    first = AudioSource("file 1", "Lied", 5, None)
    second = AudioSource("file 2", "", None, 1.5)
    for key, source in {f"{ANN}.1": first, "result": first, f"{BOB}.1": second}.items():
        await recordings.note(key, source)
    recordings = open_again().recordings
    assert await recordings.find("result") == await recordings.find(f"{ANN}.1") == first
    assert await recordings.find(f"{BOB}.1") == second
    await recordings.forget(ANN)
    assert await recordings.find("result") is await recordings.find(f"{ANN}.1") is None
    assert await recordings.find(f"{BOB}.1") == second, "that of another"


async def test_results(open_again: Open) -> None:
    results = open_again().results
    for result_id, chat_id in {"a": ANN, "b": ANN, "c": BOB}.items():
        await results.note(result_id, chat_id)
    results = open_again().results
    assert sorted(await results.list(ANN)) == ["a", "b"]
    await results.forget(ANN)
    assert await results.list(ANN) == ()
    assert await results.list(BOB) == ("c",)


async def test_heads(open_again: Open, signer: LinkSigner) -> None:
    link = signer.read(sign(signer))
    elsewhere = replace(link, chat_id=-5)
    heads = open_again().heads
    assert await heads.find(link) == Head(link.shown.result_id)
    await heads.note(link, Head("b" * 12, tuple(f"{n:012d}" for n in range(100))))
    await heads.note(elsewhere, Head("c" * 12))
    heads = open_again().heads
    found = await heads.find(link)
    assert found.revision == "b" * 12
    assert (len(found.undone), found.undone[-1]) == (64, "000000000099")
    await heads.forget(link.chat_id)
    assert await heads.find(link) == Head(link.shown.result_id)
    assert await heads.find(elsewhere) == Head("c" * 12)
    await heads.drop(elsewhere)
    assert await heads.find(elsewhere) == Head(link.shown.result_id)


async def test_links(open_again: Open, signer: LinkSigner) -> None:
    old = signer.read(sign(signer))
    stores = open_again()
    assert not await stores.revocations.is_revoked(old)
    await stores.revocations.revoke(old.person_id, old.issued_ms)
    again = open_again()
    assert await again.revocations.is_revoked(old)
    assert not await again.revocations.is_revoked(replace(old, issued_ms=old.issued_ms + 1))
    assert not await again.revocations.is_revoked(replace(old, person_id=old.person_id + 1))
    assert await again.secret.get() == await stores.secret.get()


async def test_without_the_server_a_bot_does_without_what_it_can(
    valkey: ValkeyServer, signer: LinkSigner
) -> None:
    state = SharedState(valkey.url)
    stores = build_shared_stores(state, YEAR_S)
    await stores.languages.choose(ANN, "ru")
    valkey.stop()
    link = signer.read(sign(signer))
    assert await stores.languages.get(ANN) is None
    assert await stores.pages.find(ANN) is None
    assert await stores.recordings.find("result") is None
    await stores.pages.note(ANN, 100, _markup(SHOWN), "")
    await stores.recordings.note("result", AudioSource("file", "", None, None))
    await stores.results.note("result", ANN)
    for needed in (
        stores.languages.forget(ANN),
        stores.recordings.forget(ANN),
        stores.results.list(ANN),
        stores.heads.find(link),
        stores.revocations.is_revoked(link),
        stores.secret.get(),
    ):
        with pytest.raises(CoordinationAwayError):
            await needed
    await state.close()
