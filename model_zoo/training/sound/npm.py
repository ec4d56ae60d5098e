"""Downloads packages from the npm registry."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path


def unpack(package: str, folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Download a package, ``name@version``, and return those of its files that are wanted.

    Raises
    ------
    subprocess.CalledProcessError
        If npm fails.
    """
    ran = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    )
    paths = []
    with tarfile.open(folder / ran.stdout.strip().splitlines()[-1]) as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and wanted(name) and (file := archive.extractfile(member)):
                (folder / name).write_bytes(file.read())
                paths.append(folder / name)
    return paths
