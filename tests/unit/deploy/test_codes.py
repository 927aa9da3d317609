"""What atc prints, in the shapes of every era, and an advice for every code."""

import re
from textwrap import dedent

import pytest

from biggan_cli.deploy.codes import ADVICE, DEFAULT_ADVICE, Message, advice, messages

START = "ATC start working now, please wait for a moment."
FAILED = "ATC run failed, Please check the detail log, Try 'atc --help' for more information"
SUCCESS = "ATC run success, welcome to the next use."


def read(output):
    return messages(dedent(output).splitlines())


@pytest.mark.parametrize(
    "line, message",
    [
        (
            "E10016: Input parameter[--out_nodes]'s opname[output] is not exist in model",
            Message("E10016", "Input parameter[--out_nodes]'s opname[output] is not exist in model"),
        ),
        (
            "E10011: Input parameter[--input_shape]’s shape value[z:0,120] is invalid, expect positive integer, "
            "but value is 0.",
            Message(
                "E10011",
                "Input parameter[--input_shape]’s shape value[z:0,120] is invalid, expect positive integer, "
                "but value is 0.",
            ),
        ),
        (
            "E10016: Input Op [output] specified in [--out_nodes] is not found in the model.",
            Message("E10016", "Input Op [output] specified in [--out_nodes] is not found in the model."),
        ),
        (
            "E10007: [PID: 10490] 2025-03-18-09:02:18.501.341 [--framework] is required. The value must be [3].",
            Message("E10007", "[--framework] is required. The value must be [3]."),
        ),
        (
            "[PID: 77] 2026-08-21-10:00:00.501.341 Unsupported_Operator(EZ3003): No supported Ops kernel for [Conv2D].",
            Message("EZ3003", "No supported Ops kernel for [Conv2D]."),
        ),
        ("EC0010: Failed to import Python module [x].", Message("EC0010", "Failed to import Python module [x].")),
        ("...E10054: The requied parameter.", Message("E10054", "The requied parameter.")),
        ("E10001: Reason: see E10002: (E10003): there", Message("E10001", "Reason: see E10002: (E10003): there")),
    ],
)
def test_one_line(line, message):
    assert messages([line]) == [message]
    assert messages([START, "...", "", FAILED, line + "\r\n", ""]) == [message]


def test_the_blocks_below_a_text_do_not_belong_to_it():
    assert read(f"""\
        {START}
        ...
        {FAILED}
        EZ3003: No supported Ops kernel and engine are found for [pool], optype [AvgPool].
                Possible Cause: The operator is not supported by the system.
                Solution: 1. Check that the OPP component is installed properly. 2. Submit an issue.
                TraceBack (most recent call last):
                build graph failed, graph id:0, ret:-1[FUNC:BuildModel][FILE:ge_generator.cc][LINE:1480]
                E19010: a code that is indented was passed on, not printed by atc itself
        """) == [Message("EZ3003", "No supported Ops kernel and engine are found for [pool], optype [AvgPool].")]


def test_the_messages_that_follow_the_first_without_a_code_of_their_own():
    assert read(f"""\
        {FAILED}
        E19010: Check op[save/SaveV2]'s type[SaveV2] failed, the type is unsupported.
                Parse model failed, ret:1343225857
                ATC Parse tensorflow weight file failed
        """) == [Message("E19010", "Check op[save/SaveV2]'s type[SaveV2] failed, the type is unsupported.")]


@pytest.mark.parametrize(
    "below, text",
    [
        ("        Check shape of z failed[FUNC:Run][LINE:95]", "Check shape of z failed[FUNC:Run][LINE:95]"),
        ("E19999  Check shape of z failed", "Check shape of z failed"),
        ("E19999: Check shape of z failed", "Check shape of z failed"),
        ("E19999: [PID: 62] 2025-10-17-18:40:43.617.804 [Call][PreRun] Failed", "[Call][PreRun] Failed"),
        ("E19999[PID: 62] 2026-10-07-20:48:26.590.568 Inner_Error(E19999):  No kernel", "No kernel"),
        ("        Unknown error occurred. Please check the log.", "Unknown error occurred. Please check the log."),
    ],
)
@pytest.mark.parametrize("heading", ["E19999: Inner Error!", "E19999: Internal Error!"])
def test_an_inner_error_has_its_text_below(heading, below, text):
    trace = ["        TraceBack (most recent call last):", "        build graph failed"]
    assert messages([FAILED, heading, below, *trace]) == [Message("E19999", text)]
    assert messages([FAILED, heading + "\r\n", "\r\n", below + "\r\n"]) == [Message("E19999", text)]


def test_an_inner_error_with_nothing_below_keeps_its_heading():
    heading = Message("E19999", "Inner Error!")
    assert messages(["E19999: Inner Error!"]) == [heading]
    assert messages(["E19999: Inner Error!", "[INFO] done"]) == [heading]
    assert messages(["E19999: Inner Error!", "        TraceBack (most recent call last):", "        a"]) == [heading]
    assert messages(["E19999: Inner Error!", "E10016: no node"]) == [heading, Message("E10016", "no node")]


def test_an_inner_error_of_another_component():
    assert messages(["EZ9999: Inner Error!", "EZ9999  tiling failed", "        more"]) == [
        Message("EZ9999", "tiling failed")
    ]


def test_several_messages_amid_noise():
    assert read(f"""\
        {START}
        .....
        [ERROR] GE(4711,atc.bin):2025-03-18-09:02:18.501 [graph.cc:77]4711 Build: ErrorNo: E19999: 构建失败
        [WARNING] 算子 z 未命中高优先级算子信息库，可能影响性能：W11001: 提示
        2025-03-18 09:02:18.501 编译中…
        {SUCCESS}
        W11001: Op [Slice_29] does not hit the high-priority operator information library.
        W11001: Op [pool] does not hit the high-priority operator information library.

        E10410: [PID: 9] 2025-03-18-09:02:18.501.341 File [keep.txt] does not exist.
                Solution: Check the path.
        E19999: Inner Error!
        E19999  Assert failed
                TraceBack (most recent call last):
                Build failed
        EZ3002: Optype [Exp] of Ops kernel [AIcoreEngine] is unsupported. Reason: 数据类型不支持.
        """) == [
        Message("W11001", "Op [Slice_29] does not hit the high-priority operator information library."),
        Message("W11001", "Op [pool] does not hit the high-priority operator information library."),
        Message("E10410", "File [keep.txt] does not exist."),
        Message("E19999", "Assert failed"),
        Message("EZ3002", "Optype [Exp] of Ops kernel [AIcoreEngine] is unsupported. Reason: 数据类型不支持."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        START,
        SUCCESS,
        "....................",
        "ERROR: unknown command line flag 'x'",
        "ERRORS: 3",
        "EVENTS: none",
        "WINDOW: 5",
        "EXAMPLE: atc --mode=0",
        "E2E: 12.5 s",
        "the E2E10016: run",
        "sha256 5dE10016: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "e10016: 0xE10016",
        "E3B0C44298: digest",
        "E3B0C4: digest",
        "0xE10016: address",
        "E10016 without a colon",
        "E10016  without a heading above",
        "see E10016: in the manual",
        "see (E10016): in the manual",
        "E100160: too long",
        "I10016: neither an error nor a warning",
        "",
    ],
)
def test_no_false_codes(line):
    assert messages([line]) == []


def test_a_generator_of_lines_will_do():
    assert messages(line for line in ["E10010: x\n"]) == [Message("E10010", "x")]


KNOWN = re.findall(
    r"\w+",
    """
    E10001 E10002 E10003 E10004 E10005 E10006 E10007 E10008 E10009 E10010 E10011 E10012 E10013 E10014 E10015 E10016
    E10017 E10018 E10019 E10020 E10021 E10022 E10031 E10034 E10035 E10036 E10037 E10038 E10039 E10040 E10041 E10044
    E10045 E10046 E10047 E10048 E10049 E10050 E10052 E10054 E10055 E10056
    E10401 E10402 E10403 E10404 E10405 E10406 E10410 E10501 EZ0501 E12009 E12013 E12029
    E19000 E19001 E19002 E19003 E19004 E19005 E13000 E13001 E13002 E13003 E13004 E13005
    E19010 E13010 EZ9010 E19014 E19015 E19018 E19024 E19025 E19999 E20101 E40000 E40001 E40021
    EC0010 EZ3002 EZ3003 W11001
    """,
)


@pytest.mark.parametrize("code", KNOWN)
def test_every_known_code_has_an_advice(code):
    text = advice(code)
    assert text != DEFAULT_ADVICE
    assert text.endswith((".", "…")) and "  " not in text
    assert text.count(". ") <= 2


def test_no_advice_is_for_a_code_that_does_not_exist():
    assert sorted(ADVICE) == sorted(KNOWN)


def test_a_flag_with_dashes_is_one_of_biggan_atc():
    # Flags of atc alone have underscores: two aside, which are named as what may stand after --.
    flags = {flag for text in ADVICE.values() for flag in re.findall(r"--([a-z][a-z0-9-]+)(?!\w)", text)}
    assert flags - {"framework", "output"} == {
        *("soc", "batch", "dynamic-batch", "precision-mode", "precision-mode-v2", "keep-dtype", "modify-mixlist"),
        *("op-select-implmode", "log", "fusion-switch-file", "toolkit"),
    }


def test_an_unknown_code_is_told_where_the_logs_are():
    assert advice("E77777") == DEFAULT_ADVICE
    assert "$HOME/ascend/log" in DEFAULT_ADVICE and "ASCEND_SLOG_PRINT_TO_STDOUT=1" in DEFAULT_ADVICE
