"""Exit codes, after BSD's ``sysexits.h``."""

from __future__ import annotations

from typing import Final

from inference_service.errors import ErrorKind

EXIT_USAGE: Final = 64
EXIT_DATA: Final = 65
EXIT_NO_INPUT: Final = 66
EXIT_UNAVAILABLE: Final = 69
EXIT_SOFTWARE: Final = 70
EXIT_CANNOT_CREATE: Final = 73
EXIT_TEMPORARY: Final = 75
EXIT_NO_PERMISSION: Final = 77
EXIT_INTERRUPTED: Final = 130

EXIT_CODES: Final = {
    ErrorKind.INVALID_INPUT: EXIT_DATA,
    ErrorKind.INVALID_OPTIONS: EXIT_USAGE,
    ErrorKind.UNSUITABLE_MUSIC: EXIT_DATA,
    ErrorKind.NOT_KEPT: EXIT_NO_INPUT,
    ErrorKind.ALREADY_ACCEPTED: EXIT_USAGE,
    ErrorKind.UNKNOWN_NAME: EXIT_USAGE,
    ErrorKind.OVERLOADED: EXIT_TEMPORARY,
    ErrorKind.NOT_SERVING: EXIT_TEMPORARY,
    ErrorKind.CANCELLED: EXIT_INTERRUPTED,
    ErrorKind.OUT_OF_TIME: EXIT_TEMPORARY,
    ErrorKind.UNAUTHENTICATED: EXIT_NO_PERMISSION,
    ErrorKind.NOT_EQUIPPED: EXIT_UNAVAILABLE,
    ErrorKind.DOWNLOAD_FAILED: EXIT_UNAVAILABLE,
    ErrorKind.INTERNAL: EXIT_SOFTWARE,
}
"""Exit code by kind of error."""
