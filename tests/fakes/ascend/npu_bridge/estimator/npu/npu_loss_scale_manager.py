"""How the loss scale follows the overflows."""

import tensorflow.compat.v1 as tf
from tensorflow.contrib.mixed_precision.python import loss_scale_manager

from npu_bridge import _era

if _era.reached("r1.5.0"):

    class FixedLossScaleManager(loss_scale_manager.FixedLossScaleManager):
        def __init__(self, loss_scale, enable_overflow_check=True):
            super().__init__(loss_scale)
            self._enable_overflow_check = enable_overflow_check

        def get_enable_overflow_check(self):
            return self._enable_overflow_check

else:

    class FixedLossScaleManager(loss_scale_manager.FixedLossScaleManager):
        def __init__(self, loss_scale):
            super().__init__(loss_scale)


class ExponentialUpdateLossScaleManager(loss_scale_manager.ExponentialUpdateLossScaleManager):
    def __init__(self, init_loss_scale, incr_every_n_steps, decr_every_n_nan_or_inf=2, incr_ratio=2, decr_ratio=0.8):
        if tf.get_default_graph()._current_control_dependencies():
            raise RuntimeError("Placeholder not support: the manager's variables are made in control dependencies")
        super().__init__(init_loss_scale, incr_every_n_steps, decr_every_n_nan_or_inf, incr_ratio, decr_ratio)

    def update_loss_scale(self, finite_grads):
        """One scale up after so many good steps in a row, one down after so many bad ones; never below 1."""
        scale, good, bad = (tf.identity(v) for v in (self._loss_scale, self._num_good_steps, self._num_bad_steps))
        raised, lowered = scale * self._incr_ratio, tf.maximum(scale * self._decr_ratio, 1.0)
        raised = tf.where(raised <= tf.float32.max, raised, scale)
        up = tf.logical_and(finite_grads, good + 1 >= self._incr_every_n_steps)
        down = tf.logical_and(tf.logical_not(finite_grads), bad + 1 >= self._decr_every_n_nan_or_inf)
        changed, none = tf.logical_or(up, down), tf.zeros_like(good)
        new_good = tf.where(tf.logical_and(finite_grads, tf.logical_not(changed)), good + 1, none)
        new_bad = tf.where(changed, none, tf.where(finite_grads, bad, bad + 1))
        new_scale = tf.where(up, raised, tf.where(down, lowered, scale))
        with tf.control_dependencies([new_scale, new_good, new_bad]):
            return tf.group(
                tf.assign(self._loss_scale, new_scale),
                tf.assign(self._num_good_steps, new_good),
                tf.assign(self._num_bad_steps, new_bad),
            )
