"""Super-resolution of MRI without pairs. Knows its version; the way of the data is the order of the folders.

degradation     HR scans -> RawDataset, for a trial (udeansr_simulate)
planning        RawDataset -> Fingerprint -> Plan (udeansr_plan_and_preprocess)
preprocessing   RawDataset, Plan -> PreprocessedDataset (the same command)
batches         PreprocessedDataset -> Batch
methods         Batch -> losses: who learns what
training        Batch, Method -> checkpoint (udeansr_train)
prediction      checkpoint, LR Volume -> SR Volume (udeansr_predict)
evaluation      SR Volume, HR Volume -> Scores (udeansr_evaluate)
"""

__version__ = "0.1.0"
