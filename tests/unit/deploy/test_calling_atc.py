"""What biggan gives to atc, what it refuses before, and when it believes that atc did it."""

from dataclasses import replace
from pathlib import Path

import pytest

from biggan_cli.deploy import atc
from biggan_cli.deploy.codes import Message, advice
from biggan_cli.deploy.soc import SOC_VERSIONS
from biggan_cli.deploy.spec import GraphSpec, TensorSpec
from biggan_cli.errors import ToolError, UsageError, visible
from biggan_cli.runtime.process import Ended
from biggan_cli.settings import AtcConfig

START = "ATC start working now, please wait for a moment."
FAILED = "ATC run failed, Please check the detail log, Try 'atc --help' for more information"
SUCCESS = "ATC run success, welcome to the next use."
GRAPH = Path("/runs/00001-a/freeze/generator.pb")


def spec_of(batch=None):
    return GraphSpec(
        graph="generator.pb",
        sha256="0",
        inputs=(TensorSpec("z", "float32", (batch, 120)), TensorSpec("y", "int32", (batch, 1))),
        output=TensorSpec("output", "float32", (batch, 32, 32, 3)),
        class_names=("a", "b"),
        step=4,
        weights="ema",
        bn="standing",
        truncation=2.0,
        resample="plain",
        biggan="0",
    )


def argv(frozen=None, **settings):
    return atc.build_argv(spec_of(frozen), AtcConfig(**settings), GRAPH, Path("/runs/00001-a/atc/model"))


def test_the_arguments():
    assert argv() == [
        "--framework=3",
        f"--model={GRAPH}",
        "--output=/runs/00001-a/atc/model",
        "--soc_version=Ascend310",
        "--input_shape=z:1,120;y:1,1",
        "--out_nodes=output:0",
    ]


@pytest.mark.parametrize(
    ("frozen", "asked", "wanted"), ((None, None, 1), (None, 64, 64), (16, None, 16), (16, 16, 16), (1, None, 1))
)
def test_the_batch_is_the_asked_one_or_the_graph_s(frozen, asked, wanted):
    assert f"--input_shape=z:{wanted},120;y:{wanted},1" in argv(frozen, batch=asked)
    assert atc.batch_of(spec_of(frozen), AtcConfig(batch=asked)) == wanted
    assert not any(argument.startswith("--dynamic") for argument in argv(frozen, batch=asked))


def test_the_order_of_the_inputs_is_the_specification_s():
    z, y = spec_of().inputs
    found = atc.build_argv(replace(spec_of(), inputs=(y, z)), AtcConfig(batch=2), GRAPH, Path("m"))
    assert "--input_shape=y:2,1;z:2,120" in found


def test_a_dynamic_batch_is_open_in_every_input():
    found = argv(dynamic_batch=(1, 2, 8))
    assert found[4:] == ["--input_shape=z:-1,120;y:-1,1", "--out_nodes=output:0", "--dynamic_batch_size=1,2,8"]


def test_options_and_what_stands_after_the_dashes_come_last_in_their_order():
    options = (("precision_mode", "allow_fp32_to_fp16"), ("keep_dtype", "/a/keep.txt"))
    found = argv(soc="Ascend310P3", dynamic_batch=(1, 2), options=options, extra=("--log", "info", "--x=a;b"))
    assert found[3] == "--soc_version=Ascend310P3"
    assert found[7:] == ["--precision_mode=allow_fp32_to_fp16", "--keep_dtype=/a/keep.txt", "--log", "info", "--x=a;b"]
    assert len(found) == 12


@pytest.mark.parametrize(
    ("options", "wanted"),
    (
        ((), "force_fp16"),
        ((("keep_dtype", "x"),), "force_fp16"),
        ((("keep_dtype", "x"), ("precision_mode", "force_fp32")), "force_fp32"),
        ((("precision_mode_v2", "origin"),), "origin"),
    ),
)
def test_the_precision_whichever_flag_says_it(options, wanted):
    assert atc.precision_of(AtcConfig(options=options)) == wanted


def check(frozen=None, soc_versions=SOC_VERSIONS, paths=(GRAPH,), **settings):
    atc.check(spec_of(frozen), AtcConfig(**settings), soc_versions, paths)


def refused(**arguments):
    """The words of the refusal and its fix."""
    with pytest.raises(UsageError) as raised:
        check(**arguments)
    return raised.value.message, dict(raised.value.details).get("fix")


@pytest.mark.parametrize(
    "arguments",
    (
        {},
        dict(soc="Ascend910_9392"),
        dict(batch=16),
        dict(frozen=16),
        dict(frozen=16, batch=16),
        dict(dynamic_batch=(1, 2)),
        dict(options=(("precision_mode", "force_fp32"),)),
        dict(options=(("precision_mode_v2", "origin"), ("keep_dtype", "/a b/keep"))),
        dict(extra=("--log=debug", "-op_select_implmode", "high_precision", "model", "input_shape")),
        dict(extra=("--op_debug_level=1", "mode", "json", "om=x", "--model_x=1", "--optypelist_for_implmode=Gelu")),
    ),
)
def test_what_atc_can_do_is_not_refused(arguments):
    check(**arguments)


@pytest.mark.parametrize(
    ("asked", "nearest"),
    (
        ("310", "Ascend310"),
        ("ascend310", "Ascend310"),
        ("Ascend 310", "Ascend310"),
        ("310P3", "Ascend310P3"),
        ("Ascned910B4", "Ascend910B4"),
        ("ASCEND310", "Ascend310"),
    ),
)
def test_a_chip_that_does_not_exist(asked, nearest):
    message, fix = refused(soc=asked)
    assert message == f"--soc {asked} is none of the {len(SOC_VERSIONS)} chips that this toolkit builds for"
    assert fix == f"--soc {nearest}"


def test_no_chip_at_all():
    message, fix = refused(soc="")
    assert message.startswith("--soc  is none") and fix.startswith("--soc ")


def test_only_the_chips_of_the_toolkit_count():
    message, fix = refused(soc="Ascend310", soc_versions=("Ascend910B1", "Ascend310P3"))
    assert "none of the 2 chips" in message and fix == "--soc Ascend310P3"


@pytest.mark.parametrize(
    ("path", "shown"),
    (
        ("/my runs/a.pb", "' '"),
        ("/runs(1)/a.pb", "'(' ')'"),
        ("~/a.pb", "'~'"),
        ("/a@b+c:d/a.pb", "'+' ':' '@'"),
        ("/é/a.pb", "'é'"),
        ("/a\n/a.pb", "'\\n'"),
        ("/の/a.pb", "'の'"),
    ),
)
def test_a_path_that_atc_does_not_take(path, shown):
    message, fix = refused(paths=(GRAPH, Path(path)))
    assert message == f"atc does not take the path {visible(path)}: it has {shown} in it"
    assert "--outdir" in fix


@pytest.mark.parametrize("path", ("/a/B-c_d.0/x.pb", "relative", "../up", "/数据/模型_1/a.pb", "/一龥"))
def test_a_path_that_atc_takes(path):
    check(paths=(Path(path),))


@pytest.mark.parametrize("settings", (dict(batch=8), dict(dynamic_batch=(1, 16)), dict(batch=1)))
def test_a_fixed_graph_keeps_its_batch(settings):
    message, fix = refused(frozen=16, **settings)
    flag = f"--batch {settings['batch']}" if "batch" in settings else "--dynamic-batch"
    assert message == f"{flag} does not fit the frozen graph, whose batch is 16"
    assert "biggan freeze" in fix


def test_what_excludes_each_other():
    message, _ = refused(batch=8, dynamic_batch=(1, 8))
    assert message == "--batch 8 and --dynamic-batch exclude each other"
    message, _ = refused(options=(("precision_mode", "force_fp16"), ("precision_mode_v2", "fp16")))
    assert message == "--precision-mode and --precision-mode-v2 exclude each other"


@pytest.mark.parametrize(
    ("argument", "name", "fix"),
    (
        ("--framework=3", "framework", "leave it out"),
        ("--model", "model", "leave it out"),
        ("--out_nodes=output:0", "out_nodes", "leave it out"),
        ("--mode=1", "mode", "leave it out"),
        ("-mode", "mode", "leave it out"),
        ("--om=x.om", "om", "leave it out"),
        ("--json=x.json", "json", "leave it out"),
        ("--external_weight=1", "external_weight", "leave it out"),
        ("--external-weight=1", "external_weight", "leave it out"),
        ("--output=x", "output", "--name before it"),
        ("--soc_version=Ascend310", "soc_version", "--soc before it"),
        ("--soc-version=Ascend310", "soc_version", "--soc before it"),
        ("-soc_version=Ascend310", "soc_version", "--soc before it"),
        ("--input_shape=z:1,8", "input_shape", "--batch or --dynamic-batch before it"),
        ("--dynamic-batch-size=1,2", "dynamic_batch_size", "--dynamic-batch before it"),
        ("--precision_mode=force_fp32", "precision_mode", "--precision-mode before it"),
        ("--precision_mode_v2", "precision_mode_v2", "--precision-mode-v2 before it"),
        ("--keep_dtype=x", "keep_dtype", "--keep-dtype before it"),
        ("--modify_mixlist=x", "modify_mixlist", "--modify-mixlist before it"),
        ("--fusion_switch_file=x", "fusion_switch_file", "--fusion-switch-file before it"),
    ),
)
def test_what_biggan_sets_must_not_come_again(argument, name, fix):
    found = refused(extra=("--log=info", argument))
    assert found == (f"--{name} after -- is not for you to set: biggan does", fix)


def judged(tmp_path, code, lines, files=()):
    for name, content in dict(files).items():
        (tmp_path / name).write_bytes(content)
    return atc.judge(Ended(code, 1.0, lines), tmp_path / "m", tmp_path / "m.log")


def failure(tmp_path, *arguments):
    with pytest.raises(ToolError) as raised:
        judged(tmp_path, *arguments)
    details = dict(raised.value.details)
    assert details["log"] == str(tmp_path / "m.log")
    return raised.value.message, details


PLAIN, X86 = {"m.om": b"IMOD"}, {"m_linux_x86_64.om": b"IMOD"}


@pytest.mark.parametrize(
    ("files", "name"),
    (
        (PLAIN, "m.om"),
        (X86, "m_linux_x86_64.om"),
        ({"m_linux_aarch64.om": b"x"}, "m_linux_aarch64.om"),
        (dict(PLAIN, **X86), "m.om"),
        (dict(X86, **{"m.om": b""}), "m_linux_x86_64.om"),
    ),
)
def test_a_model_is_believed(tmp_path, files, name):
    lines = [START, "...", SUCCESS, "W11001: Op [Slice] does not hit the high-priority library."]
    assert judged(tmp_path, 0, lines, files) == tmp_path / name


def test_an_error_that_atc_got_over_is_no_failure(tmp_path):
    assert judged(tmp_path, 0, ["E10410: File [x] does not exist.", SUCCESS], PLAIN) == tmp_path / "m.om"


@pytest.mark.parametrize("files", ({}, PLAIN), ids=("no file", "file"))
@pytest.mark.parametrize("said", (False, True), ids=("said nothing", "said success"))
@pytest.mark.parametrize("code", (0, 1, 255, -11))
def test_all_three_signs_must_be_there(tmp_path, code, said, files):
    if code == 0 and said and files:
        assert judged(tmp_path, code, [START, SUCCESS], files) == tmp_path / "m.om"
        return
    message, details = failure(tmp_path, code, [START] + [SUCCESS] * said, files)
    if code:
        how = "was killed by SIGSEGV" if code < 0 else f"ended with exit code {code}"
        assert message == f"atc {how}{' although it reports success' if said else ''}"
    elif said:
        assert message == "atc reports success but left no model"
        assert details["looked for"] == f"{tmp_path / 'm'}.om" and "disk" in details["fix"]
    else:
        assert message == "atc ended without its words of success"


@pytest.mark.parametrize("name", ("m.om", "m_linux_x86_64.om"))
def test_an_empty_file_is_no_model(tmp_path, name):
    message, _ = failure(tmp_path, 0, [SUCCESS], {name: b""})
    assert message == "atc reports success but left no model"


@pytest.mark.parametrize(
    "name", ("m.om.om", "m2.om", "m", "x_linux_x86_64.om", "m_linux_x86_64.json", "m_windows_x86_64.om")
)
def test_other_files_are_no_model(tmp_path, name):
    failure(tmp_path, 0, [SUCCESS], {name: b"x"})
    (tmp_path / "m.om").mkdir()
    failure(tmp_path, 0, [SUCCESS])


@pytest.mark.parametrize("code", (0, 255))
def test_the_code_of_an_error_comes_with_its_advice(tmp_path, code):
    lines = [START, FAILED, "E10016: Opname [x] specified in [--out_nodes] is not found in the model"]
    message, details = failure(tmp_path, code, lines)
    assert message == "atc failed with E10016: Opname [x] specified in [--out_nodes] is not found in the model"
    assert details["fix"] == advice("E10016")


@pytest.mark.parametrize(
    ("lines", "code"),
    (
        (["E19999: Inner Error!", "        wrapped", "EZ3003: No supported kernel"], "EZ3003"),
        (["EZ3003: No supported kernel", "E19999: Inner Error!", "        wrapped"], "EZ3003"),
        (["EZ9999: Inner Error!", "EZ9999  tiling", "E19999: Inner Error!", "E19999  more", "E10041: no"], "E10041"),
        (["E10001: first", "E10002: second"], "E10001"),
        (["W11001: only a warning", "E10410: gone"], "E10410"),
        (["E19999: Inner Error!", "        nothing else"], "E19999"),
        (["EZ9999: Inner Error!", "EZ9999  a", "E19999: Inner Error!", "E19999  b"], "EZ9999"),
    ),
)
def test_of_several_errors_the_one_that_says_most(tmp_path, lines, code):
    message, details = failure(tmp_path, 255, [START, FAILED, *lines])
    assert message.startswith(f"atc failed with {code}: ")
    assert details["fix"] == advice(code)


def test_a_warning_is_no_reason(tmp_path):
    message, _ = failure(tmp_path, 255, [FAILED, "W11001: Op [x] is slow"])
    assert message == "atc ended with exit code 255"


def test_a_flag_that_this_atc_does_not_know(tmp_path):
    lines = ["ERROR: unknown command line flag 'precision_mode_v2'", "ERROR: another"]
    message, details = failure(tmp_path, 1, lines)
    assert message == "atc ended with exit code 1: ERROR: unknown command line flag 'precision_mode_v2'"
    assert "$HOME/ascend/log" in details["fix"]


def test_a_library_that_is_missing(tmp_path):
    line = "atc.bin: error while loading shared libraries: libascend_hal.so: cannot open shared object file"
    message, _ = failure(tmp_path, 127, [line])
    assert message == f"atc ended with exit code 127: {line}"


def test_the_warnings():
    lines = [SUCCESS, "W11001: Op [a] is slow", "E10001: not a warning", "W11001: Op [b] is slow"]
    found = atc.warnings(Ended(0, 1.0, lines))
    assert found == [Message("W11001", "Op [a] is slow"), Message("W11001", "Op [b] is slow")]


@pytest.mark.parametrize(
    ("option", "value", "fix"),
    (
        ("precision_mode", "force_fp61", "--precision-mode force_fp16"),
        ("precision_mode", "fp16", "--precision-mode-v2 fp16"),
        ("precision_mode_v2", "allow_fp32_to_fp16", "--precision-mode allow_fp32_to_fp16"),
    ),
)
def test_a_mode_that_no_toolkit_has(option, value, fix):
    with pytest.raises(UsageError) as raised:
        check(options=((option, value),))
    assert f"{value} is not one of" in raised.value.message and dict(raised.value.details)["fix"] == fix
