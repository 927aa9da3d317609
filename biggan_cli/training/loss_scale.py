"""Gradients and the end of a step, in float32 or with a scaled loss.

In float16 small gradients become 0: the loss is multiplied, the gradients are divided again. Where a scaled one does
not fit into float16, the whole step is left out and the scale goes down. On an NPU both networks' overflows set one
flag, so that there is one scale, one check and one end for all updates of a step: none of them is done, or all.
"""

import contextlib
from typing import ContextManager, Dict, List, Sequence, Tuple

from biggan_cli.config import TrainConfig
from biggan_cli.runtime import device
from biggan_cli.runtime.tf import tf

COUNTS = ("loss_scale", "skipped_steps")
"""Metrics of a scaled loss: the scale, and how many steps were left out since scaling began."""


def scaling_of(train: TrainConfig):
    """What the precision asks for."""
    return _Scaled() if train.precision == "mixed" else _Plain()


class _Plain:
    """Gradients as they are."""

    def __init__(self):
        self.variables: Dict[str, object] = {}
        self.names: Tuple[str, ...] = ()
        """Of what :meth:`end` counts."""

    def in_full_precision(self) -> ContextManager:
        """Around what must stay float32 where the rest does not."""
        return contextlib.nullcontext()

    def gradients(self, loss, values: Sequence) -> List:
        return tf.gradients(loss, values)

    def end(self, new: Sequence[Tuple]) -> Tuple[object, List]:
        """The operation that assigns (value, variable) pairs, and the counts after it."""
        return tf.group(*(variable.assign(value) for value, variable in new)), []


class _Scaled(_Plain):
    """With the adapter's own optimizer around the assignment: it reads the flag and keeps the scale."""

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
