"""Small files that ask for a great deal of work."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import av
import numpy as np

from tests.factories import build_tone

_UNITY_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def build_edited_mp4(discarded: int) -> bytes:
    """An MP4 file that names one FLAC frame many times before the start of its edit list.

    Every entry is decoded, and only the last four yield sound.
    """
    header, frame, frame_samples = _encode_flac_frame()
    heard = 4
    count = discarded + heard
    ftyp = _box(b"ftyp", b"isom\0\0\2\0isommp41")
    # The length of the tables does not depend on the offset that they name.
    moov_bytes = len(_build_moov(header, len(frame), frame_samples, discarded, count, 0))
    offset = len(ftyp) + moov_bytes + 8
    moov = _build_moov(header, len(frame), frame_samples, discarded, count, offset)
    return ftyp + moov + _box(b"mdat", frame)


def _encode_flac_frame() -> tuple[bytes, bytes, int]:
    """Return the stream header, a frame of a tone, and the number of its samples."""
    target = io.BytesIO()
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=44100, layout="mono")
        samples = (build_tone(440.0, 4096 / 44100) * 32767).astype(np.int16)[np.newaxis]
        source = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        source.sample_rate = 44100
        packets = [*stream.encode(source), *stream.encode(None)]
        container.mux(packets)
        frame = bytes(packets[0])
        extradata = stream.codec_context.extradata
    assert extradata is not None
    return extradata, frame, samples.shape[1]


def _build_moov(
    header: bytes, frame_bytes: int, frame_samples: int, discarded: int, count: int, offset: int
) -> bytes:
    heard_samples = (count - discarded) * frame_samples
    sample_entry = _box(
        b"fLaC",
        struct.pack(">6xH8xHH4xI", 1, 1, 16, 44100 << 16),
        _box(b"dfLa", struct.pack(">IB3s", 0, 0x80, len(header).to_bytes(3, "big")), header),
    )
    tables = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), sample_entry),
        _box(
            b"stts",
            struct.pack(">IIIIII", 0, 2, discarded, 1, count - discarded, frame_samples),
        ),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 1, 1)),
        _box(b"stsz", struct.pack(">III", 0, frame_bytes, count)),
        _box(b"stco", struct.pack(">II", 0, count), struct.pack(">I", offset) * count),
    )
    media = _box(
        b"mdia",
        _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 44100, discarded + heard_samples, 0, 0)),
        _box(b"hdlr", struct.pack(">II4s12xB", 0, 0, b"soun", 0)),
        _box(
            b"minf",
            _box(b"smhd", bytes(8)),
            _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1), _box(b"url ", b"\0\0\0\1"))),
            tables,
        ),
    )
    edits = _box(
        b"edts", _box(b"elst", struct.pack(">IIIII", 0, 1, heard_samples, discarded, 0x10000))
    )
    track_header = _box(
        b"tkhd", struct.pack(">IIIIII8xHHHH", 7, 0, 0, 1, 0, heard_samples, 0, 0, 0x100, 0),
        _UNITY_MATRIX, bytes(8),
    )  # fmt: skip
    movie_header = _box(
        b"mvhd", struct.pack(">IIIIIIH10x", 0, 0, 0, 44100, heard_samples, 0x10000, 0x100),
        _UNITY_MATRIX, bytes(24), struct.pack(">I", 2),
    )  # fmt: skip
    return _box(b"moov", movie_header, _box(b"trak", track_header, edits, media))


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def build_fragmented_matroska(packets: int, samples: int = 1) -> bytes:
    """A Matroska file of 16-bit samples, few in each packet."""
    track = _element(
        "AE",
        _element("D7", b"\1"),
        _element("73C5", b"\1"),
        _element("83", b"\2"),
        _element("86", b"A_PCM/INT/LIT"),
        _element("E1", _element("B5", struct.pack(">d", 44100.0)), _element("9F", b"\1"),
                 _element("6264", b"\x10")),
    )  # fmt: skip
    tone = (build_tone(440.0, samples / 44100 + 0.001)[:samples] * 32767).astype("<i2").tobytes()
    block = _element("A3", b"\x81\0\0\x80" + (tone or b"\0\0"))
    cluster = _element("1F43B675", _element("E7", b"\0"), block * packets)
    ebml = _element("1A45DFA3", _element("4282", b"matroska"))
    info = _element("1549A966", _element("2AD7B1", (1_000_000).to_bytes(3, "big")))
    return ebml + _element("18538067", info, _element("1654AE6B", track), cluster)


def _element(identifier: str, *content: bytes) -> bytes:
    body = b"".join(content)
    size = len(body)
    width = 1 if size < 0x7F else 8
    length = (size | 1 << 7 * width).to_bytes(width, "big")
    return bytes.fromhex(identifier) + length + body


def build_transport_stream(duration_s: float = 2.0) -> bytes:
    """An MPEG transport stream with MP2 audio."""
    target = io.BytesIO()
    with av.open(target, "w", format="mpegts") as container:
        stream = container.add_stream("mp2", rate=44100, layout="mono")
        samples = (build_tone(440.0, duration_s) * 32767).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 44100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return target.getvalue()


def flip_bits(data: bytes, positions: Sequence[int]) -> bytes:
    """Invert the bits at positions."""
    flipped = bytearray(data)
    for position in positions:
        flipped[position // 8] ^= 1 << position % 8
    return bytes(flipped)
