"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from model_zoo.training.data import data_folder
from tests.valkey_server import ValkeyServer, find_or_install_valkey

# Before anything imports torch: on busy cores its thread pool makes small networks 30 times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports numba: processes that store the same compiled function at the same time
# leave a cache that crashes those who load it. Each worker begins with its own copy of what
# `make test` has compiled once.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    compiled = ROOT / "var" / "numba" / "ahead"
    if compiled.is_dir() and not (compiled.parent / worker).exists():
        shutil.copytree(compiled, compiled.parent / worker)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(compiled.parent / worker))

DATA = data_folder()

# An example may take long on a busy machine.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# Where no program has set up its log, structlog draws a logged exception with all its variables,
# which takes seconds.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of ``make golden``, ``make attack`` and ``make cluster-test``."""
    parser.addoption("--rewrite-golden", action="store_true", help="write tests/golden again")
    parser.addoption("--attack", action="store_true", help="run tests/attack in full")
    parser.addoption("--cluster", action="store_true", help="run tests/cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what makes no sense in small, unless it is asked for."""
    for name, command in (("attack", "make attack"), ("cluster", "make cluster-test")):
        if not config.getoption(f"--{name}"):
            for item in items:
                if item.get_closest_marker(name) is not None:
                    item.add_marker(pytest.mark.skip(reason=f"{command} runs it"))


@pytest.fixture
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written rather than compared."""
    return bool(request.config.getoption("--rewrite-golden"))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A running server of shared state, empty at first."""
    program = find_or_install_valkey()
    if program is None:
        pytest.skip("no valkey-server or redis-server")
    server = ValkeyServer(program, tmp_path / "valkey")
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of development recordings; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no development recordings in {DATA}: NOTABOT_DATA names their folder")
    return DATA
