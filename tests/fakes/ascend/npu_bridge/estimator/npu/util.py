"""Iterations that stay on the device, and small helpers."""

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from npu_bridge import _era, _ranks

if _era.reached("r1.3.0"):
    _values = {}

    def global_dict_init():
        _values.clear()

    def set_value(key, value):
        _values[key] = value

    def get_value(key, def_value=None):
        return _values.get(key, def_value)

    def keep_tensors_dtypes(graph, input_tensors):
        """The operators of these tensors keep their dtype under a mixed-precision mode."""
        for tensor in input_tensors:
            graph.get_tensor_by_name(tensor.name).op._set_attr("_keep_dtype", attr_value_pb2.AttrValue(i=1))


if _era.reached("r1.11.0"):

    def get_ranksize():
        return _ranks.size()


def variable_initializer_in_host(var_list):
    return tf.variables_initializer(var_list)


def create_or_get_var(var_name):
    """An int64 scalar, once per graph and name; local, so that no checkpoint has it."""
    collection = f"npu_runconfig_{var_name}"
    found = tf.get_collection(collection)
    if len(found) > 1:
        raise RuntimeError(f"several variables in {collection}")
    if found:
        return found[0]
    with tf.variable_scope("npu_runconfig", reuse=tf.AUTO_REUSE):
        return tf.get_variable(
            var_name,
            initializer=tf.zeros_initializer(),
            shape=[],
            dtype=tf.int64,
            trainable=False,
            collections=[collection, tf.GraphKeys.LOCAL_VARIABLES],
            use_resource=True,
        )


class IterationPerLoop:
    """In two parts what :func:`set_iteration_per_loop` does: variables before the session, their values in it."""

    def __init__(self):
        self._variables = None

    def create_iteration_per_loop_var(self, train_op):
        if not isinstance(train_op, tf.Operation):
            raise ValueError(f"train_op must be an operation, not {type(train_op).__name__}")
        self._variables = [create_or_get_var(name) for name in ("iterations_per_loop", "loop_cond", "zero", "one")]
        return tf.group(train_op, name="IterationOp")

    def load_iteration_per_loop_var(self, sess, iterations_per_loop=1):
        _check_iterations(iterations_per_loop)
        if self._variables is None:
            raise ValueError("create_iteration_per_loop_var comes first")
        for variable, value in zip(self._variables, (iterations_per_loop - 1, 0, 0, 1)):
            variable.load(value, session=sess)


def set_iteration_per_loop(sess, train_op, iterations_per_loop=1):
    """``train_op`` as an operator that runs so many times per session.run; itself for 1."""
    if not isinstance(train_op, tf.Operation):
        raise ValueError(f"train_op must be an operation, not {type(train_op).__name__}")
    _check_iterations(iterations_per_loop)
    if iterations_per_loop == 1:
        return train_op
    loop = IterationPerLoop()
    looped = loop.create_iteration_per_loop_var(train_op)
    loop.load_iteration_per_loop_var(sess, iterations_per_loop)
    return looped


def _check_iterations(iterations) -> None:
    if not isinstance(iterations, int) or isinstance(iterations, bool):
        raise TypeError(f"iterations_per_loop must be an int, not {type(iterations).__name__}")
    if iterations < 1:
        raise ValueError(f"iterations_per_loop must be positive, not {iterations}")
