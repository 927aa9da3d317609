"""Ranks and groups, known once HCCL is initialised."""

from npu_bridge import _ranks


def get_rank_id(group="hccl_world_group"):
    _ranks.require("get rank id")
    return 0


def get_rank_size(group="hccl_world_group"):
    _ranks.require("get rank size")
    return 1


def get_local_rank_id(group="hccl_world_group"):
    _ranks.require("get local rank id")
    return 0


def get_local_rank_size(group="hccl_world_group"):
    _ranks.require("get local rank size")
    return 1


def get_world_rank_from_group_rank(group, group_rank_id):
    _ranks.require("get world rank")
    return group_rank_id


def get_group_rank_from_world_rank(world_rank_id, group):
    _ranks.require("get group rank")
    return world_rank_id


def create_group(group, rank_num, rank_ids):
    raise NotImplementedError("create_group: the fake npu_bridge has one rank")


def destroy_group(group):
    raise NotImplementedError("destroy_group: the fake npu_bridge has one rank")
