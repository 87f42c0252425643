"""Planning a dataset on disk: measure, then keep the plan that is there or make one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.planning.domain import DOMAIN_FILE
from udeansr.planning.fingerprint import FINGERPRINT_FILE, Fingerprint, extract_fingerprint
from udeansr.planning.plan import PLANS_FILE, Plan
from udeansr.planning.planner import make_plan
from udeansr.planning.raw_dataset import RawDataset

EARLIER_PLANS_FILE = "plans_earlier.json"


@dataclass(frozen=True)
class PlannedDataset:
    """What planning left in a folder.

    Attributes:
        fingerprint, plan: as they lie there now.
        kept: whether the plan was there before, with what was edited in it.
        earlier: where the plan lies that was replaced; None if there was none.
    """

    fingerprint: Fingerprint
    plan: Plan
    kept: bool
    earlier: Path | None = None


def plan_dataset(
    raw: RawDataset, folder: Path, memory_gb: float | None, *, processes: int, again: bool = False
) -> PlannedDataset:
    """Check and measure a dataset and see to its plan.

    A plan is kept as long as the images do not change, since a person may have edited it.

    Args:
        raw: the dataset.
        folder: ``<preprocessed root>/<dataset>``, made if it is missing.
        memory_gb: what a training may take of the GPU's memory; None for a training on a CPU.
        processes: worker processes that read the images.
        again: make a new plan in any case.
    Raises:
        UdeansrError: with every fault of the dataset, or if the plan that is kept cannot be read.
    """
    fingerprint, domain = extract_fingerprint(raw, processes)
    plans = folder / PLANS_FILE
    if plans.is_file() and not again and _is_saved(fingerprint, folder / FINGERPRINT_FILE):
        domain.save(folder / DOMAIN_FILE)
        return PlannedDataset(fingerprint, Plan.load(plans), kept=True)
    plan = make_plan(fingerprint, memory_gb)
    earlier = folder / EARLIER_PLANS_FILE if plans.is_file() else None
    # In this order, so that a plan never lies beside the fingerprint of other images, wherever this is stopped.
    if earlier is not None:
        plans.replace(earlier)
    fingerprint.save(folder / FINGERPRINT_FILE)
    domain.save(folder / DOMAIN_FILE)
    plan.save(plans)
    return PlannedDataset(fingerprint, plan, kept=False, earlier=earlier)


def _is_saved(fingerprint: Fingerprint, path: Path) -> bool:
    """Whether this very fingerprint lies in a file; a file that cannot be read holds another."""
    try:
        return Fingerprint.load(path) == fingerprint
    except UdeansrError:
        return False
