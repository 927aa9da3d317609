"""Scopes that mark the operators made in them."""

import contextlib

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from npu_bridge import _graphs


def keep_dtype_scope():
    """Operators keep their dtype under a mixed-precision mode."""
    return _marked("_keep_dtype", attr_value_pb2.AttrValue(i=1))


def without_npu_compile_scope():
    """Operators stay on the host, which needs mix_compile_mode."""
    return _marked(_graphs.HOST_ATTRIBUTE, attr_value_pb2.AttrValue(b=True))


@contextlib.contextmanager
def _marked(name, value):
    with tf.get_default_graph()._attr_scope({name: value}):
        yield
