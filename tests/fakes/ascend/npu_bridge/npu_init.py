"""The module that scripts import everything from; from r1.9 on, importing it sends every session to the device."""
# ruff: noqa: F401

import os

import tensorflow.compat.v1 as tf
from hccl.manage.api import (
    create_group,
    destroy_group,
    get_group_rank_from_world_rank,
    get_local_rank_id,
    get_local_rank_size,
    get_rank_id,
    get_rank_size,
    get_world_rank_from_group_rank,
)
from hccl.split.api import set_split_strategy_by_idx, set_split_strategy_by_size
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.client import session
from tensorflow.python.keras import backend
from tensorflow.python.training import session_run_hook

from npu_bridge import _era, _options
from npu_bridge.estimator import npu_ops
from npu_bridge.estimator.npu import npu_config as _npu_config
from npu_bridge.estimator.npu import npu_plugin, npu_scope, util
from npu_bridge.estimator.npu.npu_loss_scale_manager import ExponentialUpdateLossScaleManager, FixedLossScaleManager
from npu_bridge.estimator.npu.npu_loss_scale_optimizer import NPULossScaleOptimizer
from npu_bridge.estimator.npu.npu_optimizer import NPUDistributedOptimizer, NPUOptimizer
from npu_bridge.hccl import hccl_ops

if _era.reached("r1.6.0"):
    from npu_bridge.estimator.npu.npu_optimizer import npu_allreduce, npu_distributed_optimizer_wrapper

if _era.reached("r1.3.0"):
    experimental_options = dict(
        disable_model_pruning=False,
        function_optimization=RewriterConfig.ON,
        constant_folding=RewriterConfig.ON,
        shape_optimization=RewriterConfig.ON,
        arithmetic_optimization=RewriterConfig.ON,
        loop_optimization=RewriterConfig.ON,
        dependency_optimization=RewriterConfig.ON,
        layout_optimizer=RewriterConfig.ON,
    )

    def npu_config_proto(config_proto=None):
        """The same object, made fit for the device; a new one if it is no ConfigProto."""
        if not isinstance(config_proto, config_pb2.ConfigProto):
            config_proto = config_pb2.ConfigProto()
        return _npu_config._prepare(config_proto, memory_optimization_off=_era.passed("r1.5.0"))

    def npu_graph_options(graph_options=None):
        if not isinstance(graph_options, config_pb2.GraphOptions):
            graph_options = config_pb2.GraphOptions()
        graph_options.optimizer_options.global_jit_level = config_pb2.OptimizerOptions.OFF
        return graph_options

    def npu_optimizer_options(optimizer_options=None):
        if not isinstance(optimizer_options, config_pb2.OptimizerOptions):
            optimizer_options = config_pb2.OptimizerOptions()
        optimizer_options.global_jit_level = config_pb2.OptimizerOptions.OFF
        return optimizer_options

    def init_resource(config=None):
        """A session that has initialised the system, and the operator that shuts it down."""
        initialize, shutdown = npu_ops.initialize_system(), npu_ops.shutdown_system()
        sess = tf.Session(config=npu_config_proto(config))
        sess.run(initialize)
        util.global_dict_init()
        util.set_value("npu_rank_id", get_rank_id())
        util.set_value("npu_local_rank_id", get_local_rank_id())
        util.set_value("npu_rank_size", get_rank_size())
        util.set_value("npu_local_rank_size", get_local_rank_size())
        return sess, shutdown

    def shutdown_resource(sess, npu_shutdown):
        sess.run(npu_shutdown)

    def close_session(sess):
        sess.close()

    def get_npu_rank_id():
        return util.get_value("npu_rank_id", 0)

    def get_npu_local_rank_id():
        return util.get_value("npu_local_rank_id", 0)

    def get_npu_rank_size():
        return util.get_value("npu_rank_size", 1)

    def npu_tf_optimizer(opt):
        return NPUDistributedOptimizer(opt)


if _era.reached("r1.8.0"):

    def get_npu_local_rank_size():
        return util.get_value("npu_local_rank_size", 1)


if _era.reached("r1.9.0"):
    from npu_bridge.estimator.npu.npu_config import decorator_tf_session

    tf.Session.__init__ = decorator_tf_session(tf.Session.__init__)
    tf.InteractiveSession.__init__ = decorator_tf_session(tf.InteractiveSession.__init__)

if _era.reached("hicann"):
    from npu_bridge.profiler import profiler
