"""Options of an NPU's session: types, values and rules of the adapter's parameter map."""

import pytest

from biggan_cli.errors import UsageError
from biggan_cli.runtime.npu_options import PRECISION_MODES, checked, parameters


def test_the_map_has_all_keys_with_their_types():
    known = parameters()
    assert len(known) == 111
    assert {known[key].type for key in ("use_off_line", "mix_compile_mode", "profiling_mode")} == {"b"}
    assert known["iterations_per_loop"].type == "i" and known["precision_mode"].type == known["jit_compile"].type == "s"
    assert all(mode in known["precision_mode"].values for mode in PRECISION_MODES.values())


def test_values_have_the_types_of_their_keys():
    given = [("mix_compile_mode", "True"), ("hcom_parallel", "0"), ("op_debug_level", "3"), ("jit_compile", "false")]
    found = checked([*given, ("fusion_switch_file", __file__)], None, 1)
    wanted = dict(mix_compile_mode=True, hcom_parallel=False, op_debug_level=3, jit_compile="false")
    assert found == dict(wanted, fusion_switch_file=__file__)
    assert [type(found[key]) for key in wanted] == [bool, bool, int, str]


@pytest.mark.parametrize(
    "given, precision, loop, words",
    (
        ([("precison_mode", "x")], None, 1, "precison_mode: the adapter has no such option"),
        ([("mix_compile_mode", "yes")], None, 1, "mix_compile_mode=yes is neither true nor false"),
        ([("op_debug_level", "high")], None, 1, "op_debug_level=high is not a whole number"),
        ([("modify_mixlist", "nowhere.json")], "mixed", 1, "modify_mixlist=nowhere.json: there is no such file"),
        ([("op_debug_level", "5")], None, 1, "op_debug_level=5 is not from 0 to 4"),
        ([("op_compiler_cache_mode", "on")], None, 1, "op_compiler_cache_mode=on is not one of enable, disable, force"),
        ([("work_path", "")], None, 1, "work_path= has no value"),
        ([("work_path", "a"), ("work_path", "b")], None, 1, "work_path is given twice"),
        ([("iterations_per_loop", "10")], None, 1, "biggan sets it"),
        ([("profiling_mode", "true")], None, 1, "biggan sets it"),
        ([("precision_mode", "allow_mix_precision")], "mixed", 1, "both say it"),
        ([("precision_mode", "force_fp32"), ("precision_mode_v2", "origin")], None, 1, "exclude each other"),
        ([("modify_mixlist", __file__)], None, 1, "modify_mixlist needs mixed precision"),
        ([("precision_mode", "force_fp16")], None, 1, "force_fp16 is for inference only"),
        ([("precision_mode_v2", "fp16")], None, 1, "fp16 is for inference only"),
        ([("local_rank_id", "0")], None, 1, "local_rank_id and local_device_list come together"),
        ([("enable_dump", "1"), ("enable_dump_debug", "1"), ("dump_path", ".")], None, 1, "exclude each other"),
        ([("enable_dump", "1")], None, 1, "a dump needs dump_path"),
        ([("enable_dump", "1"), ("dump_path", "nowhere")], None, 1, "dump_path nowhere is no folder"),
        ([("dump_step", "|".join("0" * 101))], None, 1, "more than 100 ranges"),
        ([("mix_compile_mode", "1")], None, 10, "does not go with --steps-per-loop"),
        ([("dynamic_graph_execute_mode", "lazy_recompile")], None, 2, "does not go with --steps-per-loop"),
        ([("variable_placement", "Host")], None, 1, "needs mix_compile_mode"),
        ([("optypelist_for_implmode", "Pooling")], None, 1, "needs op_select_implmode"),
        ([("input_shape", "x:1")], None, 1, "come together"),
    ),
)
def test_what_the_adapter_would_pass_over_is_refused(given, precision, loop, words):
    with pytest.raises(UsageError) as raised:
        checked(given, precision, loop)
    assert words in raised.value.message and any(label == "fix" for label, _ in raised.value.details)


def test_what_goes_together():
    assert checked([("modify_mixlist", __file__)], "mixed", 1) and checked([], None, 1) == {}
    assert checked([("enable_dump", "1"), ("dump_path", ".")], None, 1)["enable_dump"] is True
    assert checked([("precision_mode_v2", "mixed_float16"), ("modify_mixlist", __file__)], None, 1)
    assert checked([("precision_mode_v2", "mixed_bfloat16"), ("modify_mixlist", __file__)], None, 1)
