"""What people should know of a model before they use it, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from udeansr.degradation.true_resolution import true_spacing_mm
from udeansr.image.grid import format_spacing
from udeansr.models.description import ModelDescription
from udeansr.planning.domain import Domain

NOT_SAID = "not said"


@dataclass(frozen=True)
class ModelCard:
    """A model in words; every number in it was measured, and says by what.

    Attributes:
        name: of the model.
        contrast: in the words of BIDS.
        scale: in-plane x in-plane x through-plane.
        lr_spacing_mm: along (Z, Y, X) of ``orientation``, mm.
        orientation: three letters, slab axis first.
        method: that was trained, and the version of udeansr.
        data: whose scans it learnt from.
        data_licence: of those.
        subjects: how many, who, healthy or not.
        resolution: where the spectra of the LR break off, if they do.
        degradation: what made LR of HR in training.
        training: its length, on which machine.
        weights_licence: an identifier of SPDX in small letters, such as cc0-1.0.
        made_by: the commands that made it.
        scores: one row of a table each: column to text or number; all rows have the columns of the first.
        scores_note: what the scores are of, and the command that gave them.
        outside: what happens on images that are not like those it learnt from.
        limits: one each.
    """

    name: str
    contrast: str
    scale: str
    lr_spacing_mm: tuple[float, float, float]
    orientation: str
    method: str
    data: str = NOT_SAID
    data_licence: str = NOT_SAID
    subjects: str = NOT_SAID
    resolution: str = NOT_SAID
    degradation: str = NOT_SAID
    training: str = NOT_SAID
    weights_licence: str = "unknown"
    made_by: str = ""
    scores: tuple[Mapping[str, str | float], ...] = ()
    scores_note: str = ""
    outside: str = NOT_SAID
    limits: tuple[str, ...] = ()

    @classmethod
    def of(cls, description: ModelDescription) -> ModelCard:
        """What a model's description says by itself; ``dataclasses.replace`` adds the rest."""
        configuration, domain = description.configuration, description.domain
        run = description.run
        length = (
            f"{run['epochs']} epochs of {run['iterations_per_epoch']} iterations" if run.get("epochs") else NOT_SAID
        )
        return cls(
            name=description.name,
            contrast=description.contrast,
            scale=configuration.task.scale,
            lr_spacing_mm=configuration.task.lr_spacing_mm,
            orientation=description.plan.orientation,
            method=f"`{description.method}` of udeansr {description.version}",
            data=description.plan.dataset,
            subjects=NOT_SAID if domain is None else f"{domain.subjects} with HR",
            resolution=_resolution(configuration.task.lr_spacing_mm, domain),
            degradation=str(configuration.task.source_degradation),
            training=length,
        )

    def markdown(self) -> str:
        """The card: front matter as Hugging Face has it, then text."""
        lines = [
            "---",
            f"license: {json.dumps(self.weights_licence)}",
            "library_name: udeansr",
            f"tags: {json.dumps(['mri', 'super-resolution', 'medical-imaging', self.contrast, self.scale])}",
            "---",
            "",
            f"# {self.name}",
            "",
            f"Super-resolution of {self.contrast} MRI at {self.scale} (in-plane x in-plane x through-plane).",
            "",
            "| | |",
            "|---|---|",
        ]
        facts = {
            "LR spacing": f"{format_spacing(self.lr_spacing_mm)} along the axes {' '.join(self.orientation)}",
            "true resolution of the LR": self.resolution,
            "method": self.method,
            "learnt from": self.data,
            "licence of these data": self.data_licence,
            "subjects": self.subjects,
            "degradation learnt from": self.degradation,
            "training": self.training,
            "licence of the weights": self.weights_licence,
        }
        lines += [f"| {name} | {_cell(text)} |" for name, text in facts.items()]
        lines += ["", "## Scores", "", *(_table(self.scores) or [NOT_SAID])]
        if self.scores_note:
            lines += ["", self.scores_note]
        lines += ["", "## Outside its domain", "", self.outside, "", "## Limits", ""]
        lines += [f"- {limit}" for limit in (*self.limits, *LIMITS)]
        if self.made_by:
            lines += ["", "## How it was made", "", "```", self.made_by.strip(), "```"]
        return "\n".join(lines) + "\n"


LIMITS = (
    "Not a medical device: it was not made, tested or approved for diagnosis.",
    "SR shows what is likely where the LR has nothing; what is rare, a small lesion among it, can be lost or made up.",
)
"""What holds for all models."""


def _table(rows: tuple[Mapping[str, str | float], ...]) -> list[str]:
    if not rows:
        return []
    columns = list(rows[0])
    lines = [f"| {' | '.join(map(_cell, columns))} |", "|---" * len(columns) + "|"]
    return lines + [f"| {' | '.join(_cell(row[column]) for column in columns)} |" for row in rows]


def _resolution(lr_spacing_mm: Sequence[float], domain: Domain | None) -> str:
    """The true resolution of the LR that a model was made for, in words."""
    if domain is None or domain.resolved_fraction is None:
        return NOT_SAID
    if min(domain.resolved_fraction) == 1:
        return "that of its voxels"
    return f"{format_spacing(true_spacing_mm(lr_spacing_mm, domain.resolved_fraction))}: interpolated by the scanner"


def _cell(value: str | float) -> str:
    """A value that cannot break its table."""
    return str(value).replace("|", "\\|").replace("\n", " ")
