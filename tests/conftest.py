"""What holds for all tests: one thread, none of the user's own roots, one locale."""

import locale
import os

import pytest

# Before torch is imported, here or in a command that a test starts: its threads wait for one another on tiny tensors,
# the more so on a computer shared with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

for variable in ("UDEANSR_RAW", "UDEANSR_PREPROCESSED", "UDEANSR_RESULTS"):
    os.environ.pop(variable, None)


@pytest.fixture(autouse=True)
def locale_kept():
    """ITK's writer of DICOM, which only tests use, leaves the C locale behind, and with it ASCII as the encoding."""
    before = locale.setlocale(locale.LC_CTYPE)
    yield
    locale.setlocale(locale.LC_CTYPE, before)
