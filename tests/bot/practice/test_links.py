"""Signed links."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from bot.buttons import RenderButton
from bot.practice.links import MAX_TITLE_BYTES, MAX_TOKEN_CHARS, LinkError, LinkSigner
from bot.practice.store import Head, SqliteHeads, SqliteRevocations, SqliteSecret
from tests.bot.telegram import TOKEN

SECRET = bytes(range(32))
SHOWN = RenderButton(result_id="0123456789ab", view_code="Ls", transpose_semitones=-3)
NOW_S = 1_800_000_000.25


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> LinkSigner:
    return LinkSigner(TOKEN, SECRET, 3600, clock)


def sign(signer: LinkSigner, **changes: object) -> str:
    about = {"person_id": 7, "chat_id": 7, "language": "ru", **changes}
    return signer.sign(SHOWN, "Песня", **about)  # type: ignore[arg-type]


def test_a_link_says_what_it_was_made_of(signer: LinkSigner) -> None:
    token = sign(signer, chat_id=-100_1234567890, thread_id=9, in_telegram=True)
    link = signer.read(token)
    assert (link.shown, link.title, link.language) == (SHOWN, "Песня", "ru")
    assert (link.person_id, link.chat_id, link.thread_id) == (7, -100_1234567890, 9)
    assert link.in_telegram
    assert not link.is_private
    assert (link.issued_ms, link.expires_ms) == (1_800_000_000_250, 1_800_003_600_250)
    assert link.key == "-1001234567890:0123456789ab"
    assert len(token) < 130


def test_a_title_is_cut_between_characters(signer: LinkSigner) -> None:
    token = signer.sign(SHOWN, "é" * 500, person_id=1, chat_id=1, language="en")
    assert signer.read(token).title == "é" * (MAX_TITLE_BYTES // 2)
    token = signer.sign(SHOWN, "a" + "ё" * 500, person_id=1, chat_id=1, language="en")
    assert signer.read(token).title == "a" + "ё" * (MAX_TITLE_BYTES // 2 - 1)
    assert len(token) < MAX_TOKEN_CHARS
    broken = signer.sign(SHOWN, "\ud800<b>", person_id=1, chat_id=1, language="en")
    assert signer.read(broken).title == "?<b>"


def test_every_changed_bit_is_noticed(signer: LinkSigner) -> None:
    token = sign(signer)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(LinkError):
            signer.read(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    for length in range(len(token)):
        with pytest.raises(LinkError):
            signer.read(token[:length])


@pytest.mark.parametrize(
    "token",
    ["", "=", "====", "a", "ä" * 40, "A" * 100_000, "\x00", "../..", "e30.e30.e30", "A" * 64],
)
def test_what_is_no_token_is_refused(signer: LinkSigner, token: str) -> None:
    with pytest.raises(LinkError):
        signer.read(token)


def test_a_link_expires(signer: LinkSigner, clock: Clock) -> None:
    token = sign(signer)
    clock.now_s = NOW_S + 3599
    signer.read(token)
    for now_s in (NOW_S + 3600, NOW_S - 1):
        clock.now_s = now_s
        with pytest.raises(LinkError, match="expired"):
            signer.read(token)


def test_another_bot_and_another_file_sign_otherwise(signer: LinkSigner, clock: Clock) -> None:
    for other in (
        LinkSigner(TOKEN + "x", SECRET, 3600, clock),
        LinkSigner(TOKEN, bytes(32), 3600, clock),
    ):
        with pytest.raises(LinkError, match="not signed"):
            other.read(sign(signer))


async def test_the_secret_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    with SqliteSecret(path) as secret:
        made = await secret.get()
    with SqliteSecret(path) as secret:
        assert await secret.get() == made
    with SqliteSecret() as other:
        assert await other.get() != made


async def test_forgetting_revokes_what_was_issued_before(signer: LinkSigner, clock: Clock) -> None:
    old, others = signer.read(sign(signer)), signer.read(sign(signer, person_id=8))
    clock.now_s += 1
    new = signer.read(sign(signer))
    with SqliteRevocations() as revocations:
        assert not await revocations.is_revoked(old)
        await revocations.revoke(7, old.issued_ms)
        assert await revocations.is_revoked(old)
        assert not await revocations.is_revoked(new)
        assert not await revocations.is_revoked(others)


async def test_heads_are_kept_for_each_chat(tmp_path: Path, signer: LinkSigner) -> None:
    link = signer.read(sign(signer))
    elsewhere = replace(link, chat_id=-5)
    path = tmp_path / "bot.sqlite3"
    with SqliteHeads(path) as heads:
        assert await heads.find(link) == Head("0123456789ab")
        await heads.note(link, Head("b" * 12, tuple(f"{n:012d}" for n in range(100))))
        await heads.note(elsewhere, Head("c" * 12))
    with SqliteHeads(path) as heads:
        found = await heads.find(link)
        assert found.revision == "b" * 12
        assert (len(found.undone), found.undone[-1]) == (64, "000000000099")
        await heads.forget(7)
        assert (await heads.find(link)).revision == "0123456789ab"
        assert (await heads.find(elsewhere)).revision == "c" * 12
        await heads.drop(elsewhere)
        assert (await heads.find(elsewhere)).revision == "0123456789ab"
