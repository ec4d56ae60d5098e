"""Loading of Demucs checkpoints, in every format of the ``demucs`` package.

A model is named by the signature of a network, or by the name of a bag of networks.

=============================  ==================================================================
``SIGNATURE[-CHECKSUM].th``    a network saved by Demucs; the checksum is compared with the
                               file's SHA-256
``SIGNATURE.safetensors``      a network published by Demucs on the Hugging Face hub; preferred
                               if both files exist
``NAME.yaml``                  a bag: signatures of networks in the same folder, their weights by
                               stem, the segment length
=============================  ==================================================================

Demucs itself reads the second format only from the hub. Here all are read from folders, by Demucs's
``LocalRepo``, ``BagOnlyRepo`` and ``load_safetensors_model``. Quantised networks (``mdx_q``) need
the package ``diffq``.

Security
--------
A ``.th`` file is a pickle, and loading a pickle can run any code: load only files whose SHA-256 has
been verified, as the service does with the manifest's. A safetensors file names classes to import
and to call; only Demucs's own are allowed here, so that safetensors files need not be trusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import torch
from demucs.apply import BagOfModels
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.hf import load_safetensors_model
from demucs.htdemucs import HTDemucs
from demucs.repo import AnyModelRepo, BagOnlyRepo, LocalRepo, ModelLoadingError
from safetensors import safe_open
from torch import nn

from inference_service.errors import ModelNotFetched, ModelRejected

TASK: Final = "separation"
NETWORKS: Final = (Demucs, HDemucs, HTDemucs)

_CLASSES: Final = frozenset(f"{network.__module__}.{network.__qualname__}" for network in NETWORKS)
_QUANTIZERS: Final = "diffq."


def load_demucs(name: str, folder: Path, device: torch.device | str = "cpu") -> nn.Module:
    """Load a trained network, or a bag of them.

    Parameters
    ----------
    name : str
        A signature, or the name of a bag.
    folder : Path
        Folder of the files listed above.
    device : torch.device or str

    Returns
    -------
    demucs.demucs.Demucs, HDemucs, HTDemucs or demucs.apply.BagOfModels

    Raises
    ------
    ModelNotFetched
        If the folder holds no such model.
    ModelRejected
        If a file is damaged, is not a Demucs model, or has no vocals stem beside another.
    """
    if not folder.is_dir():
        raise ModelNotFetched(f"there is no model {name}", task=TASK, model=name)
    try:
        checkpoints = _Folder(folder)
        repository = AnyModelRepo(checkpoints, BagOnlyRepo(folder, checkpoints))
        known = repository.has_model(name)
        model = repository.get_model(name) if known else None
    # Unpickling may raise any exception; demucs exits the program if a package is missing.
    except (Exception, SystemExit) as error:
        reason = "it needs the package diffq" if isinstance(error, SystemExit) else error
        raise ModelRejected(f"{name} cannot be loaded: {reason}", task=TASK, model=name) from error
    if model is None:
        raise ModelNotFetched(f"there is no model {name}", task=TASK, model=name)
    if not isinstance(model, (*NETWORKS, BagOfModels)):
        raise ModelRejected(f"{name} is not a Demucs network", task=TASK, model=name)
    if "vocals" not in model.sources or len(model.sources) < 2:
        raise ModelRejected(f"{name} separates no vocals", task=TASK, model=name)
    loaded: nn.Module = model.to(device).eval()
    return loaded


def load_published(
    name: str, checkpoints: Sequence[Path], device: torch.device | str = "cpu"
) -> nn.Module:
    """Load a model from checkpoints that have the file names of their publication.

    For a bag, its definition is copied from the ``demucs`` package to the checkpoints' folder.

    Parameters
    ----------
    name : str
        The model's name in Demucs, such as that of its bag.
    checkpoints : sequence of Path
        ``SIGNATURE-CHECKSUM.th``, all in the same folder; several form a bag.
    device : torch.device or str

    Returns
    -------
    torch.nn.Module
        As from :func:`load_demucs`, which also lists the errors raised.
    """
    folder = checkpoints[0].parent
    if len(checkpoints) == 1:
        return load_demucs(checkpoints[0].stem.partition("-")[0], folder, device)
    recipe = files("demucs") / "remote" / f"{name}.yaml"
    (folder / f"{name}.yaml").write_bytes(recipe.read_bytes())
    return load_demucs(name, folder, device)


class _Folder(LocalRepo):  # type: ignore[misc]
    """A ``LocalRepo`` that also reads safetensors files."""

    def scan(self) -> None:
        super().scan()
        for file in self.root.glob("*.safetensors"):
            self._models[file.stem] = file

    def get_model(self, sig: str) -> Any:
        file = self._models.get(sig)
        if file is None or file.suffix != ".safetensors":
            return super().get_model(sig)
        _check_classes(file)
        return load_safetensors_model(file)


def _check_classes(file: Path) -> None:
    """Raise if a file names other classes than Demucs's and those of its quantisers."""
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
    if metadata.get("klass") not in _CLASSES:
        raise ModelLoadingError(f"{file.name} is not a Demucs network: {metadata.get('klass')}")
    for name in _find_classes(json.loads(metadata.get("structure", "null"))):
        if not name.startswith(_QUANTIZERS):
            raise ModelLoadingError(f"{file.name} names the class {name}")


def _find_classes(node: Any) -> Iterator[str]:
    """Yield the name of every class in the structure of a quantised state."""
    if isinstance(node, dict):
        if "_class" in node:
            yield str(node["_class"])
        for child in node.values():
            yield from _find_classes(child)
    elif isinstance(node, list):
        for child in node:
            yield from _find_classes(child)
