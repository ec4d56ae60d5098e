"""``make cluster-test``: people send and cancel recordings while things are killed.

Two bots behind a webhook, two services, and replicas on a Ray cluster share a Valkey and a bucket.
The stages are the small ones of the tests; everything else is what a cluster runs. In the end,
every Ray on this machine is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import time
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from tests.bot.botapi import FakeTelegram, Shown
from tests.cluster.fleet import Fleet
from tests.s3 import run_s3
from tests.valkey_server import ValkeyServer

pytestmark = pytest.mark.cluster

JOBS = int(os.environ.get("NOTABOT_FLEET_JOBS", "200"))
AT_ONCE = 12
KILL_EVERY_S = float(os.environ.get("NOTABOT_FLEET_KILL_S", "5"))
ALONE = 10
"""Recordings that a single service hears too."""
CANCELLED = 10
"""The person of every tenth recording taps "Cancel"."""
TAP_AGAIN_S = 2.0
CANCEL_LIMIT_S = 60.0
"""Long enough for a killed bot to be missed, and for another one to take its job up."""
QUIET_S = 2.0
LIMIT_S = 300.0
"""For one recording, with whatever is killed meanwhile."""


def record(number: int) -> bytes:
    """Return four tones that no other number has: a WAV file."""
    rate_hz = 44_100
    pitches = [48 + number % 24, 60 + number // 24, 55, 72]
    time_s = np.arange(rate_hz // 2) / rate_hz
    tones = [np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s) for pitch in pitches]
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        target.writeframes((np.concatenate(tones) * 12_000).astype("<i2").tobytes())
    return file.getvalue()


@dataclass
class Outcome:
    """What became of the recordings.

    Attributes
    ----------
    pages : dict
        Digest of the first page, by the number of the recording.
    lost : dict
        What the chat shows of each recording whose score did not come, by its number.
    repeated : list of int
        Recordings of which something came twice.
    waits_s : list of float
        From a recording to its buttons.
    cancels_s : list of float
        From the first tap on "Cancel" to its confirmation.
    unheeded : list of int
        Recordings of which something came after a cancel was confirmed.
    unconfirmed : list of int
        Recordings whose person tapped for long, and of which nothing more was said.
    too_late : list of int
        Recordings whose score was there before the cancel.
    """

    pages: dict[int, str] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    repeated: list[int] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    cancels_s: list[float] = field(default_factory=list)
    unheeded: list[int] = field(default_factory=list)
    unconfirmed: list[int] = field(default_factory=list)
    too_late: list[int] = field(default_factory=list)


async def send_all(
    fleet: Fleet, telegram: FakeTelegram, numbers: range, cancelled: int = 0
) -> Outcome:
    """Let a person each send a recording, some at a time, and wait for what comes.

    With ``cancelled``, the person of each recording whose number it divides taps "Cancel".
    """
    outcome = Outcome()
    places = asyncio.Semaphore(AT_ONCE)

    async def cancel(web: aiohttp.ClientSession, number: int) -> bool:
        """Tap until it is confirmed; False if the score was there before."""
        chat = 10_000 + number
        offers = partial(_find_offers, telegram, chat)

        def is_confirmed() -> bool:
            return any(shown.text == "Cancelled." for shown in telegram.shown(chat))

        await telegram.wait_for(lambda: offers() or telegram.controls(chat), LIMIT_S)
        start_s = time.monotonic()
        while not (is_confirmed() or telegram.controls(chat)):
            if offers():  # a bot that was killed has left one that leads nowhere
                await telegram.press(offers()[-1], "Cancel")
                await fleet.deliver(web, telegram.history[-1], number)
            with contextlib.suppress(TimeoutError):
                await telegram.wait_for(
                    lambda: is_confirmed() or telegram.controls(chat), TAP_AGAIN_S
                )
            if time.monotonic() - start_s > CANCEL_LIMIT_S:
                outcome.unconfirmed.append(number)
                return True
        if not is_confirmed():
            return False
        outcome.cancels_s.append(time.monotonic() - start_s)
        return True

    async def send(web: aiohttp.ClientSession, number: int) -> None:
        chat = 10_000 + number
        async with places:
            start_s = time.monotonic()
            await telegram.send_voice(chat, record(number))
            await fleet.deliver(web, telegram.find_update(chat), number)
            if cancelled and number % cancelled == 0:
                if await cancel(web, number):
                    await asyncio.sleep(QUIET_S)
                    if telegram.scores(chat) or telegram.controls(chat):
                        outcome.unheeded.append(number)
                    return
                outcome.too_late.append(number)
            try:
                await telegram.wait_for(lambda: telegram.controls(chat), LIMIT_S)
            except TimeoutError:
                outcome.lost[number] = " | ".join(m.text for m in telegram.shown(chat))
                return
            outcome.waits_s.append(time.monotonic() - start_s)
        await asyncio.sleep(QUIET_S)  # whatever comes twice comes now
        pages = telegram.scores(chat)
        if len(pages) > 1 or len(telegram.controls(chat)) > 1:
            outcome.repeated.append(number)
        if pages:
            outcome.pages[number] = pages[0].digest

    async with aiohttp.ClientSession() as web:
        await asyncio.gather(*(send(web, number) for number in numbers))
    return outcome


def _find_offers(telegram: FakeTelegram, chat: int) -> list[Shown]:
    """Return the messages of a chat that have a button to cancel."""
    return [shown for shown in telegram.shown(chat) if "Cancel" in shown.buttons]


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    """The Bot API over HTTP."""
    async with FakeTelegram().serve() as fake:
        yield fake


async def test_nothing_is_lost_and_all_is_as_from_one_service(
    tmp_path: Path, telegram: FakeTelegram, valkey: ValkeyServer
) -> None:
    (tmp_path / "alone").mkdir()
    alone = Fleet(tmp_path / "alone", telegram, "", {})
    try:
        await alone.start()
        expected = await send_all(alone, telegram, range(ALONE))
    finally:
        await alone.stop()
    telegram.messages.clear()

    with run_s3() as bucket:
        fleet = Fleet(tmp_path, telegram, valkey.url, bucket)
        try:
            await fleet.start()
            async with fleet.killing(KILL_EVERY_S, seed=21):
                start_s = time.monotonic()
                outcome = await send_all(fleet, telegram, range(JOBS), CANCELLED)
                took_s = time.monotonic() - start_s
        finally:
            await fleet.stop()
    print(
        f"\n{JOBS} recordings in {took_s:.0f} s, killed {dict(fleet.kills)}: "
        f"{len(outcome.lost)} lost, {len(outcome.repeated)} delivered twice; "
        f"heard {fleet.count_logged('transcription_began')} times; "
        f"median wait {np.median(outcome.waits_s):.1f} s, longest {max(outcome.waits_s):.1f} s"
    )
    in_time = sum(seconds <= 1.0 for seconds in outcome.cancels_s)
    print(
        f"cancelled {len(outcome.cancels_s)}, {in_time} confirmed within 1 s, "
        f"longest {max(outcome.cancels_s, default=0.0):.1f} s; "
        f"{len(outcome.unconfirmed)} never confirmed, "
        f"{len(outcome.too_late)} tapped too late, {len(outcome.unheeded)} delivered all the same"
    )
    assert outcome.lost == {}
    assert outcome.unheeded == []
    assert outcome.unconfirmed == []
    assert outcome.cancels_s or outcome.too_late
    assert outcome.repeated == []
    assert len(expected.pages) == ALONE
    seen = {number: page for number, page in expected.pages.items() if number in outcome.pages}
    assert {number: outcome.pages[number] for number in seen} == seen
    assert len(seen) >= ALONE - 1, "one of them may be cancelled"
