"""Corrected results: which result they correct, and how.

Only this is kept of them, in a few hundred bytes, or some kilobytes with hundreds of edits: the
rest is the uncorrected result's. Their ids follow from their contents, so that the same correction
of the same result has one id however often it is made.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import StringConstraints, TypeAdapter

from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import Corrections

ID_PATTERN: Final = r"[A-Za-z0-9_-]{12}"
ID_BYTES: Final = 9
MAX_ENTRY_BYTES: Final = 3_000_000
"""Of an entry as JSON: enough for :data:`~inference_service.music.edits.MAX_EDITS`."""

_GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 31

_Id = Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The ids of the uncorrected result, and of the result before the latest correction.

    ``previous_id`` is empty for an uncorrected result.
    """

    root_id: str
    previous_id: str = ""


@dataclass(frozen=True, slots=True)
class CorrectedEntry:
    """A corrected result."""

    root_id: _Id
    previous_id: _Id
    corrections: Corrections

    @property
    def id(self) -> str:
        """The id of the corrected result, which nobody can guess who does not know the others."""
        digest = hashlib.sha256(encode_entry(self)).digest()
        return urlsafe_b64encode(digest[:ID_BYTES]).decode()


_ADAPTER: Final = TypeAdapter(CorrectedEntry)


def encode_entry(entry: CorrectedEntry) -> bytes:
    """Return an entry as JSON."""
    return _ADAPTER.dump_json(entry, exclude_none=True)


def pack_entry(entry: CorrectedEntry) -> bytes:
    """Return an entry as it is kept: compressed JSON."""
    return gzip.compress(encode_entry(entry), mtime=0)


def unpack_entry(data: bytes) -> CorrectedEntry:
    """Read an entry that is kept, compressed or, from earlier versions, plain.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    if data.startswith(_GZIP):
        try:
            data = zlib.decompressobj(_GZIP_BITS).decompress(data, MAX_ENTRY_BYTES + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from error
    if len(data) > MAX_ENTRY_BYTES:
        raise ValueError("too large")
    try:
        return _ADAPTER.validate_json(data)
    except InvalidCorrections as error:
        raise ValueError(error.cause) from error
