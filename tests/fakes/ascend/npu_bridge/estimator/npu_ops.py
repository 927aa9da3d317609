"""Operators of the device: initialising and closing the system."""

import tensorflow.compat.v1 as tf

from npu_bridge import _graphs, _ranks


def initialize_system(name=None):
    return _system_op(name or "NPUInit", True)


def shutdown_system(name=None):
    return _system_op(name or "NPUShutdown", False)


def _system_op(name: str, state: bool):
    op = tf.no_op(name=name)
    tf.add_to_collection(_graphs.NPU_ONLY, op.name)
    _ranks.when_run(op, state)
    return op
