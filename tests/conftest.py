"""What holds for all tests: one thread, and none of the user's own roots."""

import os

# Before torch is imported, here or in a command that a test starts: its threads wait for one another on tiny tensors,
# the more so on a computer shared with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

for variable in ("UDEANSR_RAW", "UDEANSR_PREPROCESSED", "UDEANSR_RESULTS"):
    os.environ.pop(variable, None)
