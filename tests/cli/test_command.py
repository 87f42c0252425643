import errno
import subprocess
import sys

import pytest

from udeansr.cli.command import command_line
from udeansr.errors import UdeansrError


@pytest.mark.parametrize(
    ("raised", "status", "shown"),
    [
        (
            UdeansrError("a.nii: broken; expected whole; replace it"),
            2,
            "tool: a.nii: broken; expected whole; replace it\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/a/b"),
            2,
            "tool: /a/b: No space left on device; check the folder and the disk\n",
        ),
        (OSError(errno.EIO, "Input/output error"), 2, "tool: Input/output error; check the folder and the disk\n"),
        (KeyboardInterrupt(), 130, "tool: stopped by the user; nothing is half-written\n"),
    ],
)
def test_a_users_error_is_a_line_and_a_status_without_a_traceback(raised, status, shown, monkeypatch, capsys):
    def command() -> None:
        raise raised

    monkeypatch.setattr(sys, "argv", ["tool"])
    with pytest.raises(SystemExit) as left:
        command_line(command, "tool")
    assert left.value.code == status
    assert capsys.readouterr().err == shown


def test_our_own_mistakes_keep_their_traceback():
    code = "from udeansr.cli.command import command_line\ndef f():\n    assert 1 == 2\ncommand_line(f, 'tool')"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
