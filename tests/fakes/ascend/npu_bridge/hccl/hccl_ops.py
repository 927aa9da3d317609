"""Collective operators of one rank: each gives back what it got."""

import tensorflow.compat.v1 as tf

from npu_bridge import _era, _ranks

GROUP = "hccl_world_group"
_DTYPES = (tf.int8, tf.int16, tf.int32, tf.int64, tf.float16, tf.float32, tf.bfloat16)


def allreduce(tensor, reduction, fusion=1, fusion_id=-1, group="hccl_world_group"):
    _check("allreduce", tensor, reduction, group)
    if fusion and reduction != "sum":
        raise ValueError("allreduce: fusion is for the reduction sum only")
    return tf.identity(tensor, name="HcomAllReduce")


def reduce(tensor, reduction, root_rank, fusion=0, fusion_id=-1, group="hccl_world_group"):
    _check("reduce", tensor, reduction, group)
    return tf.identity(tensor, name="HcomReduce")


def _broadcast(tensor, group):
    if not isinstance(tensor, list):
        raise TypeError(f"broadcast: a list of tensors is wanted, not {type(tensor).__name__}")
    for one in tensor:
        _check("broadcast", one, "sum", group)
    return [tf.identity(one, name="HcomBroadcast") for one in tensor]


if _era.reached("r1.3.0"):

    def broadcast(tensor, root_rank, fusion=2, fusion_id=0, group="hccl_world_group"):
        return _broadcast(tensor, group)

else:

    def broadcast(tensor, root_rank, fusion=0, fusion_id=-1, group="hccl_world_group"):
        return _broadcast(tensor, group)


if _era.reached("r1.15.0"):

    def allgather(tensor, rank_size, group="hccl_world_group", fusion=0, fusion_id=-1):
        return _gathered(tensor, rank_size, group)

    def reduce_scatter(tensor, reduction, rank_size, group="hccl_world_group", fusion=0, fusion_id=-1):
        return _scattered(tensor, reduction, rank_size, group)

else:

    def allgather(tensor, rank_size, group="hccl_world_group"):
        return _gathered(tensor, rank_size, group)

    def reduce_scatter(tensor, reduction, rank_size, group="hccl_world_group"):
        return _scattered(tensor, reduction, rank_size, group)


def _gathered(tensor, rank_size, group):
    _check("allgather", tensor, "sum", group)
    _one("allgather", rank_size)
    return tf.identity(tensor, name="HcomAllGather")


def _scattered(tensor, reduction, rank_size, group):
    _check("reduce_scatter", tensor, reduction, group)
    _one("reduce_scatter", rank_size)
    return tf.identity(tensor, name="HcomReduceScatter")


def send(tensor, sr_tag, dest_rank, group="hccl_world_group"):
    raise NotImplementedError("send: the fake npu_bridge has one rank")


def receive(shape, data_type, sr_tag, src_rank, group="hccl_world_group"):
    raise NotImplementedError("receive: the fake npu_bridge has one rank")


def _one(name: str, rank_size) -> None:
    if rank_size != 1:
        raise NotImplementedError(f"{name}: the fake npu_bridge has one rank, not {rank_size}")


def _check(name: str, tensor, reduction: str, group: str) -> None:
    _ranks.one_rank(name)
    if reduction not in ("sum", "max", "min", "prod"):
        raise ValueError(f"{name}: reduction {reduction!r} is none of sum, max, min, prod")
    if group != GROUP:
        raise ValueError(f"{name}: there is no group {group!r}")
    tensor = tf.convert_to_tensor(tensor)
    if tensor.dtype.base_dtype not in _DTYPES:
        raise TypeError(f"{name}: {tensor.dtype.base_dtype.name} is no dtype of HCCL")
    if tensor.op.type in ("VariableV2", "VarHandleOp"):
        raise ValueError(f"{name}: a variable cannot be given directly; use tf.identity")
