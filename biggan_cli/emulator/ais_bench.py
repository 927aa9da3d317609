"""The emulated ``ais_bench``, the successor of ``msame``: ``python -m biggan_cli.emulator.ais_bench``.

Input files are packed into a batch where the model's input is a multiple of a file; the last batch is filled up with
the first file of its batch. Outputs are ``<output>/<time or --output_dirname>/<stem>_<output>.bin``, with
``<…>_summary.json`` beside the folder. Its errors end with a traceback and exit code 1, as in the real one.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence

from biggan_cli.emulator import as_process, failures, offline_model
from biggan_cli.errors import StepFailed

_LINE = "[INFO] ------------------------------------------------------"
_PURE = "pure_infer_data"


class Sample(NamedTuple):
    """One batch: for each input of the model its files, and how many of those are no filling."""

    files: List[List[str]]
    real: int


def main(arguments: List[str]) -> int:
    """Run ``ais_bench`` with these arguments; the exit code.

    Raises:
        RuntimeError: it ends with a traceback where the real one does.
    """
    asked = failures.asked_of("ais_bench")
    options = _parser().parse_args(arguments)
    if options.output is None and options.output_dirname is not None:
        raise _error("parameter --output_dirname cann't be used alone. Please use it together with --output!")
    if "," in options.device or not 0 <= int(options.device) <= 255:
        raise _error(f"device:{options.device} is not emulated, or not in [0, 255]")
    try:
        model = offline_model.read(Path(options.model))
    except StepFailed as error:
        raise _error(f"load model from file failed: {error.message}") from None
    print(f"[INFO] load model {options.model} success")
    if options.dymBatch and options.dymBatch not in model.gears:
        raise _error(f"dymBatch {options.dymBatch} is none of the model's {model.gears}")
    if "hang" in asked:
        failures.hang()
    if "fail" in asked:
        print("[ERROR] the failure that the test asked for")
        return 0
    _run(model, options, asked)
    return 1 if "exit1" in asked else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ais_bench")
    parser.add_argument("--model", "-m", required=True)
    parser.add_argument("--input", "-i")
    parser.add_argument("--output", "-o")
    parser.add_argument("--output_dirname")
    parser.add_argument("--outfmt", default="BIN", choices=["NPY", "BIN", "TXT"])
    parser.add_argument("--loop", "-l", type=_positive, default=1)
    parser.add_argument("--device", "-d", default="0")
    parser.add_argument("--batchsize", type=_positive)
    parser.add_argument("--warmup_count", type=int, default=1)
    parser.add_argument("--dymBatch", type=int, default=0)
    parser.add_argument("--pure_data_type", default="zero", choices=["zero", "random"])
    parser.add_argument("--run_mode", default="array", choices=["array", "files", "tensor", "full"])
    parser.add_argument("--display_all_summary", default="0")
    parser.add_argument("--debug", default="0")
    parser.add_argument("--profiler", default="0")
    parser.add_argument("--dump", default="0")
    return parser


def _positive(text: str) -> int:
    if int(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is an invalid positive int value")
    return int(text)


def _run(model: offline_model.OfflineModel, options, asked: FrozenSet[str]) -> None:
    from biggan_cli.emulator.engine import Engine, ExecutionFailed, shape_at, size_of  # with TensorFlow: seconds
    from biggan_cli.emulator.outputs import OutputFolder

    batch = options.dymBatch or None
    sizes = [size_of(model, tensor, batch) for tensor in model.inputs]
    folder = _folder(options)
    samples = _samples(options.input.split(",") if options.input else [], sizes)
    outputs = OutputFolder(folder, len(samples), asked) if folder else None
    times: List[float] = []
    written: Dict[int, dict] = {}
    with Engine(model) as engine:
        for number, sample in enumerate(samples):
            buffers = [_read(files, size) for files, size in zip(sample.files, sizes)]
            if outputs:
                outputs.before(number)
            warm_up = options.warmup_count if number == 0 else 0
            rounds = options.loop if not options.input else 1
            for turn in range(warm_up + rounds):
                start = time.time()
                try:
                    results = engine.execute(buffers, batch)
                except ExecutionFailed as error:
                    raise _error(f"model execute failed: {error}") from None
                if turn >= warm_up:
                    times.append(1000 * (time.time() - start))
            if outputs:
                _save(outputs, options, sample, number, results, written)
    images = options.batchsize or (shape_at(model, model.inputs[0], batch) or [1])[0]
    _report(times, images, options, folder, written)


def _folder(options) -> Optional[Path]:
    if options.output is None:
        return None
    folder = Path(options.output) / (options.output_dirname or time.strftime("%Y_%m_%d-%H_%M_%S"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"[INFO] output path:{folder}")
    return folder


def _samples(inputs: List[str], sizes: Sequence[int]) -> List[Sample]:
    """The batches; folders, one for each input of the model, or files, divided evenly among the inputs."""
    if not inputs:
        return [Sample([[_PURE]] * len(sizes), 1)]
    if os.path.isdir(inputs[0]):
        if len(inputs) != len(sizes):
            raise _error(f"Invalid args. args input dir num:{len(inputs)} not equal to model inputs num:{len(sizes)}")
        files = [
            [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
            for folder in inputs
        ]
    else:
        each = len(inputs) // len(sizes)
        files = [inputs[start : start + each] for start in range(0, each * len(sizes), each or 1)]
    for path in (path for paths in files for path in paths):
        if not os.path.isfile(path):
            raise _error(f"Invalid input args. {path} not exist")
    if len(files) != len(sizes) or not files[0]:
        raise _error(f"fileslist:{len(files)} intensor:{len(sizes)} not match")
    size = os.path.getsize(files[0][0])
    if size == 0 or sizes[0] % size:
        raise _error(f"arg0 tensorsize: {sizes[0]} filesize: {size} not match")
    count = sizes[0] // size
    runs = -(-len(files[0]) // count)
    print(f"[INFO] get filesperbatch files0 size:{size} tensor0size:{sizes[0]} filesperbatch:{count} runcount:{runs}")
    samples = []
    for start in range(0, len(files[0]), count):
        parts = [paths[start : start + count] for paths in files]
        real = len(parts[0])
        samples.append(Sample([part + part[:1] * (count - len(part)) for part in parts], real))
    return samples


def _read(files: Sequence[str], size: int) -> bytes:
    if files[0] == _PURE:
        return bytes(size)
    data = b"".join(Path(path).read_bytes() for path in files)
    if len(data) != size:
        raise _error(f"ndata size:{len(data)} not match {size}")
    return data


def _save(outputs, options, sample: Sample, number: int, results, written: Dict[int, dict]) -> None:
    """Divide every output among the files of the batch, the filling left out."""
    count = len(sample.files[0])
    for index, values in enumerate(results):
        if values.shape[0] % count:
            raise _error(f"save out files error array shape:{values.shape} files_count_perbatch:{count}")
        each = values.shape[0] // count
        for place in range(sample.real):
            part = values[place * each : (place + 1) * each]
            stem = os.path.basename(sample.files[0][place]).split(".")[0]
            name = f"{stem}_{index}.{options.outfmt.lower()}"
            outputs.write(name, number, part, part.nbytes)
            infiles = [files[place] for files in sample.files]
            entry = written.setdefault(number * count + place, dict(infiles=infiles, outfiles=[]))
            entry["outfiles"].append(str(outputs.path / name))


def _report(times: List[float], images: int, options, folder: Optional[Path], written: Dict[int, dict]) -> None:
    ordered = sorted(times)
    mean = sum(times) / len(times)
    middle = len(ordered) // 2
    median = (ordered[middle] + ordered[~middle]) / 2
    place = 0.99 * (len(ordered) - 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    percentile = below + (above - below) * (place - int(place))
    throughput = 1000 * images / mean
    print("[INFO] -----------------Performance Summary------------------")
    print(
        f"[INFO] NPU_compute_time (ms): min = {ordered[0]}, max = {ordered[-1]}, mean = {mean}, median = {median}, "
        f"percentile(99%) = {percentile}"
    )
    print(f"[INFO] throughput 1000*batchsize.mean({images})/NPU_compute_time.mean({mean}): {throughput}")
    print(_LINE)
    if folder:
        compute = dict(min=ordered[0], max=ordered[-1], mean=mean, median=median, count=len(times))
        compute["percentile(99%)"] = percentile
        summary = dict(filesinfo=written, NPU_compute_time=compute, throughput=throughput, pid=os.getpid())
        summary.update(npu_compute_time_list=times, args={key: str(value) for key, value in vars(options).items()})
        Path(str(folder) + "_summary.json").write_text(json.dumps(summary), encoding="utf-8")


def _error(text: str) -> RuntimeError:
    print(f"[ERROR] {text}")
    return RuntimeError(text)


if __name__ == "__main__":
    as_process(main)
