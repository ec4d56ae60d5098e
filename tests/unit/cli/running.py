"""The command line as a function."""

from __future__ import annotations

from inference_service.cli import main


def run(*arguments: object) -> int:
    """Run a command; returns its exit code."""
    return main([str(argument) for argument in arguments])
