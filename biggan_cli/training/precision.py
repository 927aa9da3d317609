"""In which type a step computes, how its gradients come, and how it ends.

Weights, norms, losses and the optimizer are float32 in any case. In mixed precision a CPU, or a GPU of the kind, does
the convolutions in bfloat16, which has float32's range and needs no more care. In float16 small gradients become 0:
the loss is multiplied, the gradients are divided again, and where a scaled one does not fit into float16 the whole
step is left out and the scale goes down. An NPU's adapter chooses the types by itself; both networks' overflows set
one flag of the device. So there is one scale, one check and one end for all updates of a step: none of them is done,
or all.
"""

import contextlib
from typing import ContextManager, Dict, List, Sequence, Tuple

import numpy as np

from biggan_cli.config import TrainConfig
from biggan_cli.runtime import device
from biggan_cli.runtime.tf import tf

COUNTS = ("loss_scale", "skipped_steps")
"""Metrics of a scaled loss: the scale, and how many steps were left out since scaling began."""
SCALE_GROWS_AFTER = 1000
_SCALE_STARTS = {
    "scaled/loss_scale": np.float32(2.0**15),
    "scaled/sound_steps": np.int32(0),
    "scaled/skipped_steps": np.int32(0),
}


def precision_of(train: TrainConfig):
    """What ``--precision`` asks for on the device."""
    if train.precision != "mixed":
        return _Plain()
    if train.device == "npu":
        return _Adapter()
    dtype = device.half_type(train.device)
    return _Scaled(dtype) if dtype == tf.float16 else _Plain(dtype)


def check(train: TrainConfig) -> None:
    """Make sure that the device can do it, before anything is made for it.

    Raises:
        NotReady: it cannot.
    """
    if train.precision == "mixed" and train.device != "npu":
        device.half_type(train.device)


class _Plain:
    """Gradients as they are.

    Attributes:
        dtype: of the pictures between the layers.
        variables: name → variable of what is kept from step to step.
        names: of what :meth:`end` counts.
    """

    def __init__(self, dtype=None):
        self.dtype = dtype or tf.float32
        self.variables: Dict[str, object] = {}
        self.names: Tuple[str, ...] = ()

    def in_full_precision(self) -> ContextManager:
        """Around what must stay float32 where the rest does not."""
        return contextlib.nullcontext()

    def gradients(self, loss, values: Sequence) -> List:
        return tf.gradients(loss, values)

    def end(self, new: Sequence[Tuple]) -> Tuple[object, List]:
        """The operation that assigns (value, variable) pairs, and the counts after it."""
        return tf.group(*(variable.assign(value) for value, variable in new)), []


class _Scaled(_Plain):
    """float16: twice the scale after 1,000 sound steps, half of it, down to 1, after one that is not."""

    def __init__(self, dtype):
        super().__init__(dtype)
        self.names = COUNTS
        self.variables = {
            name: tf.get_variable(
                name, [], start.dtype, tf.constant_initializer(start), trainable=False, use_resource=True
            )
            for name, start in _SCALE_STARTS.items()
        }
        self._scale, self._sound, self._skipped = self.variables.values()
        self._start = self._scale.read_value()

    def gradients(self, loss, values: Sequence) -> List:
        return [gradient / self._start for gradient in tf.gradients(loss * self._start, values)]

    def end(self, new: Sequence[Tuple]) -> Tuple[object, List]:
        finite = tf.reduce_all([tf.reduce_all(tf.is_finite(value)) for value, _ in new])
        sound = tf.where(finite, self._sound.read_value() + 1, 0)
        grown = sound >= SCALE_GROWS_AFTER
        scale = tf.maximum(1.0, self._start * tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5))
        skipped = self._skipped.read_value() + tf.cast(tf.logical_not(finite), tf.int32)
        kept = [(tf.where(finite, value, variable.read_value()), variable) for value, variable in new]
        kept += zip((scale, tf.where(grown, 0, sound), skipped), (self._scale, self._sound, self._skipped))
        done, _ = super().end(kept)
        return done, [scale, tf.cast(skipped, tf.float32)]


class _Adapter(_Plain):
    """An NPU: the adapter's own optimizer around the assignment reads the flag and keeps the scale."""

    def __init__(self):
        super().__init__()
        self.names = COUNTS
        before = set(tf.global_variables())
        self._steps, self._done = (
            tf.get_variable(f"scaled/{name}", [], tf.int32, tf.zeros_initializer(), trainable=False, use_resource=True)
            for name in ("steps", "steps_done")
        )
        self._optimizer, self._manager = device.npu_loss_scaling(_assigning(self._done))
        self.variables = {variable.op.name: variable for variable in tf.global_variables() if variable not in before}

    def in_full_precision(self) -> ContextManager:
        return device.npu_full_precision()

    def gradients(self, loss, values: Sequence) -> List:
        return [gradient for gradient, _ in self._optimizer.compute_gradients(loss, list(values))]

    def end(self, new: Sequence[Tuple]) -> Tuple[object, List]:
        counted = self._steps.assign_add(1)
        with tf.control_dependencies([counted]):
            ended = self._optimizer.apply_gradients(list(new))
        with tf.control_dependencies([ended]):
            skipped = tf.cast(self._steps.read_value() - self._done.read_value(), tf.float32)
            scale = tf.identity(self._manager.get_loss_scale())
        return tf.group(ended, skipped), [scale, skipped]


def _assigning(done):
    """An optimizer that takes new values for gradients and assigns them, and counts that in ``done``."""

    class Assigning(tf.train.Optimizer):
        def __init__(self):
            super().__init__(use_locking=False, name="Assigning")

        def apply_gradients(self, grads_and_vars, global_step=None, name=None):
            assigned = [variable.assign(value) for value, variable in grads_and_vars]
            return tf.group(*assigned, done.assign_add(1), name=name)

    return Assigning()
