"""Sheets in the protocol, and the screens that they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from notabot.v1 import practice_pb2

from inference_service.engine.service import Engraved
from inference_service.pipeline.options import Screen
from inference_service.server.convert.events import encode_result


def decode_screen(message: practice_pb2.Screen) -> Screen:
    """Read the screen that pages are for; zeros stand for the defaults.

    Raises
    ------
    InvalidOptions
        If a value is outside its range.
    """
    return Screen(message.width_px or Screen().width_px, message.staff_height_px or None)


def encode_engraved(engraved: Engraved) -> Iterator[practice_pb2.EngraveEvent]:
    """Write a sheet, then its pages."""
    pages = engraved.sheet.pages.pages
    yield practice_pb2.EngraveEvent(sheet=_encode_sheet(engraved))
    for svg in pages:
        yield practice_pb2.EngraveEvent(page=practice_pb2.SheetPage(svg=svg))


def _encode_sheet(engraved: Engraved) -> practice_pb2.Sheet:
    sheet = engraved.sheet
    result = encode_result(engraved.rendered)
    result.pages = len(sheet.pages.pages)
    return practice_pb2.Sheet(
        result=result,
        measures=[
            practice_pb2.SheetMeasure(
                number=str(measure.number),
                id=measure.id,
                page=measure.page,
                start=float(measure.start),
                end=float(measure.stop),
                fifths=measure.fifths,
            )
            for measure in sheet.measures
        ],
        notes=[
            practice_pb2.SheetNote(
                ids=note.ids,
                note=note.note,
                part=note.part,
                pitch=note.pitch,
                start=float(note.start),
                duration=float(note.duration),
                velocity=note.velocity,
            )
            for note in sheet.notes
        ],
        parts=[
            practice_pb2.SheetPart(
                id=part.id,
                name=part.name,
                program=part.program,
                is_drum=part.is_drum,
                staves=part.staves,
            )
            for part in sheet.parts
        ],
        clock=[
            practice_pb2.ClockPoint(quarters=quarters, time_s=time_s)
            for quarters, time_s in zip(sheet.clock.positions, sheet.clock.times_s, strict=True)
        ],
        chords=[
            practice_pb2.SheetChord(start=float(chord.start), text=chord.text)
            for chord in sheet.chords
        ],
        sounds=engraved.sounds,
        duration_s=engraved.rendered.transcription.duration_s,
        fonts=[
            practice_pb2.SheetFont(
                family=font.family,
                is_bold=font.is_bold,
                is_italic=font.is_italic,
                woff2=font.woff2,
            )
            for font in sheet.fonts
        ],
        glyphs=sheet.pages.glyphs,
    )
