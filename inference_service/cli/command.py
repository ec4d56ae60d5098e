"""The command's parser, and the exit codes of its errors."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from inference_service.cli import models, recordings, scores, serve
from inference_service.cli.exits import (
    EXIT_CANNOT_CREATE,
    EXIT_CODES,
    EXIT_INTERRUPTED,
    EXIT_NO_INPUT,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from inference_service.errors import NotabotError
from inference_service.extras import MissingExtra
from inference_service.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        settings = Settings()
        command: Callable[[argparse.Namespace, Settings], None] = options.command
        command(options, settings)
    except NotabotError as error:
        return _fail(error.cause, EXIT_CODES[error.kind])
    except ValidationError as error:
        return _fail(f"settings: {_first_problem(error)}", EXIT_USAGE)
    except MissingExtra as error:
        return _fail(str(error), EXIT_UNAVAILABLE)
    except FileNotFoundError as error:
        return _fail(f"no such file: {error.filename}", EXIT_NO_INPUT)
    except OSError as error:
        return _fail(error.strerror or str(error), EXIT_CANNOT_CREATE)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except Exception as error:
        if os.environ.get("NOTABOT_LOG_LEVEL") == "debug":
            traceback.print_exc()
        return _fail(f"{type(error).__name__}: {error}", EXIT_SOFTWARE)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets ``command`` to the function that runs it."""
    parser = argparse.ArgumentParser(
        prog="notabot", description="Songs to scores. Settings: docs/settings.md."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (serve, recordings, scores, models):
        module.add_commands(commands)
    return parser


def _fail(cause: str, code: int) -> int:
    print(f"notabot: {cause}", file=sys.stderr)
    return code


def _first_problem(error: ValidationError) -> str:
    """Name an invalid setting without its value, which may be a secret."""
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
