"""``msame`` and its successor ``ais_bench``: their arguments, where they leave what, and the times they print.

Neither can be trusted on its exit code alone: ``msame`` ends with 0 on most errors.
Source: Ascend/tools, ``msame`` and ``ais-bench_workload/tool/ais_bench``.
"""

import re
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np

from biggan_cli.errors import UsageError
from biggan_cli.runtime.process import Ended
from biggan_cli.settings import MsameRunConfig

_AIS_FOLDER = "results"
_TIME = re.compile(r"Inference time: *([0-9.eE+-]+) *ms")
_AIS_TIMES = re.compile(r"NPU_compute_time \(ms\): min = ([0-9.eE+-]+), max = ([0-9.eE+-]+), mean = ([0-9.eE+-]+)")
DONE = {"msame": "Inference average time", "ais_bench": "Performance Summary"}
"""What each prints at its end."""


def build_argv(
    settings: MsameRunConfig, om: Path, folders: Sequence[Path], output: Path, dynamic_batch: Optional[int]
) -> List[str]:
    """What follows the program; ``folders`` in the order of the model's inputs."""
    inputs = ",".join(str(folder) for folder in folders)
    common = ["--model", str(om), "--input", inputs, "--output", str(output), "--outfmt", "BIN"]
    common += ["--device", str(settings.device_id), "--loop", str(settings.loop)]
    if dynamic_batch:
        common += ["--dymBatch", str(dynamic_batch)]
    yes = "true"
    if settings.runner == "ais_bench":
        common += ["--output_dirname", _AIS_FOLDER]
        yes = "1"
    for wanted, flag in ((settings.profiler, "--profiler"), (settings.dump, "--dump")):
        if wanted:
            common += [flag, yes]
    return common


def check_path(path: Path) -> None:
    """Both split their inputs at commas, and ``msame`` takes a path with ``.bin`` in it for a file.

    Raises:
        UsageError: the path has one of the two.
    """
    for wrong in (",", ".bin"):
        if wrong in str(path):
            raise UsageError(
                f"msame does not take a folder with {wrong!r} in its path: {path}", fix="rename the folder of the run"
            )


def outputs_in(raw: Path) -> Dict[str, Path]:
    """Stem of the input file → what was written for it, whichever program did."""
    found = {}
    for path in raw.rglob("*.bin"):
        match = re.fullmatch(r"(\d+)(?:_output)?_0\.bin", path.name)
        if match:
            found[match.group(1)] = path
    return found


def written_bytes(runner: str, batch: int, gears: Sequence[int], each: int) -> int:
    """The size of an output file; with gears, the largest one's buffer divided as ``msame`` divides it."""
    if not gears or runner == "ais_bench":
        return batch * each
    return max(gears) * each // (max(gears) // batch)


def times_of(ended: Ended, batch: int) -> Dict[str, float]:
    """Milliseconds of an inference, the first one and the mean of the others, and pictures in a second."""
    text = "\n".join(ended.lines)
    summary = _AIS_TIMES.search(text)
    times = [float(match) for match in _TIME.findall(text)]
    if summary:
        found = dict(max_ms=float(summary.group(2)), mean_ms=float(summary.group(3)))
    elif times:
        found = dict(first_ms=times[0], mean_ms=float(np.mean(times[1:] or times)))
    else:
        return {}
    if found["mean_ms"] > 0:
        found["images_per_second"] = 1000.0 * batch / found["mean_ms"]
    return found


def first_error(ended: Ended) -> Optional[str]:
    """The first line that reports an error."""
    for line in ended.lines:
        if "[ERROR]" in line or re.match(r"\w*Error\b", line):
            return line.replace("[ERROR]", "").strip()
    return None
