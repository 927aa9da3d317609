"""The runs of the emulated ``msame``: over the files of folders, or several times over one set of files."""

import signal
import sys
import time
from pathlib import Path
from typing import FrozenSet, List, Optional, Sequence

import numpy as np

from biggan_cli.emulator import failures
from biggan_cli.emulator.engine import Engine, ExecutionFailed, size_of
from biggan_cli.emulator.offline_model import OfflineModel
from biggan_cli.emulator.outputs import OutputFolder
from biggan_cli.errors import StepFailed


class Runs:
    """One loaded model and the folder of its outputs. A context manager."""

    def __init__(self, model: OfflineModel, batch: Optional[int], folder: Path, suffix: str, asked: FrozenSet[str]):
        self._model, self._batch, self._folder = model, batch, folder
        self._suffix, self._asked = suffix, asked
        self._engine = Engine(model)

    def __enter__(self) -> "Runs":
        self._engine.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._engine.__exit__(*error)

    def of_folders(self, folders: Sequence[str], names: Sequence[str]) -> None:
        """One inference for each of ``names``, a file of that name in every folder.

        Once one has failed all others do, since ``msame`` never empties the list of inputs then; and it goes on
        with them unless the one that failed was the second.

        Raises:
            StepFailed: a file cannot be read, or the second inference fails.
        """
        outputs = OutputFolder(self._folder, len(names), self._asked)
        times: List[float] = []
        left_over: List[bytes] = []
        for number, name in enumerate(names):
            outputs.before(number)
            buffers = left_over + [self._read(f"{folder}/{name}", index) for index, folder in enumerate(folders)]
            results = self._execute(buffers, times)
            if results is None:
                if number == 1 and "fail" not in self._asked:
                    raise StepFailed("model execute failed")
                print("[ERROR] model execute failed")
                left_over = buffers
                continue
            stem, dot, _ = name.rpartition(".")
            if not dot:
                print("terminate called after throwing an instance of 'std::out_of_range'", file=sys.stderr)
                failures.die(signal.SIGABRT)
            self._write(outputs, stem, number, results)
        print(f"Inference average time : {_mean(times):.2f} ms")
        if len(times) > 1:
            print(f"Inference average time without first time: {_mean(times[1:]):.2f} ms")

    def of_files(self, files: Sequence[str], name: str, loop: int) -> None:
        """``loop`` inferences of one set of files (zeros without any), and one set of outputs.

        Raises:
            StepFailed: a file cannot be read, or the execution fails.
        """
        outputs = OutputFolder(self._folder, 1, self._asked)
        if files:
            buffers = [self._read(path, index) for index, path in enumerate(files)]
        else:
            buffers = [bytes(size_of(self._model, tensor, self._batch)) for tensor in self._model.inputs]
        outputs.before(0)
        times: List[float] = []
        for _ in range(loop):
            results = self._execute(buffers, times)
            if results is None:
                if "fail" in self._asked:
                    return
                raise StepFailed("model execute failed")
        self._write(outputs, name, 0, results)
        print(f"Inference average time: {_mean(times):f} ms")
        if loop > 1:
            print(f"Inference average time without first time: {_mean(times[1:]):f} ms")

    def _read(self, path: str, index: int) -> bytes:
        print(f"[INFO] start to process file:{path}")
        try:
            with open(path, "rb") as file:
                buffer = file.read()
            problem = "" if buffer else f"binfile is empty, filename is {path}"
        except OSError:
            problem = f"open file {path} failed"
        if problem:
            print(f"[ERROR] {problem}")
            raise StepFailed(f"get pic device buffer failed,index is {index}")
        return buffer

    def _execute(self, buffers: Sequence[bytes], times: List[float]) -> Optional[List[np.ndarray]]:
        """The outputs, with the milliseconds added to ``times``; None if the runtime refused."""
        start = time.time()
        try:
            if "fail" in self._asked:
                raise ExecutionFailed("the failure that the test asked for")
            results = self._engine.execute(buffers, self._batch)
        except ExecutionFailed as error:
            print(f"[ERROR] {error}\n[ERROR] execute model failed, modelId is 1")
            return None
        times.append(1000 * (time.time() - start))
        print(f"[INFO] model execute success\nInference time: {times[-1]:g}ms")
        return results

    def _write(self, outputs: OutputFolder, stem: str, number: int, results: Sequence[np.ndarray]) -> None:
        """With gears ``msame`` writes the buffer of the largest, divided by how many times the gear fits into it."""
        for index, (values, tensor) in enumerate(zip(results, self._model.outputs)):
            length = size_of(self._model, tensor)
            if self._batch:
                length //= max(self._model.gears) // self._batch
            outputs.write(f"{stem}_output_{index}.{self._suffix}", number, values, length)
        print("[INFO] output data success")


def _mean(milliseconds: Sequence[float]) -> float:
    """C's 0 / 0 for none."""
    return sum(milliseconds) / len(milliseconds) if milliseconds else float("nan")
