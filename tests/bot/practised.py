"""The practice calls of the service double: an engraved page of four bars, and its recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from notabot.v1 import practice_pb2 as ppb
from notabot.v1 import practice_pb2_grpc
from notabot.v1 import transcription_pb2 as pb

RECORDING = b"OggS" + bytes(range(256)) * 800
"""Several pieces, of a length that is no multiple of three."""
PIECE_BYTES = 64 * 1024
SOUNDS = ("recording", "vocals")


def sheet(result: pb.Result) -> ppb.Sheet:
    """Four bars of 4/4 with a note each, in the transposition of the result."""
    bars = range(4)
    return ppb.Sheet(
        result=result,
        measures=[
            ppb.SheetMeasure(
                number=str(bar + 1),
                id=f"bar-{bar + 1}",
                page=1,
                start=4 * bar,
                end=4 * bar + 4,
                fifths=-1,
            )
            for bar in bars
        ],
        notes=[
            ppb.SheetNote(
                ids=[f"n{bar}"],
                note=f"vocals:{bar}",
                part="vocals",
                pitch=69 + result.render.transpose_semitones,
                start=4 * bar,
                duration=4,
                velocity=80,
            )
            for bar in bars
        ],
        parts=[ppb.SheetPart(id="vocals", name="Voice", program=0, staves=1)],
        clock=[ppb.ClockPoint(quarters=4 * bar, time_s=2.0 * bar) for bar in range(5)],
        chords=[ppb.SheetChord(start=0, text="Am")],
        sounds=SOUNDS,
        duration_s=8.0,
        glyphs="<svg><defs/></svg>",
        fonts=[ppb.SheetFont(family="Edwin", woff2=b"wOF2")],
    )


class FakePractice(practice_pb2_grpc.PracticeServicer):
    """``engravings`` are the requests that came; ``hold`` lets them wait for the test.

    A subclass says what results there are.
    """

    def __init__(self) -> None:
        self.engravings: list[ppb.EngraveRequest] = []
        self.fetched: list[ppb.FetchSoundRequest] = []
        self.expired: set[str] = set()
        self.refusal: Exception | None = None
        self.hold: asyncio.Event | None = None

    def described(self, render: pb.RenderOptions, result_id: str) -> pb.Result:
        """The result, corrected as the request says."""
        raise NotImplementedError

    async def refuse(self, context: Any, result_id: str) -> None:
        """End the call if the test says so, or if the result is gone."""
        raise NotImplementedError

    async def Engrave(  # noqa: N802
        self, request: ppb.EngraveRequest, context: Any
    ) -> AsyncIterator[ppb.EngraveEvent]:
        """A page."""
        self.engravings.append(request)
        if self.hold is not None:
            await self.hold.wait()
        await self.refuse(context, request.result_id)
        result = self.described(request.render, request.result_id)
        yield ppb.EngraveEvent(sheet=sheet(result))
        svg = f"<svg><text>{request.render.title.replace('<', '&lt;')}</text></svg>"
        yield ppb.EngraveEvent(page=ppb.SheetPage(svg=svg))

    async def FetchSound(  # noqa: N802
        self, request: ppb.FetchSoundRequest, context: Any
    ) -> AsyncIterator[ppb.SoundChunk]:
        """The recording, whatever the name."""
        self.fetched.append(request)
        if self.hold is not None:
            await self.hold.wait()
        await self.refuse(context, request.result_id)
        for start in range(0, len(RECORDING), PIECE_BYTES):
            yield ppb.SoundChunk(
                media_type="" if start else "audio/ogg",
                size_bytes=0 if start else len(RECORDING),
                data=RECORDING[start : start + PIECE_BYTES],
            )
