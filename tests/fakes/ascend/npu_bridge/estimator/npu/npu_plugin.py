"""The process-wide initialisation without a session, which is optional."""

from npu_bridge import _era

if _era.reached("hicann"):

    def npu_resource_init(
        graph_run_mode=1,
        op_debug_level=0,
        enable_profiling=False,
        profiling_options=None,
        precision_mode=None,
        enable_scope_fusion_passes=None,
        enable_exception_dump=2,
        aoe_mode=None,
        work_path=None,
        op_compiler_cache_mode=None,
        op_compiler_cache_dir=None,
        debug_dir=None,
        hcom_multi_mode=False,
        distribute_config=None,
        aoe_config_file=None,
        precision_mode_v2=None,
        export_compile_stat=1,
        aicore_num=None,
        oo_constant_folding=True,
        input_batch_cpy=False,
        oo_level="O3",
        optimization_switch=None,
    ):
        _initialize(graph_run_mode)

elif _era.reached("r1.5.0"):

    def npu_resource_init(
        graph_run_mode=1,
        op_debug_level=0,
        enable_profiling=False,
        profiling_options=None,
        auto_tune_mode=None,
        precision_mode=None,
        enable_scope_fusion_passes=None,
        enable_exception_dump=0,
        aoe_mode=None,
        work_path=None,
        op_compiler_cache_mode=None,
        op_compiler_cache_dir=None,
        debug_dir=None,
        hcom_multi_mode=False,
        distribute_config=None,
    ):
        _initialize(graph_run_mode)

else:

    def npu_resource_init(
        graph_run_mode=1,
        op_debug_level=0,
        enable_profiling=False,
        profiling_options=None,
        auto_tune_mode=None,
        precision_mode=None,
        enable_scope_fusion_passes=None,
        enable_exception_dump=0,
        mstune_mode=None,
        work_path=None,
        op_compiler_cache_mode=None,
        op_compiler_cache_dir=None,
        debug_dir=None,
    ):
        _initialize(graph_run_mode)


def npu_resource_shutdown():
    pass


def _initialize(graph_run_mode) -> None:
    if graph_run_mode not in (0, 1):
        raise ValueError(f"graph_run_mode: {graph_run_mode} is none of 0, 1")


if _era.reached("r1.3.0"):

    def npu_close():
        pass


if _era.reached("r1.13.0"):

    def set_device_sat_mode(mode):
        if mode not in (0, 1):
            raise ValueError(f"mode: {mode} is none of 0, 1")

    def is_inf_nan_enabled():
        """The first Ascend 910 saturates."""
        return False
