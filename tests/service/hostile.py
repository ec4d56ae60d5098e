"""A hundred hostile files: damaged, misnamed, with false lengths, or far too long."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import numpy as np

from tests.factories import build_noise, build_notes, build_scale, claim_flac_samples, encode_audio

KINDS = ("wav", "flac", "mp3", "ogg-opus", "m4a", "webm", "mp4")
SEED = 20


def build_hostile_files() -> dict[str, bytes]:
    """Return 100 files by name, the same in every call."""
    files = dict(_files())
    assert len(files) == 100
    return files


def _files() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(SEED)
    melody = build_notes(build_scale()).samples[0]
    originals = {kind: encode_audio(melody, kind) for kind in KINDS}
    for kind, data in originals.items():
        for percent in (1, 10, 50, 90):
            yield f"cut at {percent} % .{kind}", data[: len(data) * percent // 100]
        yield f"without its beginning .{kind}", data[len(data) // 3 :]
        for share in (1e-4, 1e-3, 1e-2):
            yield f"{share:.2%} of bits flipped .{kind}", _flip(data, share, rng)
        yield f"overwritten in the middle .{kind}", _overwrite(data, rng)
        yield f"header flipped .{kind}", _flip(data[:64], 0.05, rng) + data[64:]
        yield f"sent twice in one file .{kind}", data + data
    yield "zip named as a song", _zip(originals["mp3"])
    yield "zip bomb", _zip(bytes(10**7))
    yield "text", "Это не музыка.\n".encode() * 500
    yield "playlist", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n"
    yield "html", b"<html><body>404 Not Found</body></html>"
    yield "zeros", bytes(100_000)
    yield "random bytes", rng.bytes(100_000)
    yield "one byte", b"R"
    yield "nothing", b""
    yield "png", b"\x89PNG\r\n\x1a\n" + rng.bytes(5_000)
    yield "pdf", b"%PDF-1.7\n" + rng.bytes(5_000)
    yield "an ELF header", b"\x7fELF" + rng.bytes(5_000)
    yield (
        "an hour of silence",
        encode_audio(np.zeros(3600 * 8000, np.float32), "flac", rate_hz=8000),
    )
    yield (
        "ten minutes of silence",
        encode_audio(np.zeros(600 * 8000, np.float32), "ogg-opus", rate_hz=8000),
    )
    yield "a FLAC that claims 10 h", claim_flac_samples(originals["flac"], 36_000 * 44_100)
    yield "a FLAC that claims a sample", claim_flac_samples(originals["flac"], 1)
    yield "a constant", encode_audio(np.full(44_100, 0.5, np.float32))
    yield "a click", encode_audio(np.eye(1, 44_100, 22_050, dtype=np.float32)[0])
    yield "white noise", encode_audio(build_noise(2.0))
    yield (
        "full-scale square",
        encode_audio(np.sign(np.sin(np.arange(44_100) / 5)).astype(np.float32)),
    )
    yield "ten milliseconds", encode_audio(melody[:441])
    yield "a video without sound", encode_audio(melody, "mp4", sound=False)
    yield "a WAV of not-a-numbers", _not_numbers(encode_audio(melody, "wav-float"))


def _flip(data: bytes, share: float, rng: np.random.Generator) -> bytes:
    """Flip a share of the bits, at least one."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits[rng.choice(len(bits), max(1, int(share * len(bits))), replace=False)] ^= 1
    return np.packbits(bits).tobytes()


def _overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    third = len(data) // 3
    return data[:third] + rng.bytes(third) + data[2 * third :]


def _zip(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("song.mp3", content)
    return target.getvalue()


def _not_numbers(wav: bytes) -> bytes:
    """Replace every sample of a float WAV by NaN."""
    start = wav.index(b"data") + 8
    count = (len(wav) - start) // 4
    return wav[:start] + np.full(count, np.nan, np.float32).tobytes()
