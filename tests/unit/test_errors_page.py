"""``docs/errors.md`` agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

from notabot.v1 import errors_pb2

from inference_service.cli.exits import EXIT_CODES
from inference_service.errors import ErrorCode
from inference_service.server.convert import status_code

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| [^|]+ \| ([A-Z_]+) \| (\d+) \|", re.MULTILINE)


def test_every_code_has_its_row() -> None:
    rows = {
        code: (status, int(exit_code)) for code, status, exit_code in ROW.findall(PAGE.read_text())
    }
    assert rows == {code.value: (status_code(code).name, EXIT_CODES[code]) for code in ErrorCode}


def test_the_protocol_has_the_same_codes() -> None:
    names = set(errors_pb2.ErrorCode.keys()) - {"ERROR_CODE_UNSPECIFIED"}
    assert names == {code.value for code in ErrorCode}
