"""Which models there are: trained here, bundled with udeansr, imported by the user."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from udeansr.errors import UdeansrError, did_you_mean
from udeansr.files import write_whole
from udeansr.models.description import ModelDescription
from udeansr.models.model_file import read_description
from udeansr.paths import RUN_FILE, Root, dataset_folders, models_root
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.strict_json import read_json_object

BUNDLED = Path(str(files("udeansr"))) / "models" / "weights"
"""In the package itself."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedModel:
    """A checkpoint of a training, and the names that lead to it.

    Attributes:
        path: the checkpoint.
        dataset, configuration: names.
        name: of the run: its folder.
    """

    path: Path
    dataset: str
    configuration: str
    name: str

    @property
    def method(self) -> str:
        """As the run's record says; without a record, the name of the run."""
        path = self.path.with_name(RUN_FILE)
        if not path.is_file():
            return self.name
        return str(read_json_object(path, "record of a training", "train again").get("method", self.name))

    def __str__(self) -> str:
        """The names, as the command line takes them."""
        return f"-d {self.dataset} -c {self.configuration} --name {self.name}"

    def plan(self) -> tuple[Plan, Configuration]:
        """The plan that the model was made for, out of its checkpoint."""
        plan, configuration, _ = self.plan_and_contrast()
        return plan, configuration

    def plan_and_contrast(self) -> tuple[Plan, Configuration, str | None]:
        """The same, and the contrast it was made for, where it is known."""
        from udeansr.training.checkpoint import load_checkpoint  # torch; a model file gives its plan without
        from udeansr.training.settings import TrainingRecord

        record = TrainingRecord.from_dict(load_checkpoint(self.path), str(self.path))
        return record.plan, record.planned, record.domain.contrast if record.domain else None


def find_models(results: Root, checkpoint: str = "best") -> list[TrainedModel]:
    """All trainings under the results root that have the checkpoint, sorted by name."""
    paths = [path for folder in dataset_folders(results) for path in sorted(folder.glob(f"*/*/{checkpoint}.pt"))]
    return [TrainedModel(path, path.parts[-4], path.parts[-3], path.parts[-2]) for path in paths]


@dataclass(frozen=True)
class NamedModel:
    """A model file that can be called by its name.

    Attributes:
        path: the file.
        bundled: whether it came with udeansr; else the user imported it.
        description: what it says of itself.
    """

    path: Path
    bundled: bool
    description: ModelDescription

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.description.name

    @property
    def where(self) -> str:
        """In a word, where it comes from."""
        return "bundled" if self.bundled else "imported"


def named_models() -> list[NamedModel]:
    """All model files that have a name here, the bundled first; one that cannot be read is warned of and left out."""
    found = []
    for folder, bundled in ((BUNDLED, True), (models_root().folder, False)):
        for path in sorted(folder.glob("[!.]*.zip")):
            try:
                found.append(NamedModel(path, bundled, read_description(path)))
            except UdeansrError as error:
                _logger.warning("%s", error)
    return found


def find_named(name: str) -> NamedModel | None:
    """The model file of a name, if there is one."""
    return next((model for model in named_models() if model.name == name), None)


def named_model(name: str) -> NamedModel:
    """The model file of a name.

    Raises:
        UdeansrError: if there is none, listing what there is.
    """
    model = find_named(name)
    if model is None:
        there = [model.name for model in named_models()]
        raise UdeansrError(
            f"{name}: neither a file or folder, nor the name of a bundled or imported model"
            f"{did_you_mean(name, there)}; there: {', '.join(there) or 'none'}"
        )
    return model


def model_path(words: str | Path) -> Path:
    """The file or folder that someone means by a path, or by the name of a bundled or imported model.

    What exists, or is written as a path, is one; a name has no dot and no slash.

    Raises:
        UdeansrError: if it can only be a name and is none, listing what there is.
    """
    path = Path(words)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    return named_model(str(words)).path


def import_model(path: Path, *, replace: bool = False) -> NamedModel:
    """Take a model file into the user's models, once it was found to be whole and of this version.

    Args:
        path: the file, from anywhere.
        replace: whether an imported model of the same name is replaced.
    Raises:
        UdeansrError: if it is no model of ours, its name is taken, or it cannot be written.
    """
    from udeansr.models.model import load_model_file

    load_model_file(path)
    description = read_description(path)
    there = find_named(description.name)
    if there is not None and there.bundled:
        raise UdeansrError(f"{path}: its name {there.name} is that of a bundled model; export it with another --name")
    if there is not None and not replace:
        raise UdeansrError(f"{path}: there is an imported model {there.name} already; give --force to replace it")
    target = models_root().folder / f"{description.name}.zip"
    write_whole(target, path.read_bytes(), "set udeansr_models to a folder that can")
    if there is not None and there.path != target:
        there.path.unlink(missing_ok=True)
    return NamedModel(target, False, description)


def remove_model(name: str) -> Path:
    """Remove an imported model.

    Raises:
        UdeansrError: if there is none of the name, or it came with udeansr.
    """
    model = named_model(name)
    if model.bundled:
        raise UdeansrError(f"{name}: came with udeansr; only imported models can be removed")
    try:
        model.path.unlink()
    except OSError as error:
        raise UdeansrError(f"{model.path}: cannot be removed ({error.strerror}); remove it yourself") from error
    return model.path
