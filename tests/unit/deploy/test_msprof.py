"""Commands of msprof, the choice of exported files, and their sums."""

from pathlib import Path

import pytest

from biggan_cli.deploy import msprof
from biggan_cli.errors import StepFailed, UsageError

STATISTIC = "Device_id,OP Type,Core Type,Count,Total Time(us),Min Time(us),Avg Time(us),Max Time(us),Ratio(%)\n"
SUMMARY = "Model ID,Task ID,Op Name,OP Type,Task Type,Task Start Time(us),Task Duration(us),Input Shapes\n"
NEW = msprof.OUTPUT_FOLDER


def write(profile, **files):
    for name, text in files.items():
        path = profile / (name.replace("__", "/") + ".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return profile


def names(tables):
    return [table.path.name for table in tables]


def sums(profile):
    found = msprof.read_operators(msprof.tables_in(profile))
    return {(entry.device, entry.type, entry.core): (entry.count, entry.total_us) for entry in found}


def test_commands():
    folder = Path("/runs/PROF_1")
    assert msprof.build_commands("/opt/msprof", folder) == [["--export=on", "--output=/runs/PROF_1"]]
    assert msprof.build_commands("/opt/msprof.py", folder) == [
        ["import", "-dir", "/runs/PROF_1"],
        ["export", "summary", "-dir", "/runs/PROF_1"],
        ["export", "timeline", "-dir", "/runs/PROF_1"],
    ]
    msprof.check_path(Path("/runs/with space/größe-1.0"))
    for wrong in "\"'\\%><|&$;`\n\t":
        with pytest.raises(UsageError):
            msprof.check_path(Path(f"/runs/a{wrong}b"))


def test_the_newest_files_of_the_new_layout_count(tmp_path):
    one, other = STATISTIC + "0,Conv2D,AI_CORE,1,5,1,1,1,1\n", STATISTIC + "0,Conv2D,AI_CORE,2,7,1,1,1,1\n"
    write(
        tmp_path,
        **{
            f"{NEW}__op_statistic_20240101000000": one,
            f"{NEW}__op_statistic_20240102000000": other,
            "device_0__summary__op_statistic_0_1": one,  # of an older toolkit, or an intermediate file
            f"{NEW}__step_trace_time_20240102000000": "no file of msprof's",
        },
    )
    assert names(msprof.tables_in(tmp_path)) == ["op_statistic_20240102000000.csv"]
    assert sums(tmp_path) == {(0, "Conv2D", "AI_CORE"): (2, 7.0)}


def test_slices_are_parts_of_one_file(tmp_path):
    row = "1,5,conv,Conv2D,AI_CORE,1.0,{},\n"
    write(
        tmp_path,
        **{
            f"{NEW}__op_summary_slice_0_20240101000000": SUMMARY + row.format(1000),
            f"{NEW}__op_summary_slice_0_20240102000000": SUMMARY + row.format(2),
            f"{NEW}__op_summary_slice_1_20240102000001": SUMMARY + row.format(3),
        },
    )
    assert sums(tmp_path) == {(None, "Conv2D", "AI_CORE"): (2, 5.0)}


def test_devices_graphs_and_iterations_of_the_old_layout(tmp_path):
    text = "Model Name,OP Type,Core Type,Count,Total Time(us)\nge_default,Conv2D,AI_CORE,3,4.5\n"
    write(
        tmp_path / "device_7" / "PROF_1",
        device_0__summary__op_statistic_0_11_2=text,
        device_3__summary__op_statistic_3_11_2_20230905213000123=text,
    )
    tables = msprof.tables_in(tmp_path / "device_7" / "PROF_1")
    assert [table[2:] for table in tables] == [(0, 11, 2), (3, 11, 2)]
    assert [entry.device for entry in msprof.read_operators(tables)] == [0, 3]
    write(tmp_path / "JOB1", summary__op_statistic_5_1=text)
    assert [table[2:] for table in msprof.tables_in(tmp_path / "JOB1")] == [(5, 1, None)]


def test_a_summary_stands_in_for_a_statistic_device_by_device(tmp_path):
    rows = [
        '11,1,conv_1,Conv2D,AI_CORE,"1.0\t",10.5,"""1,2;3"""',
        "11,2,conv_2,Conv2D,AI_CORE,2.0,9.5,",
        "11,3,cast,Cast,AI_CPU,3.0,80,",
        "11,4,send,N/A,HCCL,4.0,1e2,",
    ]
    whole = SUMMARY + "\n".join(rows) + "\n"
    write(
        tmp_path,
        device_0__summary__op_summary_0_11_1=whole,
        device_1__summary__op_summary_1_11_1=whole,
        device_1__summary__op_statistic_1_11_1=STATISTIC + "1,Conv2D,AI_CORE,2,20,1,1,1,1\n",
    )
    assert sums(tmp_path) == {
        (0, "Conv2D", "AI_CORE"): (2, 20.0),
        (0, "Cast", "AI_CPU"): (1, 80.0),
        (0, "none", "HCCL"): (1, 100.0),
        (1, "Conv2D", "AI_CORE"): (2, 20.0),
    }


@pytest.mark.parametrize(
    "heading",
    (
        "OP Type,Core Type,Count,Total Time(us),Ratio(%)",
        "Op Type, core_type ,count,Total Time (us),Ratio (%),",
        "\ufeffOP TYPE,CORE TYPE,COUNT,TOTAL TIME(US),RATIO(%)",
    ),
)
def test_columns_are_found_whatever_their_spaces_and_case(tmp_path, heading):
    write(tmp_path, summary__op_statistic_0_1=f"{heading}\nCast, AI CPU ,2,3.5,100\n\n")
    (found,) = msprof.read_operators(msprof.tables_in(tmp_path))
    assert found == (0, "Cast", "AI CPU", 2, 3.5) and found.on_ai_cpu


@pytest.mark.parametrize(
    "core, expected",
    (("AI_CPU", True), ("AI CPU", True), ("AICPU", True), ("aicpu_kfc", True), ("AI_CORE", False), ("none", False)),
)
def test_what_is_ai_cpu(core, expected):
    assert msprof.Operator(0, "Cast", core, 1, 1.0).on_ai_cpu == expected


@pytest.mark.parametrize(
    "text, words",
    (
        ("", "line 1: the file is empty"),
        (STATISTIC, "line 2: there is no row below the heading"),
        (STATISTIC + "0,Conv2D,AI_CORE,1,2,3,4,5,6\n0,Cast,AI_C", "line 3 has 3 of 9 columns: the file is cut off"),
        (STATISTIC + "0,Conv2D,AI_CORE,1,2,3,4,5,6,7\n", "line 2 has 10 columns, the heading 9"),
        (STATISTIC + "0,Conv2D,AI_CORE,1,many,3,4,5,6\n", "line 2: Total Time(us) is many, which is not a number"),
        (STATISTIC + "0,Conv2D,AI_CORE,1,nan,3,4,5,6\n", "line 2: Total Time(us) is nan"),
        (STATISTIC + "0,Conv2D,AI_CORE,1,1_0,3,4,5,6\n", "line 2: Total Time(us) is 1_0"),
        (STATISTIC + "0,Conv2D,AI_CORE,,2,3,4,5,6\n", "line 2: Count is empty"),
        (STATISTIC + "0,Conv2D,AI_CORE,1.5,2,3,4,5,6\n", "line 2: 1.5 calls in 2 us cannot be"),
        (STATISTIC + "0,Conv2D,AI_CORE,1,-2,3,4,5,6\n", "line 2: 1 calls in -2 us cannot be"),
        (STATISTIC + "x,Conv2D,AI_CORE,1,2,3,4,5,6\n", "line 2: Device_id is x"),
        (STATISTIC.replace("Core Type", "Unit"), "line 1: there is no column Core Type"),
    ),
)
def test_files_that_cannot_be_read(tmp_path, text, words):
    write(tmp_path, **{f"{NEW}__op_statistic_20240101000000": text})
    with pytest.raises(StepFailed) as raised:
        msprof.read_operators(msprof.tables_in(tmp_path))
    assert f"op_statistic_20240101000000.csv {words}" in raised.value.message


def test_a_missing_column_lists_those_that_are_there(tmp_path):
    write(tmp_path, summary__op_summary_0_1="Op Name, Length\nconv,3\n")
    with pytest.raises(StepFailed) as raised:
        msprof.read_operators(msprof.tables_in(tmp_path))
    assert ("looked for", "it among Op Name, Length") in raised.value.details


def test_steps(tmp_path):
    heading = "Iteration ID,FP_BP Time(us),Iteration Time(us),Data Aug Bound(us),Model ID,Reduce Start(us)"
    rows = ["1,N/A,10.5,N/A,1,", "2,5,7,-1.5,11,3,4", "3,6,8,0,11"]  # as many reductions as there were
    write(tmp_path, device_2__summary__step_trace_2_11_1="\n".join([heading, *rows]) + "\n")
    assert msprof.tables_in(tmp_path) == []  # without operators it is no export
    write(tmp_path, device_2__summary__op_statistic_2_11_1=STATISTIC + "2,Cast,AI_CORE,1,2,3,4,5,6\n")
    assert msprof.read_steps(msprof.tables_in(tmp_path)) == [
        (2, 1, 1, {"iteration": 10.5}),
        (2, 11, 2, {"iteration": 7.0, "forward_backward": 5.0, "data_gap": -1.5}),
        (2, 11, 3, {"iteration": 8.0, "forward_backward": 6.0, "data_gap": 0.0}),
    ]


@pytest.mark.parametrize(
    "row, words",
    (
        ("1,N/A,11", "line 2: Iteration Time(us) is N/A"),
        ("1,soon,11", "line 2: Iteration Time(us) is soon, which is not a number"),
        ("1,5", "line 2 has 2 of 3 columns: the file is cut off"),
        ("1,5,eleven", "line 2: Model ID is eleven, which is not a whole number"),
    ),
)
def test_steps_that_cannot_be_read(tmp_path, row, words):
    text = f"Iteration ID,Iteration Time(us),Model ID\n{row}\n"
    table = msprof.Table(msprof.STEPS, tmp_path / "step_trace_1.csv", None, None, None)
    table.path.write_text(text)
    with pytest.raises(StepFailed) as raised:
        msprof.read_steps([table])
    assert f"step_trace_1.csv {words}" in raised.value.message
