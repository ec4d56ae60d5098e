"""Write the tables of ``docs/errors.md``, or check that they are up to date.

python -m deploy.errors_page [--check]

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; the prose around it is written
by hand. ``codes`` comes from the classes of ``inference_service/errors.py``, ``texts`` from the
bot's catalogues, and ``bot codes`` from the docstrings of ``bot.errors.BotErrorCode``.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.pofile import read_po

from bot.errors import BotErrorCode
from inference_service.cli.exits import EXIT_CODES
from inference_service.errors import ERRORS
from inference_service.server.convert.errors import STATUS_CODES

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "errors.md"
LOCALES: Final = ROOT / "bot" / "locales"

_TABLE: Final = re.compile(r"(<!-- table: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_tables(page: str) -> str:
    """Return a page with its tables regenerated.

    Raises
    ------
    KeyError
        If the page asks for a table that is unknown.
    """
    tables = {"codes": _codes(), "texts": _texts(), "bot codes": _bot_codes()}
    return _TABLE.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[3]}", page)


def _codes() -> str:
    """Return the table of the service's errors."""
    rows = []
    for code, error in ERRORS.items():
        cause = inspect.cleandoc(error.__doc__ or "").split("\n\n")[0]
        status = STATUS_CODES[error.kind].name
        rows.append((f"`{code}`", _markdown(cause), status, str(EXIT_CODES[error.kind])))
    return _table(("Code", "Cause", "gRPC status", "Exit code"), rows)


def _texts() -> str:
    """Return the table of what a person reads, in every language."""
    catalogues = []
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/bot.po")):
        with path.open("rb") as file:
            catalogues.append(read_po(file, locale=path.parent.parent.name))
    languages = [str(Locale.parse(texts.locale).english_name) for texts in catalogues]
    rows = []
    for code in (*ERRORS, *BotErrorCode):
        messages = [texts.get(f"error.{code}") for texts in catalogues]
        rows.append(
            (f"`{code}`", *(str(message.string) if message else "" for message in messages))
        )
    return _table(("Code", *languages), rows)


def _bot_codes() -> str:
    """Return the table of the bot's own errors, whose causes are strings below each member."""
    (definition,) = ast.parse(inspect.getsource(BotErrorCode)).body
    assert isinstance(definition, ast.ClassDef)
    rows = []
    for member, text in zip(definition.body, definition.body[1:], strict=False):
        match member, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(ast.Constant(value=str(cause))):
                rows.append((f"`{name}`", _markdown(cause)))
    return _table(("Code", "Cause"), rows)


def _markdown(docstring: str) -> str:
    """Return a docstring's paragraph as one line of Markdown."""
    return " ".join(docstring.split()).replace("``", "`")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, which ends with a line break."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---")


def main() -> None:
    """Write the tables, or with ``--check`` fail if they are out of date."""
    page = PAGE.read_text()
    fresh = fill_tables(page)
    if sys.argv[1:] == ["--check"]:
        if fresh != page:
            sys.exit("run `make errors`: docs/errors.md is out of date")
    else:
        PAGE.write_text(fresh)


if __name__ == "__main__":
    main()
