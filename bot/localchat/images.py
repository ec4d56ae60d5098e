"""The type and the dimensions of a picture, read from its header.

The limits of ``sendPhoto`` need no more. No pixels are decoded, so a hostile picture does no harm.
PNG: https://www.w3.org/TR/png/#11IHDR. JPEG: ITU-T T.81, annex B.
"""

from __future__ import annotations

from dataclasses import dataclass

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Start-of-frame markers; C4, C8 and CC among them mean other things.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True)
class ImageInfo:
    """Contents of a picture's header."""

    media_type: str
    width_px: int
    height_px: int


def read_image_info(data: bytes) -> ImageInfo | None:
    """Read the header of a PNG or a JPEG; ``None`` if `data` is neither or is cut short."""
    if data.startswith(_PNG_SIGNATURE):
        return _read_png(data)
    if data.startswith(b"\xff\xd8"):
        return _read_jpeg(data)
    return None


def _read_png(data: bytes) -> ImageInfo | None:
    if len(data) < 24 or data[12:16] != b"IHDR":
        return None
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    return ImageInfo("image/png", width, height) if width and height else None


def _read_jpeg(data: bytes) -> ImageInfo | None:
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _JPEG_STANDALONE:
            position += 2
        elif marker in _JPEG_FRAMES:
            height = int.from_bytes(data[position + 5 : position + 7])
            width = int.from_bytes(data[position + 7 : position + 9])
            return ImageInfo("image/jpeg", width, height) if width and height else None
        else:
            length = int.from_bytes(data[position + 2 : position + 4])
            if length < 2:
                return None
            position += 2 + length
    return None
