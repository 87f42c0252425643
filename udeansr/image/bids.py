"""Names and images of a BIDS dataset.

Source: https://bids-specification.readthedocs.io (1.10): common principles, magnetic resonance imaging.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from udeansr.image.names import image_suffix

DESCRIPTION_FILE = "dataset_description.json"
ANAT_SUFFIXES = ("T1w", "T2w", "T2starw", "PDw", "FLAIR", "inplaneT1", "inplaneT2", "angio")
"""Suffixes of magnitude images of anatomy; maps and masks are none."""

ORDER = (
    "sub ses sample task tracksys acq nuc voi ce trc stain rec dir run mod echo flip inv mt part proc hemi space split "
    "recording chunk seg res den label desc"
)
"""The order of entities. Source: BIDS 1.10, appendix Entity table."""

_NAME = re.compile(r"((?:[a-zA-Z]+-[a-zA-Z0-9+]+_)+)([a-zA-Z0-9]+)")


@dataclass(frozen=True)
class BidsName:
    """What a BIDS file name says.

    Attributes:
        entities: values by their keys, ``{"sub": "01", "run": "2"}``.
        suffix: what the image is, ``T1w``.
    """

    entities: dict[str, str]
    suffix: str

    @classmethod
    def parse(cls, stem: str) -> BidsName | None:
        """Read a name without ``.nii.gz``; None if it is none of the standard's."""
        match = _NAME.fullmatch(stem)
        if match is None:
            return None
        pairs = [part.split("-", 1) for part in match.group(1).split("_")[:-1]]
        return cls({key: value for key, value in pairs}, match.group(2))

    def derived(self, desc: str, res: str, suffix: str | None = None) -> BidsName:
        """The name of what was made of it: all entities kept, ``res`` and ``desc`` set or set behind what they were."""
        own = self.entities
        changed = {"res": own.get("res", "") + res, "desc": own.get("desc", "") + desc}
        return BidsName(own | changed, suffix or self.suffix)

    def applies_to(self, image: BidsName) -> bool:
        """Whether a sidecar of this name speaks of an image, by the inheritance principle: it names nothing else."""
        return self.suffix == image.suffix and self.entities.items() <= image.entities.items()

    def __str__(self) -> str:
        """The name, its entities in the standard's order; those it does not know before ``desc``."""
        known = {key: number for number, key in enumerate(ORDER.split())}
        keys = sorted(self.entities, key=lambda key: known.get(key, known["desc"] - 0.5))
        return "_".join([*(f"{key}-{self.entities[key]}" for key in keys), self.suffix])


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a BIDS dataset: it has a ``dataset_description.json``, or folders of subjects."""
    return (folder / DESCRIPTION_FILE).is_file() or any(path.is_dir() for path in folder.glob("sub-*"))


def is_anatomy(name: BidsName, suffixes: Collection[str] = ANAT_SUFFIXES) -> bool:
    """Whether a name is of an image of anatomy with one of the suffixes, and of its magnitude."""
    return name.suffix in suffixes and name.entities.get("part", "mag") == "mag"


def anat_images(root: Path, given: Path) -> list[Path]:
    """NIfTI images in the folders anat of the subjects that lie under a path; derivatives within are other datasets."""
    found = [file for pattern in ("sub-*/anat/*", "sub-*/ses-*/anat/*") for file in root.glob(pattern)]
    wanted = [file for file in found if given in (file, *file.parents)]
    return sorted(file for file in wanted if image_suffix(file).startswith(".nii") and not file.name.startswith("."))
