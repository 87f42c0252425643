"""Super-resolution of MRI without pairs.

degradation     HR scans -> RawDataset, for a trial (udeansr_simulate)
planning        RawDataset -> Fingerprint -> Plan (udeansr_plan_and_preprocess)
preprocessing   RawDataset, Plan -> PreprocessedDataset (the same command)
batches         PreprocessedDataset -> Batch
methods         Batch -> losses: who learns what
training        Batch, Method -> checkpoint (udeansr_train)
prediction      checkpoint, LR Volume -> SR Volume (udeansr_predict)
evaluation      SR Volume, HR Volume -> Scores (udeansr_evaluate)

In Python: ``from udeansr import SuperResolver``; ``sr = SuperResolver.load("brain-t1w-x2x2x1")(lr)``.
"""

from typing import TYPE_CHECKING

from udeansr.errors import UdeansrError

if TYPE_CHECKING:
    from udeansr.prediction.super_resolver import SuperResolver

__version__ = "0.1.0"
__all__ = ["SuperResolver", "UdeansrError", "__version__"]


def __getattr__(name: str) -> object:
    """Import torch when it is asked for, and not with the help text of every command."""
    if name == "SuperResolver":
        from udeansr.prediction.super_resolver import SuperResolver

        return SuperResolver
    raise AttributeError(f"module 'udeansr' has no attribute '{name}'")
