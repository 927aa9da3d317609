"""The configuration that a session gets when its script says nothing about the device."""

import functools

import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

from npu_bridge import _era, _options


def _prepare(config, memory_optimization_off: bool):
    """What the helpers set, in place; NpuOptimizer if it is missing."""
    config.allow_soft_placement = True
    config.log_device_placement = False
    rewrite = config.graph_options.rewrite_options
    rewrite.remapping = rewriter_config_pb2.RewriterConfig.OFF
    config.graph_options.optimizer_options.global_jit_level = config_pb2.OptimizerOptions.OFF
    if _options.npu_optimizer(config) is None:
        rewrite.custom_optimizers.add().name = _options.OPTIMIZER
        if memory_optimization_off:
            rewrite.memory_optimization = rewriter_config_pb2.RewriterConfig.OFF
    return config


if _era.reached("r1.9.0"):

    def set_npu_default_config(func, args, kwargs):
        """Call ``func(session, target, graph, config)`` with a configuration for the device."""
        names = ("self", "target", "graph", "config")
        given = dict(zip(names[1:], args[1:]), **kwargs)
        if given.get("config") is None:
            given["config"] = tf.ConfigProto()
        given["config"] = _prepare(given["config"], memory_optimization_off=True)
        return func(args[0], **given)

    def decorator_tf_session(func):
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            return set_npu_default_config(func, args, kwargs)

        return wrapper
