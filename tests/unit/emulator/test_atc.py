"""``atc`` with a graph: the checks that read it, the offline model, and the failures around writing it."""

import os
from pathlib import Path

import pytest

from biggan_cli.emulator import atc, offline_model
from biggan_cli.errors import StepFailed
from biggan_cli.runtime.tf import tf


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """``run(flags)``: exit code and lines of stdout of ``atc`` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(arguments, fail=""):
        monkeypatch.setenv("BIGGAN_EMULATOR_FAIL", fail)
        code = atc.main([str(argument) for argument in arguments])
        return code, capsys.readouterr().out.splitlines()

    return call


def test_the_process_writes_a_model(tool, tiny, tmp_path):
    done = tool("atc", *tiny.flags("deep/er/x.y"), cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.splitlines() == [
        "ATC start working now, please wait for a moment.",
        "...",
        "ATC run success, welcome to the next use.",
    ]
    path = tmp_path / "deep/er/x.y.om"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "fusion_result.json").is_file() and (tmp_path / "kernel_meta").is_dir()
    assert sorted(found.name for found in path.parent.iterdir()) == ["x.y.om"]
    model = offline_model.read(path)
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in model.inputs] == [
        ("z", "float32", [2, 8]),
        ("y", "int32", [2, 1]),
    ]
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in model.outputs] == [
        ("output:0", "float32", [2, 4, 4, 3])
    ]
    assert model.soc_version == "Ascend310" and model.precision["mode"] == "force_fp16" and model.gears == []
    assert "--out_nodes=output:0" in model.command_line
    shown = tool("atc", "--mode=6", f"--om={path}", cwd=tmp_path)
    assert shown.returncode == 0 and "soc_version[Ascend310]" in shown.stdout
    assert f"Original Atc command line: {model.command_line}" in shown.stdout


def test_inputs_stand_in_the_order_of_input_shape(run, tiny):
    assert run(tiny.flags("x", input_shape="y:2,1;z:2,8"))[0] == 0
    assert [tensor.name for tensor in offline_model.read(_om("x")).inputs] == ["y", "z"]


def test_gears(run, tiny):
    assert run(tiny.flags("x", input_shape="z:-1,8;y:-1,1", dynamic_batch_size="4,1,2"))[0] == 0
    model = offline_model.read(_om("x"))
    assert model.gears == [4, 1, 2] and model.inputs[0].shape == [-1, 8] and model.outputs[0].shape == [4, 4, 4, 3]


def test_all_leaves_are_outputs_by_default(run, tiny):
    assert run(tiny.flags("x", out_nodes=None))[0] == 0
    assert [tensor.name for tensor in offline_model.read(_om("x")).outputs] == ["output:0"]


@pytest.mark.parametrize(
    "changes, code, words",
    [
        (dict(input_shape="z:2,8;label:2,1"), "E10016", "Opname [label] specified in [--input_shape] is not found"),
        (dict(input_shape="z:2,8;y:2,1;linear:2,32"), "E10017", "Input Op [linear]"),
        (dict(input_shape="z:2,8"), "E10001", "The shapes of inputs contain -1"),
        (dict(input_shape=None), "E10001", "The shapes of inputs contain -1"),
        (dict(input_shape="z:2,8,1;y:2,1"), "E19999", "2 dimensions"),
        (dict(input_shape="z:-1,8", dynamic_batch_size="1,2"), "E10001", "every input"),
        (dict(input_fp16_nodes="w"), "E10016", "[--input_fp16_nodes]"),
        (dict(out_nodes="image:0"), "E10016", "Opname [image] specified in [--out_nodes]"),
        (dict(out_nodes="output:1"), "E10003", "1 outputs"),
        (dict(output_type="FP64"), "E10001", "[output_type]"),
        (dict(input_shape="z:2,9;y:2,1"), "E19999", "."),
    ],
)
def test_what_does_not_fit_the_graph(run, tiny, changes, code, words):
    exit_code, lines = run(tiny.flags("x", **changes))
    assert exit_code == 255 and not _om("x").exists()
    assert lines[-1].startswith(f"{code}: ") and words in lines[-1]


def _placeholder(dtype="float32", shape=(2, 4)):
    return tf.placeholder(dtype, shape, name="x")


def _branch(predicate):
    taken, other = tf.raw_ops.Switch(data=_placeholder(), pred=predicate)
    tf.identity(tf.raw_ops.Merge(inputs=[taken + 1.0, other])[0], name="out")


GRAPHS = {
    "no kernel": (lambda: tf.identity(tf.exp(_placeholder("float64")), name="out"), "EZ3003", "optype [Exp]"),
    "no parser": (
        lambda: tf.raw_ops.StatelessRandomNormal(shape=[4], seed=_placeholder("int32", (2,)), name="out"),
        "E19010",
        "optype [StatelessRandom",
    ),
    "open branch": (lambda: _branch(tf.placeholder(tf.bool, [], name="train")), "EZ3003", "optype [Switch]"),
    "AI CPU": (
        lambda: tf.identity(tf.one_hot(_placeholder("int64", (2,)), 3, name="hot"), name="out"),
        "W11001",
        "Op [hot] does not hit",
    ),
    "settled branch": (lambda: _branch(tf.constant(False)), None, None),
    "an operator outside the tables": (
        lambda: tf.identity(tf.sin(_placeholder(), name="sine"), name="out"),
        "W11001",
        "Op [sine]",
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_operators(run, tiny, tmp_path, name):
    build, code, words = GRAPHS[name]
    pb = tiny.save_graph(tmp_path / "graph.pb", build)
    exit_code, lines = run(tiny.flags("x", model=pb, input_shape=None, out_nodes="out:0"))
    if code and code.startswith("E"):
        assert exit_code == 255 and lines[-1].startswith(code) and words in lines[-1]
    else:
        assert exit_code == 0
        warned = [line for line in lines if line.startswith("W11001")]
        assert len(warned) == (1 if code else 0) and (not code or words in warned[0])


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x0a\x03\x0a\x01\xff"])
def test_a_file_that_is_no_graph(run, tiny, tmp_path, content):
    (tmp_path / "bad.pb").write_bytes(content)
    code, lines = run(tiny.flags("x", model="bad.pb"))
    assert code == 255 and "E10041" in lines[-1] and "Failed to load the model from [bad.pb]." in lines[-1]


def test_a_graph_with_a_hole(run, tiny, tmp_path):
    graph_def = tf.GraphDef.FromString(tiny.pb.read_bytes())
    keep = [node for node in graph_def.node if node.name != "kernel"]
    (tmp_path / "hole.pb").write_bytes(tf.GraphDef(node=keep).SerializeToString())
    code, lines = run(tiny.flags("x", model="hole.pb"))
    assert code == 255 and "E12009" in lines[-1] and "Op [conv]'s input [kernel]" in lines[-1]


def test_types_of_inputs_and_outputs(run, tiny):
    assert run(tiny.flags("x", output_type="FP16", input_fp16_nodes="z"))[0] == 0
    model = offline_model.read(_om("x"))
    assert model.inputs[0].dtype == model.outputs[0].dtype == "float16"
    assert run(tiny.flags("x", output_type="output:0:UINT8", display_model_info=1))[0] == 0
    assert offline_model.read(_om("x")).outputs[0].dtype == "uint8"


def test_failures_around_the_file(run, tiny):
    success = "ATC run success, welcome to the next use."
    assert run(tiny.flags("one"), "atc:exit1") == (1, [*_start(), success]) and _om("one").exists()
    assert run(tiny.flags("two"), "atc:no-file") == (0, [*_start(), success]) and not _om("two").exists()
    assert run(tiny.flags("three"), "atc:silent") == (0, _start()) and _om("three").exists()
    assert run(tiny.flags("four"), "atc:suffix")[0] == 0
    assert os.path.exists("four_linux_x86_64.om") and not _om("four").exists()
    assert run(tiny.flags("five"), "atc:truncate")[0] == 0
    with pytest.raises(StepFailed, match="cut off or damaged"):
        offline_model.read(_om("five"))


def test_other_files_are_told_from_ours(tmp_path):
    real, text = tmp_path / "real.om", tmp_path / "text.om"
    real.write_bytes(b"IMOD" + bytes(252))
    text.write_text("text")
    assert not offline_model.is_emulated(real)
    with pytest.raises(StepFailed, match="real offline model"):
        offline_model.read(real)
    with pytest.raises(StepFailed, match="no offline model"):
        offline_model.read(text)
    with pytest.raises(StepFailed, match="No such file"):
        offline_model.read(tmp_path / "absent.om")


def _om(name):
    return Path(name + ".om")


def _start():
    return ["ATC start working now, please wait for a moment.", "..."]
