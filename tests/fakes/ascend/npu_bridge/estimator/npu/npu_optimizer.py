"""Optimizers for several devices; with one rank they change nothing."""

import tensorflow.compat.v1 as tf

from npu_bridge import _era, _ranks
from npu_bridge.estimator.npu.npu_loss_scale_optimizer import NPULossScaleOptimizer


class _Distributed(tf.train.Optimizer):
    def _wrap(self, optimizer, name):
        self._optimizer = optimizer
        super().__init__(False, name or f"Distributed{type(optimizer).__name__}")

    def compute_gradients(self, *args, **kwargs):
        _ranks.one_rank("NPUDistributedOptimizer")
        return self._optimizer.compute_gradients(*args, **kwargs)

    def get_slot(self, *args, **kwargs):
        return self._optimizer.get_slot(*args, **kwargs)

    def get_slot_names(self, *args, **kwargs):
        return self._optimizer.get_slot_names(*args, **kwargs)

    def variables(self, *args, **kwargs):
        return self._optimizer.variables(*args, **kwargs)


if _era.reached("r1.3.0"):

    class NPUDistributedOptimizer(_Distributed):
        def __init__(self, optimizer, is_weight_update_sharding=False, name=None):
            self._wrap(optimizer, name)

        def apply_gradients(self, grads_and_vars, global_step=None, name=None):
            return self._optimizer.apply_gradients(grads_and_vars, global_step, name)

    def allreduce(tensor, average=True):
        _ranks.one_rank("allreduce")
        return tensor

else:

    class NPUDistributedOptimizer(_Distributed):
        def __init__(self, optimizer, name=None):
            self._wrap(optimizer, name)

        def apply_gradients(self, *args, **kwargs):
            return self._optimizer.apply_gradients(*args, **kwargs)

    def allreduce(tensor, var, average=True):
        _ranks.one_rank("allreduce")
        return tensor


class NPUOptimizer(tf.train.Optimizer):
    """Loss scaling and distribution in one."""

    def __init__(
        self,
        opt,
        loss_scale_manager=None,
        is_distributed=False,
        is_loss_scale=False,
        is_tailing_optimization=False,
        name=None,
    ):
        if is_loss_scale and loss_scale_manager is None:
            raise ValueError("is_loss_scale needs a loss_scale_manager")
        if is_distributed:
            _ranks.one_rank("NPUOptimizer(is_distributed=True)")
        self._opt = NPULossScaleOptimizer(opt, loss_scale_manager) if is_loss_scale else opt
        super().__init__(False, name or f"NPUOptimizer{type(opt).__name__}")

    def compute_gradients(
        self,
        loss,
        var_list=None,
        gate_gradients=tf.train.Optimizer.GATE_OP,
        aggregation_method=None,
        colocate_gradients_with_ops=False,
        grad_loss=None,
    ):
        return self._opt.compute_gradients(
            loss, var_list, gate_gradients, aggregation_method, colocate_gradients_with_ops, grad_loss
        )

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        return self._opt.apply_gradients(grads_and_vars, global_step, name)


if _era.reached("r1.6.0"):

    def npu_distributed_optimizer_wrapper(optimizer):
        _ranks.one_rank("npu_distributed_optimizer_wrapper")
        return optimizer

    def npu_allreduce(values, reduction="mean", fusion=1, fusion_id=-1, group="hccl_world_group"):
        _ranks.one_rank("npu_allreduce")
        return values
