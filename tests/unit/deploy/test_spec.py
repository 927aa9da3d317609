"""The specification beside a frozen graph: it comes back as it was, and a bad one is not believed."""

import json
from dataclasses import replace

import pytest

from biggan_cli.deploy.spec import GraphSpec, TensorSpec, read_spec, write_spec
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import sha256
from biggan_cli.rundir import RunDir

SPEC = GraphSpec(
    graph="generator.pb",
    sha256="",
    inputs=(TensorSpec("z", "float32", (None, 9)), TensorSpec("y", "int32", (None, 1))),
    output=TensorSpec("output", "float32", (None, 32, 32, 3)),
    class_names=("a", "猫", "c"),
    step=4,
    weights="ema",
    bn="standing",
    truncation=None,
    resample="fused",
    biggan="0.1",
)


@pytest.fixture
def run(tmp_path):
    """A run with a graph and its specification."""
    run = RunDir(tmp_path / "00000-a")
    run.frozen_graph.parent.mkdir(parents=True)
    run.frozen_graph.write_bytes(b"a graph")
    write_spec(run.graph_spec, replace(SPEC, sha256=sha256(run.frozen_graph)))
    return run


def change(run, **values):
    stored = json.loads(run.graph_spec.read_text(encoding="utf-8"))
    stored.update(values)
    run.graph_spec.write_text(json.dumps(stored), encoding="utf-8")


def refused(run, error):
    with pytest.raises(error) as raised:
        read_spec(run)
    assert dict(raised.value.details)["fix"] == f"biggan freeze {run}"
    return raised.value.message, dict(raised.value.details).get("looked for")


@pytest.mark.parametrize("batch, truncation", ((None, None), (64, 2.0), (1, 0.1)))
def test_it_comes_back_as_it_was(run, batch, truncation):
    spec = replace(
        SPEC,
        sha256=sha256(run.frozen_graph),
        inputs=tuple(replace(tensor, shape=(batch, *tensor.shape[1:])) for tensor in SPEC.inputs),
        output=replace(SPEC.output, shape=(batch, 32, 32, 3)),
        truncation=truncation,
    )
    write_spec(run.graph_spec, spec)
    assert read_spec(run) == spec
    assert read_spec(run).batch == batch and read_spec(run).z_dim == 9


def test_the_bytes_of_one_picture():
    assert [tensor.bytes_each() for tensor in (*SPEC.inputs, SPEC.output)] == [36, 4, 4 * 32 * 32 * 3]


@pytest.mark.parametrize("missing", ("generator.pb", "generator.spec.json"))
def test_nothing_is_frozen(run, missing):
    path = run.frozen_graph.parent / missing
    path.unlink()
    assert refused(run, UsageError) == (f"no frozen graph in {run}", str(path))


def test_a_graph_that_was_changed_does_not_belong(run):
    run.frozen_graph.write_bytes(b"another graph")
    message, looked_for = refused(run, StepFailed)
    assert message.startswith("generator.spec.json and generator.pb do not belong together")
    assert sha256(run.frozen_graph)[:12] in message and looked_for == str(run.frozen_graph)


@pytest.mark.parametrize("schema", (0, 2, None, "1"))
def test_another_schema(run, schema):
    change(run, schema=schema)
    message, _ = refused(run, StepFailed)
    assert f"ValueError schema {schema}, this biggan reads schema 1" in message


@pytest.mark.parametrize("name", ("schema", "inputs", "output", "class_names", "sha256", "batch_norm"))
def test_a_key_that_is_missing_or_unknown(run, name):
    stored = json.loads(run.graph_spec.read_text(encoding="utf-8"))
    if stored.pop(name, None) is None:
        stored[name] = 1
    run.graph_spec.write_text(json.dumps(stored), encoding="utf-8")
    message, _ = refused(run, StepFailed)
    assert message.startswith(f"{run.graph_spec} is damaged: ") and name in message


@pytest.mark.parametrize(
    "values",
    (
        dict(inputs=None),
        dict(inputs=[1]),
        dict(inputs=[dict(name="z", dtype="float64", shape=[None, 9])]),
        dict(output=dict(name="output", dtype="float32")),
        dict(output=dict(name="output", dtype="float32", shape=[None, None, 3])),
        dict(output=dict(name="output", dtype="float32", shape=5)),
        dict(class_names=3),
    ),
    ids=str,
)
def test_a_value_that_cannot_be(run, values):
    change(run, **values)
    message, _ = refused(run, StepFailed)
    assert message.startswith(f"{run.graph_spec} is damaged: ")


@pytest.mark.parametrize("content", (b"[]", b"7", b"null", b'"text"'))
def test_json_of_another_kind(run, content):
    run.graph_spec.write_bytes(content)
    message, _ = refused(run, StepFailed)
    assert message.startswith(f"{run.graph_spec} is damaged: ")


@pytest.mark.parametrize("content", (b"", b"{", b"\xff\xfe"))
def test_a_file_that_is_cut_off(run, content):
    run.graph_spec.write_bytes(content)
    with pytest.raises(StepFailed) as raised:
        read_spec(run)
    assert f"{run.graph_spec} is damaged" in raised.value.message
