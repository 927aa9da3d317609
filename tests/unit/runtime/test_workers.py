"""Processes side by side: results in order, few jobs ahead, and an end whatever happens."""

import os
import signal
import subprocess
import sys
import time

import pytest

from biggan_cli.errors import StepFailed
from biggan_cli.runtime import workers

# What the workers do must be importable by them: it is of the standard library.


@pytest.mark.parametrize("processes", (1, 2))
def test_results_come_in_the_order_of_the_jobs(processes):
    assert list(workers.in_order(abs, iter(range(-40, 0)), processes)) == list(range(40, 0, -1))


def test_only_a_few_jobs_are_taken_ahead():
    """Else all of a data set would be in memory where writing is slower than reading."""
    taken = []
    jobs = (taken.append(number) or number for number in range(1000))
    results = workers.in_order(abs, jobs, 2)
    next(results)
    assert len(taken) <= 10
    results.close()
    assert len(taken) <= 10


def test_an_error_of_a_job_is_raised():
    with pytest.raises(TypeError):
        list(workers.in_order(abs, ["x"], 2))


def test_a_worker_that_is_killed():
    with pytest.raises(StepFailed, match="worker processes was ended"):
        list(workers.in_order(os._exit, [9], 2))


def test_workers_end_when_their_parent_is_killed(tmp_path):
    """They would wait for jobs for ever."""
    code = (
        "import os, time\n"
        "from biggan_cli.runtime import workers\n"
        "if __name__ == '__main__':\n"
        "    results = workers.in_order(abs, [1, 2, 3, 4, 5, 6, 7, 8], 2)\n"
        "    next(results)\n"
        "    print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "main.py").write_text(code)
    with subprocess.Popen([sys.executable, str(tmp_path / "main.py")], stdout=subprocess.PIPE) as parent:
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) >= 2
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.time() + 20
    while any(_runs(child) for child in children) and time.time() < deadline:
        time.sleep(0.1)
    assert not [child for child in children if _runs(child)]


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
