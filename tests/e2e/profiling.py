"""What the tests of profiles share: a run with a raw profile, and toolkits whose msprof is a small script.

``FAKE_MSPROF`` switches the failures of the script on: ``exit1``, ``nothing``, ``hang``, ``cut``.
"""

import sys

from tests.e2e.deployment import make_program

NAME = "PROF_000001_20240102030405678_ABCDEFGHIJ"
STATISTIC = "OP Type,Core Type,Count,Total Time(us),Min Time(us),Avg Time(us),Max Time(us),Ratio(%)"
OPERATORS = {
    0: [
        ("Conv2D", "AI_CORE", 40, 6000.0),
        ("TransData", "AI_CORE", 20, 1000.5),
        ("RandomUniform", "AI_CPU", 10, 2500.0),
        ("Cast", "AI_CORE", 30, 499.5),
    ],
    1: [("Conv2D", "AI_CORE", 40, 5000.0), ("RandomUniform", "AI_CPU", 10, 1000.0)],
}
"""10 ms on device 0, a quarter of it on AI CPU; 6 ms on device 1, a sixth."""

STEP_TRACE = (
    "Iteration ID,FP Start(us),BP End(us),Iteration End(us),Iteration Time(us),FP to BP Time(us),"
    "Iteration Refresh(us),Data Aug Bound(us),Model ID"
)
STEPS = [
    "1,N/A,N/A,1900.0,900.0,N/A,N/A,N/A,1",
    '1,"3000.0\t","4800.0\t","8000.0\t",5000.0,1800.0,100.0,N/A,11',
    "2,8100.0,9600.0,10000.0,2000.0,1500.0,200.0,400.0,11",
    "3,10100.0,11900.0,13500.0,3500.0,1800.0,300.0,200.0,11",
]
"""Graph 1 runs once; graph 11 takes 3.5 ms in the mean, 5 ms in its first iteration."""

_SCRIPT = """#!{python}
import os, sys, time
from pathlib import Path

failure, arguments = os.environ.get("FAKE_MSPROF"), sys.argv[1:]
print("[INFO] export started with", *arguments)
sys.stdout.flush()
if {old}:
    verbs = arguments[:arguments.index("-dir")]
    assert verbs in (["import"], ["export", "summary"], ["export", "timeline"]), verbs
    target = Path(arguments[-1])
    if verbs != ["export", "summary"]:
        sys.exit(0)
else:
    assert arguments[0] == "--export=on" and arguments[1].startswith("--output="), arguments
    target = Path(arguments[1][len("--output="):])
assert target.is_absolute() and (target / "device_0" / "data").is_dir(), target
if failure == "hang":
    time.sleep(1000)
if failure == "nothing":
    print("[ERROR] there is no data to export")
    sys.exit(0)
files = {files!r}
for name, text in files.items():
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text[:len(text) // 2] if failure in ("cut", "exit1") else text)
    if failure == "exit1":
        print("[ERROR] the disk is full")
        sys.exit(1)
"""


def statistic(*devices):
    """op_statistic of one device, or of several with their column."""
    column = len(devices) > 1
    lines = [("Device_id," if column else "") + STATISTIC]
    for device in devices:
        for name, core, count, total in OPERATORS[device]:
            lines.append((f"{device}," if column else "") + f"{name},{core},{count},{total},1.0,2.0,3.0,9.9")
    return "\r\n".join(lines) + "\r\n"


def step_trace():
    return "\n".join([STEP_TRACE, *STEPS]) + "\n"


NEW = {
    "mindstudio_profiler_output/op_statistic_20240102040000.csv": statistic(0, 1),
    "mindstudio_profiler_output/step_trace_20240102040001.csv": "\n".join(
        ["Device_id," + STEP_TRACE, *("0," + step for step in STEPS)]
    ),
    "mindstudio_profiler_output/task_time_20240102040001.csv": "kernel_name\nnothing of ours\n",
}
OLD = {
    "device_0/summary/op_statistic_0_11_1.csv": statistic(0),
    "device_1/summary/op_statistic_1_11_1.csv": statistic(1),
    "device_0/summary/step_trace_0_11_1.csv": step_trace(),
}


def make_run(folder):
    """A run as far as ``profile`` looks at one, with a raw profile of two devices."""
    run = folder / "runs" / "00000-digits-32-digits"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    (run / "checkpoints" / "model-000004.json").write_text("{}")
    make_raw(run / "profile" / NAME)
    return run


def make_raw(profile):
    for place in ("host", "device_0", "device_1"):
        (profile / place / "data").mkdir(parents=True)
        (profile / place / "data" / "raw.slice_0").write_bytes(bytes(range(256)))
    return profile


def export(profile, files):
    for name, text in files.items():
        (profile / name).parent.mkdir(parents=True, exist_ok=True)
        (profile / name).write_text(text)


def make_toolkit_with_msprof(root, old=False):
    """A toolkit of today, or one that has only msprof.py."""
    place = "tools/profiler/bin/msprof"
    if old:
        place = "x86_64-linux/toolkit/tools/profiler/profiler_tool/analysis/msprof/msprof.py"
    script = _SCRIPT.format(python=sys.executable, old=old, files=OLD if old else NEW)
    program = make_program(root / place, script)
    if old:
        program.chmod(0o644)
    (root / "set_env.sh").write_text(f'export ASCEND_OPP_PATH="{root}/opp"\n')
    return root
