"""Computes an offline model with TensorFlow on the CPU: what the device and its runtime do for the real tools."""

from typing import List, Optional, Sequence

import numpy as np

from biggan_cli.emulator.offline_model import OfflineModel, Tensor
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import tf

TOLERATED = 64
"""Bytes by which a buffer may be too small: the runtime aligns sizes."""


class ExecutionFailed(Exception):
    """The runtime refuses to execute the model."""


class Engine:
    """One model in one session. A context manager."""

    def __init__(self, model: OfflineModel):
        self.model = model
        self._graph = tf.Graph()
        with self._graph.as_default():
            tf.import_graph_def(tf.GraphDef.FromString(model.graph), name="")

    def __enter__(self) -> "Engine":
        self._session = open_session(self._graph, "cpu")
        fetches = [self._graph.get_tensor_by_name(tensor.tensor) for tensor in self.model.outputs]
        feeds = [self._graph.get_tensor_by_name(tensor.tensor) for tensor in self.model.inputs]
        self._feed_dtypes = [tensor.dtype.as_numpy_dtype for tensor in feeds]
        self._compute = self._session.make_callable(fetches, feed_list=feeds)
        return self

    def __exit__(self, *error) -> None:
        self._session.close()

    def execute(self, buffers: Sequence[bytes], batch: Optional[int] = None) -> List[np.ndarray]:
        """The outputs for raw input ``buffers``, in the model's order, each with its dtype and shape.

        Args:
            batch: for a model with gears; None is the largest. Its buffers are not checked, as in the real runtime.

        Raises:
            ExecutionFailed: the number of buffers is wrong, or one is too small by more than 64 bytes.
        """
        if len(buffers) != len(self.model.inputs):
            raise ExecutionFailed(f"{len(buffers)} input buffers, the model needs {len(self.model.inputs)}")
        values = []
        for number, (buffer, tensor) in enumerate(zip(buffers, self.model.inputs)):
            shape, size = shape_at(self.model, tensor, batch), size_of(self.model, tensor, batch)
            if not self.model.gears:
                _check_size(number, len(buffer), size)
            data = buffer[:size].ljust(size, b"\0")
            values.append(np.frombuffer(data, tensor.dtype).reshape(shape).astype(self._feed_dtypes[number]))
        try:
            results = self._compute(*values)
        except tf.errors.OpError as error:
            raise ExecutionFailed(error.message.splitlines()[0]) from None
        return [_as_dtype(result, tensor.dtype) for result, tensor in zip(results, self.model.outputs)]


def shape_at(model: OfflineModel, tensor: Tensor, batch: Optional[int] = None) -> List[int]:
    """The shape of an input for one gear; None is the largest."""
    return [(batch or max(model.gears)) if size == -1 else size for size in tensor.shape]


def size_of(model: OfflineModel, tensor: Tensor, batch: Optional[int] = None) -> int:
    """Bytes of an input (for one gear; None is the largest) or of an output at the largest gear."""
    return int(np.prod(shape_at(model, tensor, batch), dtype=np.int64)) * np.dtype(tensor.dtype).itemsize


def _check_size(number: int, given: int, needed: int) -> None:
    if given > needed:
        print(
            f"[WARN] Input size [{given}] is bigger than om size need [{needed}], "
            f"MAY cause inference result ERROR, please check model input [{number}]"
        )
    elif given + TOLERATED < needed:
        raise ExecutionFailed(f"Input size [{given}] of input [{number}] is smaller than om size need [{needed}]")


def _as_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """To the dtype of ``--output_type``: float16 saturates, uint8 too."""
    if values.dtype == np.dtype(dtype):
        return values
    limits = (-65504.0, 65504.0) if dtype == "float16" else (0, 255)
    return np.clip(values, *limits).astype(dtype) if dtype != "float32" else values.astype(dtype)
