"""Loss scaling with the device's overflow status instead of a look at the gradients.

The device saturates instead of making inf and nan, and raises a status. Here a gradient that is not finite, or beyond
what float16 holds, raises it; FAKE_NPU_OVERFLOW raises it at chosen checks.
"""

import itertools
import os

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.contrib.mixed_precision.python import loss_scale_optimizer

from npu_bridge import _era, _graphs, _ranks

LARGEST = 65504.0
_forced = {int(number) for number in os.environ.get("FAKE_NPU_OVERFLOW", "").split(",") if number.strip()}
_checks = itertools.count(1)


class _Applying:
    """Applies gradients unless they overflowed, and tells the manager."""

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        grads_and_vars = tuple(grads_and_vars)
        manager = self._loss_scale_manager
        if hasattr(manager, "get_enable_overflow_check") and not manager.get_enable_overflow_check():
            return self._opt.apply_gradients(grads_and_vars, global_step, name)
        with tf.name_scope(_graphs.LOSS_SCALE_SCOPE):
            fits = _status([gradient for gradient, _ in grads_and_vars if gradient is not None])
            update = tf.cond(fits, lambda: self._opt.apply_gradients(grads_and_vars, global_step, name), tf.no_op)
            return tf.group(update, manager.update_loss_scale(fits))


if _era.reached("r1.7.0"):

    class NPULossScaleOptimizer(_Applying, loss_scale_optimizer.LossScaleOptimizer):
        def __init__(self, opt, loss_scale_manager, is_distributed=False):
            super().__init__(opt, loss_scale_manager)
            if is_distributed:
                _ranks.one_rank("NPULossScaleOptimizer(is_distributed=True)")

        def __getattr__(self, name):
            if name == "_opt":
                raise AttributeError(name)
            return getattr(self._opt, name)

else:

    class NPULossScaleOptimizer(_Applying, tf.train.Optimizer):
        def __init__(self, opt, loss_scale_manager, is_distributed=False):
            super().__init__(False, "NPULossScaleOptimizer")
            self._opt, self._loss_scale_manager = opt, loss_scale_manager
            self._scaling = loss_scale_optimizer.LossScaleOptimizer(opt, loss_scale_manager)
            if is_distributed:
                _ranks.one_rank("NPULossScaleOptimizer(is_distributed=True)")

        def compute_gradients(self, *args, **kwargs):
            return self._scaling.compute_gradients(*args, **kwargs)


def _status(gradients):
    """Scalar bool: nothing overflowed. NaN compares with nothing, so it does not fit either."""
    fits = []
    for gradient in gradients:
        values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        fits.append(tf.reduce_all(tf.abs(values) <= tf.cast(LARGEST, values.dtype.base_dtype)))
    if _forced:
        unforced = tf.py_func(lambda: np.bool_(next(_checks) not in _forced), [], tf.bool, name="forced")
        unforced.set_shape([])
        fits.append(unforced)
    status = tf.reduce_all(tf.stack(fits), name=_graphs.OVERFLOW_STATUS)
    tf.add_to_collection(_graphs.NPU_ONLY, status.op.name)
    return status
