from npu_bridge import _era

if not _era.reached("hicann"):
    raise ModuleNotFoundError(f"No module named 'npu_bridge.profiler' in {_era.BRANCH}", name="npu_bridge.profiler")
