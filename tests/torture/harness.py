"""Kills a real training with SIGKILL again and again, and compares its end with that of one that nobody touched.

A kill is set off by a line that the training prints, a random moment later: lines come right before a save and right
after one, so many of the kills fall into saving. The last one falls after the last step. Some processes are asked for
a checkpoint besides (SIGUSR1) before they are killed. Where a kill fell is read from what it left: nothing in the
program knows of this test.
"""

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from biggan_cli.rundir import RunDir
from biggan_cli.runtime.tf import tf
from biggan_cli.training import checkpoints
from tests.conftest import BIGGAN, TINY

SETTINGS = [*TINY, "--save-every", "2", "--log-every", "3", "--sample-every", "4", "--keep-checkpoints", "3"]
"""Records that span checkpoints, and checkpoints without a record of their own interval."""
SCORES = ["--score-every", "10", "--score-num", "100"]
PHASES = ("starting", "stepping", "saving", "drawing", "scoring", "ending")
_STARTING = 4.0
"""Seconds within which a process that is only starting is killed."""
_STEP, _SAVED, _DREW, _SCORED = (
    rb"step (\d+)/",
    rb"saved \S*model-(\d+)",
    rb"drew \S*step_(\d+)",
    rb"score at step (\d+)",
)
_LINES = (_STEP, _SAVED, _DREW, _DREW, _SCORED)
"""One of them sets a kill off: before a grid or a save, after a save, between a grid and the save after it, and after
a score."""
_SPAN = 0.25
"""Seconds after a line within which a kill falls: some steps, saves and grids of a tiny network."""
_TIMES = re.compile(r"second|bytes")
"""Fields of a record that two runs of the same have not in common."""


def _tell(line: str) -> None:
    print(line, flush=True)


class Kill(NamedTuple):
    """``step``: the last one that the log knows of; ``left``: what the killed process left half done."""

    number: int
    phase: str
    step: int
    resumed_at: int
    left: str


def run_torture(folder: Path, kills: int, steps: int, seed: int, arguments: Sequence[str], tell=_tell) -> List[Kill]:
    """Train twice the same, the second time with ``kills`` kills, and compare.

    Raises:
        AssertionError: the two differ; says in what.
    """
    settings = [*SETTINGS, *SCORES, *arguments, "--steps", str(steps)]
    environment = dict(os.environ, BIGGAN_CACHE=str(folder / "cache"), PYTHONUNBUFFERED="1")
    alone = [BIGGAN, "train", *settings, "--outdir", str(folder / "whole")]
    subprocess.run(alone, check=True, capture_output=True, env=environment)
    (whole,) = _runs(folder / "whole")
    random_ = random.Random(seed)
    done: List[Kill] = []
    run: Optional[RunDir] = None
    while len(done) < kills:
        number = len(done) + 1
        command = [BIGGAN, "train", "--resume", str(run.path)] if run else [BIGGAN, "train", *settings]
        reached, built = (_latest(run), len(_sessions(run)) - 1) if run else (0, 0)
        goal = max(reached + 1, number * steps // (kills + 1)) if number < kills else steps
        command += ["--outdir", str(folder / "killed")]
        killed = _killed(
            *(command, environment, goal),
            starting=number % 8 == 0 and number < kills,
            asked=number % 4 == 2,
            ending=number == kills,
            random_=random_,
        )
        found = _runs(folder / "killed")
        if run is None and not found:
            continue  # it was killed before it had a run: the next one is as new
        run = found[0]
        assert killed or number == kills, f"the training ended by itself before kill {number}"
        if not killed:
            tell(f"{number:4}  the training had ended before")
            break
        kill = _seen(run, number, reached, built)
        done.append(kill)
        tell(f"{kill.number:4}  step {kill.step:5}  {kill.phase:9} {kill.left}")
    if json.loads(run.state.read_text())["state"] != "finished":
        last = subprocess.run([BIGGAN, "train", "--resume", str(run.path)], capture_output=True, env=environment)
        assert last.returncode == 0, last.stderr.decode()
    compare(whole, run)
    return done


def compare(whole: RunDir, killed: RunDir) -> None:
    """That two runs of the same configuration left the same, but for times."""
    ends = [checkpoints.newest_sound(run) for run in (whole, killed)]
    assert [checkpoint.step for checkpoint, _ in ends] == [ends[0][0].step] * 2 and not ends[1][1]
    expected, found = (checkpoints.read(checkpoint.prefix) for checkpoint, _ in ends)
    assert set(expected) == set(found)
    different = [name for name in expected if expected[name].tobytes() != found[name].tobytes()]
    assert not different, f"{len(different)} of {len(expected)} variables differ: {different[:5]}"
    assert ends[0][0].record["ticks"] == ends[1][0].record["ticks"]
    assert checkpoints.steps(whole) == checkpoints.steps(killed)
    records = [_records(run) for run in (whole, killed)]
    assert records[0] == records[1], f"stats.jsonl differs: {_difference(*records)}"
    for run in (whole, killed):
        assert _scalars(run) == _expected_scalars(run), f"events of {run} are not its stats.jsonl"
    scores = [_scores(run) for run in (whole, killed)]
    assert scores[0] == scores[1], f"scores differ: {scores}"
    assert checkpoints.best(whole) == checkpoints.best(killed)
    grids = [{path.name: path.read_bytes() for path in run.samples.iterdir()} for run in (whole, killed)]
    assert grids[0] == grids[1], "the grids differ"
    assert json.loads(killed.state.read_text())["state"] == "finished"
    files = [sorted(_plain_names(run)) for run in (whole, killed)]
    assert files[0] == files[1], "files that are not in both: " + str(set(files[0]) ^ set(files[1]))


def table(kills: Sequence[Kill]) -> List[str]:
    """How many kills fell where."""
    return [f"{phase:9} {sum(kill.phase == phase for kill in kills):4}" for phase in PHASES]


def _killed(
    command: Sequence[str],
    environment: Mapping[str, str],
    goal: int,
    starting: bool,
    asked: bool,
    ending: bool,
    random_: random.Random,
) -> bool:
    """Start a training and kill it; whether there was something to kill.

    Args:
        goal: the step from which on a line sets the kill off.
        starting: it is killed before that; ``ending``: right after its last line.
        asked: it is asked for a checkpoint before.
    """
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        if starting:
            time.sleep(random_.uniform(0, _STARTING))
        else:
            word = _SCORED if ending else random_.choice(_LINES)
            for line in process.stderr:
                said = re.match(word, line)
                if said and int(said.group(1)) >= goal:
                    break
            if asked:
                time.sleep(random_.uniform(0, _SPAN))
                process.send_signal(signal.SIGUSR1)
            time.sleep(random_.uniform(0, 0.0 if ending else _SPAN))
        killed = process.poll() is None
        process.kill()
        process.stderr.read()
    return killed


def _sessions(run: RunDir) -> List[str]:
    """What the log says before the first graph was built, and after each."""
    log = run.log.read_text(errors="replace") if run.log.exists() else ""
    return re.split(r"(?m)^.* building the training graph$", log)


def _seen(run: RunDir, number: int, resumed_at: int, built: int) -> Kill:
    """Where a kill fell, from what it left; ``built``: graphs until then, by earlier processes."""
    own = _sessions(run)
    begun = len(own) - 1 > built
    lines = own[-1].splitlines() if begun else []
    said = [re.search(r" (?:(score) at )?(step|saved|drew) (?:\S*model-|\S*step_)?(\d+)", line) for line in lines]
    said = [(match.group(1) or match.group(2), int(match.group(3))) for match in said if match]
    left = sorted(path.name for path in run.checkpoints.iterdir() if path.name.startswith("."))
    left += sorted(path.name for path in run.samples.iterdir() if path.name.startswith("."))
    lone = {path.name.split(".")[0] for path in run.checkpoints.glob("model-*.*")}
    lone -= {f"model-{step:06d}" for step in checkpoints.steps(run)}
    step = said[-1][1] if said else resumed_at
    if left and left[0].startswith(".step"):
        phase = "drawing"
    elif left or lone or (said and said[-1][0] == "drew"):
        phase = "saving"
    elif not said:
        phase = "starting"
    elif step == json.loads(run.state.read_text())["steps"] and said[-1][0] == "score":
        phase = "ending"
    elif said[-1][0] == "saved" and step % int(SCORES[1]) == 0:
        phase = "scoring"
    elif said[-1][0] == "step" and step % 4 == 0:
        phase = "drawing"
    elif said[-1][0] == "step" and step % 2 == 0:
        phase = "saving"
    else:
        phase = "stepping"
    return Kill(number, phase, step, resumed_at, " ".join([*left, *sorted(lone)]))


def _latest(run: RunDir) -> int:
    return max(checkpoints.steps(run), default=0)


def _runs(outdir: Path) -> List[RunDir]:
    return [RunDir(path) for path in sorted(outdir.glob("[0-9]*")) if (path / "config.json").exists()]


def _plain_names(run: RunDir) -> List[str]:
    paths = (path.relative_to(run.path).as_posix() for path in run.path.rglob("*"))
    return [name for name in paths if not name.startswith("events.")]


def _records(run: RunDir) -> List[Dict]:
    text = run.stats.read_text()
    assert text.endswith("\n")
    read = [json.loads(line) for line in text.splitlines()]
    steps = [record["step"] for record in read]
    assert steps == sorted(set(steps)), f"stats.jsonl has steps twice or in disorder: {steps}"
    return [{name: value for name, value in record.items() if not _TIMES.search(name)} for record in read]


def _scores(run: RunDir) -> List:
    read = map(json.loads, run.score.read_text().splitlines() if run.score.exists() else ())
    return [(record["samples"]["step"], record["fid"], record["inception_score"]) for record in read]


def _difference(expected: List[Dict], found: List[Dict]) -> str:
    if [r["step"] for r in expected] != [r["step"] for r in found]:
        return f"the steps {[r['step'] for r in expected]} and {[r['step'] for r in found]}"
    return str(next((a, b) for a, b in zip(expected, found) if a != b))


def _scalars(run: RunDir) -> Dict:
    """(step, tag) → value as TensorBoard shows them: a START leaves out what was told of its step and later ones."""
    found: Dict = {}
    for path in sorted(run.path.glob("events.*")):
        for event in tf.train.summary_iterator(str(path)):
            if event.session_log.status == tf.SessionLog.START:
                found = {key: value for key, value in found.items() if key[0] < event.step}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    assert (event.step, value.tag) not in found
                    found[event.step, value.tag] = value.simple_value
    return {key: value for key, value in found.items() if key[1] == "d_loss"}


def _expected_scalars(run: RunDir) -> Dict:
    records = (json.loads(line) for line in run.stats.read_text().splitlines())
    return {(record["step"], "d_loss"): float(np.float32(record["d_loss"])) for record in records}
