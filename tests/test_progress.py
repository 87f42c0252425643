import logging
import subprocess
import sys

from tqdm.contrib.logging import logging_redirect_tqdm

from udeansr import progress
from udeansr.progress import progress_bar


def run_through_a_pipe(log_seconds: float) -> str:
    """What a loop of 60 steps, some 10 ms each, says where standard error is a pipe."""
    program = f"""
import time
from udeansr import progress
progress.LOG_SECONDS = {log_seconds}
with progress.progress_bar("cases", 60, unit="case") as bar:
    for _ in range(60):
        time.sleep(0.01)
        bar.update()
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


def test_a_log_gets_a_line_now_and_then_and_never_one_a_step():
    said = run_through_a_pipe(log_seconds=0.2)
    lines = said.splitlines()
    assert 2 <= len(lines) <= 6, said
    assert "\r" not in said and said.endswith("\n")
    assert all(line.startswith("cases: ") for line in lines) and lines[-1].startswith("cases: 60/60 [")


def test_short_work_says_nothing_in_a_log():
    assert run_through_a_pipe(log_seconds=60) == ""


def test_a_logged_message_makes_a_log_say_no_more(capsys, caplog):
    with logging_redirect_tqdm(), progress_bar("cases", 2) as bar:
        for _ in range(2):
            logging.getLogger("udeansr").warning("a message")
            bar.update()
    assert "cases" not in capsys.readouterr().err


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar("cases", 3) as bar:
        bar.update(3)
    said = capsys.readouterr().err
    assert said.startswith("\rcases:   0%|") and "100%|" in said
