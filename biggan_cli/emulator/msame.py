"""The emulated ``msame``: runs the emulator's offline models on raw input files, with the habits of the real one.

It reports on stdout. Mistakes in flags and in paths of inputs end with exit code 0, so does a run in which single
files failed; only a model that cannot be loaded, an input file that cannot be read and a first run that fails exit
with 1. Outputs go to a new folder under ``--output``, named by the time without padding
(``2026113_9_5_7_1234``: year month day _ hour _ minute _ second _ microsecond), which it prints.
"""

import datetime
import getopt
import json
import os
import sys
from pathlib import Path
from typing import Dict, FrozenSet, List

from biggan_cli.emulator import as_process, failures, offline_model
from biggan_cli.errors import StepFailed

_FLAGS = ("model", "input", "output", "outfmt", "dump", "profiler", "loop", "dymBatch", "device", "debug")
_NOT_EMULATED = ("dymDims", "dymHW", "dymShape", "outputSize")
_USAGE = """
Usage:
generate offline model inference output file example:
./msame --model x.om --input z.bin,y.bin --output out --outfmt BIN --loop 2

arguments explain:
  --model       Model file path
  --input       Input data path, files or folders, separated by ','
  --output      Output path
  --outfmt      Output file format (TXT or BIN)
  --loop        loop time (must in 1 to 100)
  --dump        Enable dump (true or false)
  --profiler    Enable profiler (true or false)
  --device      Designated the device ID (must in 0 to 255)
  --debug       Debug switch, print model information (true or false)
  --dymBatch    dynamic batch size param, such as --dymBatch 2
"""


class Ended(Exception):
    """The process ends at once with this exit code, after these errors."""

    def __init__(self, code: int, *errors: str):
        super().__init__(code)
        self.code, self.errors = code, errors


def main(arguments: List[str]) -> int:
    """Run ``msame`` with these arguments; the exit code."""
    asked = failures.asked_of("msame")
    try:
        options = _options(arguments)
        device = options.get("device", "0")
        for what in ("acl init", f"open device {device}", "create context", "create stream", "get run mode"):
            _info(f"{what} success")
        code = 0
        try:
            _process(options, asked)
            _info("Execute sample success")
        except StepFailed:
            code = 1
            _error("Sample process failed")
        for what in ("destroy stream", "destroy context", f"reset device is {device}", "finalize acl"):
            _info(f"end to {what}")
    except Ended as error:
        for line in error.errors:
            _error(line)
        return error.code
    return 1 if "exit1" in asked else code


def _options(arguments: List[str]) -> Dict[str, str]:
    try:
        pairs, _ = getopt.gnu_getopt(arguments, "", [f"{flag}=" for flag in _FLAGS + _NOT_EMULATED] + ["help"])
    except getopt.GetoptError as error:
        print(f"msame: {error.msg}", file=sys.stderr)
        print("[ERROR] unknown paramenter\n\n[ERROR] Execute sample failed\n")
        print(_USAGE)
        raise Ended(0) from None
    options = {name[2:]: value for name, value in pairs}
    if "help" in options:
        print(_USAGE)
        raise Ended(0)
    if ".om" not in options.get("model", ".om"):
        raise Ended(0, "input model file type is not .om , please check your model type!\n")
    for flag, label, lowest, highest in (
        ("loop", "loop", 1, 100),
        ("device", "device id", 0, 255),
        ("dymBatch", "dymBatch", 1, 2048),
    ):
        if flag in options and not lowest <= _leading_number(options[flag]) <= highest:
            raise Ended(0, f"{label} must in {lowest} to {highest}\n")
    if not set(options) - {"loop", "device"}:
        print("[ERROR] Invalid params\n\n[ERROR] Execute sample failed\n")
        print(_USAGE)
        raise Ended(1)
    if options.get("dump") == options.get("profiler") == "true":
        raise Ended(1, "dump and profiler can not both be true")
    for flag in _NOT_EMULATED:
        if flag in options:
            raise Ended(1, f"--{flag} is not emulated")
    return options


def _leading_number(text: str) -> int:
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return int(digits or 0)


def _process(options: Dict[str, str], asked: FrozenSet[str]) -> None:
    model = _load(options)
    try:
        _infer(model, options, asked)
        _info("unload model success, model Id is 1")
    except StepFailed as error:
        _error(error.message)
        _info("unload model success, model Id is 1")
        raise


def _infer(model: offline_model.OfflineModel, options: Dict[str, str], asked: FrozenSet[str]) -> None:
    _info("create model description success")
    batch = _batch(model, options["dymBatch"]) if "dymBatch" in options else None
    if options.get("debug") == "true":
        _describe(model)
    _info("create model output success")
    folder = _folder(options.get("output", ""))
    for what in ("profiler", "dump"):
        if options.get(what) == "true":
            _leave_besides(what, folder.parent)
    if "hang" in asked:
        failures.hang()
    inputs = [item.strip() for item in options.get("input", "").split(",")] if options.get("input") else []
    from biggan_cli.emulator.msame_runs import Runs  # with TensorFlow and NumPy: seconds

    suffix = "txt" if options.get("outfmt") == "TXT" else "bin"
    with Runs(model, batch, folder, suffix, asked) as runs:
        if inputs and ".bin" not in inputs[0]:
            runs.of_folders(inputs, _names(inputs))
        else:
            name = os.path.basename(options["model"]).rpartition(".")[0]
            runs.of_files(inputs, name, _leading_number(options.get("loop", "1")))


def _batch(model: offline_model.OfflineModel, asked_for: str) -> int:
    batch = _leading_number(asked_for)
    if not model.gears:
        _error("the dynamic_batch_size parameter is not specified for model conversion")
        raise StepFailed("check dynamic batch size failed")
    if batch not in model.gears:
        _error("the dymBatch parameter is not correct")
        _info(f"model has dynamic batch sizes: {' '.join(map(str, model.gears))}")
        raise StepFailed("check dynamic batch size failed")
    _info("check dynamic batch success")
    return batch


def _load(options: Dict[str, str]) -> offline_model.OfflineModel:
    path = options.get("model", "")
    try:
        model = offline_model.read(Path(path))
    except StepFailed as error:
        _error(error.message)
        _error(f"load model from file failed, model file is {path}")
        _error("load model from file failed")
        print("[WARN] no model had been loaded, unload failed")
        raise
    _info(f"load model {path} success")
    return model


def _folder(output: str) -> Path:
    """A new folder by time under ``output``; only the last folder of ``output`` is made if it is missing."""
    if output and not os.path.isdir(output):
        _make_folder(output)
    now = datetime.datetime.now()
    stamp = f"{now.year}{now.month}{now.day}_{now.hour}_{now.minute}_{now.second}_{now.microsecond}"
    folder = f"{output}/{stamp}"
    print(folder)
    _make_folder(folder)
    if not os.path.isdir(folder):
        raise Ended(0, "current user does not have permission")
    return Path(folder)


def _make_folder(path: str) -> None:
    try:
        os.mkdir(path, 0o775)
    except OSError:
        return  # as the real one, which looks later whether the folder is there


def _leave_besides(what: str, output: Path) -> None:
    """What profiling and dumping leave: a configuration where it runs, and a folder beside the outputs."""
    Path("acl.json").write_text(json.dumps({what: {"output": str(output / what)}}), encoding="utf-8")
    (output / what).mkdir(exist_ok=True)
    (output / what / "emulated.txt").write_text(f"the emulated msame has nothing to {what}\n", encoding="utf-8")


def _names(folders: List[str]) -> List[str]:
    """The sorted files of the first folder, without hidden ones."""
    for folder in folders:
        if not os.path.exists(folder):
            raise Ended(0, f"{folders[0]} doesn't exist")
        if os.path.isfile(folder):
            raise Ended(0, "input parameter must be folder or file ending in '.bin'")
    names = sorted(name for name in os.listdir(folders[0]) if not name.startswith("."))
    if not names:
        print(f"[ERROR] No file in the directory[{folders[0]}]", end="")
    return names


def _describe(model: offline_model.OfflineModel) -> None:
    print("[DEBUG] start print model description")
    print(f"[DEBUG] NumInputs: {len(model.inputs)}\n[DEBUG] NumOutputs: {len(model.outputs)}")
    for kind, tensors in (("input", model.inputs), ("output", model.outputs)):
        for number, tensor in enumerate(tensors):
            print(f"[DEBUG] the dims of {number} {kind}:\n{' '.join(map(str, tensor.shape))} ")
            print(f"[DEBUG] the name of {number} {kind}: {tensor.name}")
            print(f"[DEBUG] the DataType of {number} {kind}: {tensor.dtype}")
    print("[DEBUG] end print model description")


def _info(text: str) -> None:
    print(f"[INFO] {text}")


def _error(text: str) -> None:
    print(f"[ERROR] {text}")


if __name__ == "__main__":
    as_process(main)
