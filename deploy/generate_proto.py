"""Generate the Python code of ``proto/``, or check that the committed code is up to date.

python deploy/generate_proto.py [--check]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent / "proto"
PACKAGE = Path("notabot/v1")


def generate(destination: Path) -> None:
    """Write the generated modules below ``destination``."""
    sources = sorted(str(path) for path in (ROOT / PACKAGE).glob("*.proto"))
    arguments = [
        "protoc",
        f"-I{ROOT}",
        f"--python_out={destination}",
        f"--pyi_out={destination}",
        f"--grpc_python_out={destination}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")


def stale_files() -> list[str]:
    """Name the committed modules that differ from what the ``.proto`` files generate."""
    with tempfile.TemporaryDirectory() as directory:
        generate(Path(directory))
        fresh = {path.name: path.read_bytes() for path in (Path(directory) / PACKAGE).iterdir()}
    committed = {path.name: path.read_bytes() for path in (ROOT / PACKAGE).glob("*_pb2*")}
    return sorted(name for name in fresh | committed if fresh.get(name) != committed.get(name))


def main() -> None:
    """Generate, or with ``--check`` fail where the committed code is stale."""
    if sys.argv[1:] == ["--check"]:
        if stale := stale_files():
            sys.exit(f"run `make proto`: out of date: {', '.join(stale)}")
    else:
        generate(ROOT)


if __name__ == "__main__":
    main()
