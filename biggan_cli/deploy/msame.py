"""``msame`` and its successor ``ais_bench``: their arguments, where they leave what, and the times they print.

Neither can be trusted on its exit code alone: ``msame`` ends with 0 on most errors.
Source: Ascend/tools, ``msame`` and ``ais-bench_workload/tool/ais_bench``.
"""

import contextlib
import json
import re
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np

from biggan_cli.errors import UsageError
from biggan_cli.runtime.process import Ended
from biggan_cli.settings import MsameRunConfig

_AIS_FOLDER = "results"
_AIS_SUMMARY = _AIS_FOLDER + "_summary.json"
_TIME = re.compile(r"Inference time: *([0-9.eE+-]+) *ms")
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


def times_of(ended: Ended, raw: Path, batch: int) -> Dict[str, float]:
    """Milliseconds of the first inference and the mean of the others, and pictures in a second.

    ``msame`` prints each time, ``ais_bench`` leaves them in a file beside its outputs.
    """
    times = [float(match) for match in _TIME.findall("\n".join(ended.lines))]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        times = [float(time) for time in json.loads((raw / _AIS_SUMMARY).read_text())["npu_compute_time_list"]]
    if not times:
        return {}
    found = dict(first_ms=times[0], mean_ms=float(np.mean(times[1:] or times)))
    if found["mean_ms"] > 0:
        found["images_per_second"] = 1000.0 * batch / found["mean_ms"]
    return found


def left_besides(raw: Path) -> List[Path]:
    """The folders that hold no outputs: what profiling and dumping left."""
    outputs = {path.parent for path in outputs_in(raw).values()} | {raw / _AIS_FOLDER}
    return sorted(path for path in raw.glob("[!0-9]*") if path.is_dir() and path not in outputs)


def first_error(ended: Ended) -> Optional[str]:
    """The first line that reports an error."""
    for line in ended.lines:
        if "[ERROR]" in line or re.match(r"\w*Error\b", line):
            return line.replace("[ERROR]", "").strip()
    return None
