"""How gradients are split into all-reduces; nothing to split with one rank."""


def set_split_strategy_by_idx(idxList, group="hccl_world_group"):  # noqa: N803
    _check(idxList, "idxList")


def set_split_strategy_by_size(dataSizeList, group="hccl_world_group"):  # noqa: N803
    _check(dataSizeList, "dataSizeList")


def _check(parts, name: str) -> None:
    if not isinstance(parts, list) or not 1 <= len(parts) <= 8:
        raise ValueError(f"{name}: a list of 1 to 8 segments is wanted")
