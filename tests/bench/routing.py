"""Share of recordings whose kind is recognised by their sound.

Each half of the recordings is rated by a network that was fitted to the other half, and to the
rendered scenes that ``python -m model_zoo.training.kinds prepare --what scenes`` has described. The
served network is fitted to both halves. ``python -m model_zoo.training.kinds measure`` prints the
confusions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from inference_service.assembly import build_router
from inference_service.checkpoint import load_network
from inference_service.pipeline.options import Preset
from inference_service.progress import ignore
from inference_service.separation.masking import MaskingSeparator
from inference_service.settings import ModelSettings
from inference_service.tagger.notes.kinds import KindNet
from inference_service.tagger.notes.tagger import load_tagger
from model_zoo.training.evaluate.systems import TIMBRE
from model_zoo.training.kinds import train
from model_zoo.training.kinds.__main__ import FOLDER, SEPARATOR, TAGGER, TARGET
from tests.bench.table import Row
from tests.factories import build_scale, sing

TITLE = "Routing: share of kinds that are recognised by the sound"
WANTED = 0.9
WANTED_ALL = 0.95


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Cross-validate on all recordings, as they are and as a phone records them."""
    described = cache / "kinds.npz"
    if not described.exists():
        separator = MaskingSeparator.from_file(SEPARATOR)
        network = load_network(TARGET, KindNet)
        recordings = train.describe_recordings(
            data, load_tagger(TAGGER, TIMBRE), network, separator
        )
        train.save(list(recordings), described)
    scenes = chain.from_iterable(map(train.load, sorted(FOLDER.glob("scenes-*.npz"))))
    counts: dict[str, Counter[bool]] = {}
    for (kind, _), row in train.cross_validate([*train.load(described), *scenes]).items():
        found = Counter({True: row[kind], False: row.total() - row[kind]})
        counts.setdefault(kind, Counter()).update(found)
    for kind, found in counts.items():
        yield Row(kind, found[True] / found.total(), WANTED)
    right = sum(found[True] for found in counts.values())
    yield Row("all", right / sum(found.total() for found in counts.values()), WANTED_ALL)


def smoke() -> Iterator[Row]:
    """Measure on a synthetic singer."""
    separator = MaskingSeparator.from_file(SEPARATOR)
    presets = build_router(ModelSettings()).classify(sing(build_scale()), separator, ignore)
    is_voice = max(presets, key=presets.__getitem__) is Preset.VOICE
    yield Row("melody", float(is_voice), 1.0)
