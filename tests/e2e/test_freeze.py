"""``biggan freeze``: the frozen graph draws what the checkpoint draws, whatever was asked, and is whole or the old."""

import json
import shutil

import numpy as np
import pytest

from biggan_cli.deploy.spec import read_spec
from biggan_cli.files import sha256
from biggan_cli.inference.frozen import FrozenGenerator, read_graph
from biggan_cli.model.latents import z_of_seeds
from biggan_cli.rundir import RunDir
from tests.e2e.deployment import digests, emulated, with_a_full_disk
from tests.e2e.test_bad_input import refused
from tests.e2e.test_import_checkpoint import REF32

PICTURES = 5


def drawn(run, z=None, y=None):
    """What the frozen graph of a run draws, by default of the first seeds."""
    run = RunDir(run)
    spec = read_spec(run)
    if z is None:
        z, y = z_of_seeds(range(PICTURES), spec.z_dim, spec.truncation), np.arange(PICTURES)
    with FrozenGenerator(read_graph(run.frozen_graph), spec) as generator:
        return np.concatenate(list(generator.images(z, y)))


def deployed_run(deployed):
    (run,) = (deployed / "runs").glob("0*")
    return run


def operators_of(run):
    return sorted(node.op for node in read_graph(run / "freeze" / "generator.pb").node)


def spec_of(run):
    return json.loads((run / "freeze" / "generator.spec.json").read_text())


def test_the_graph_is_constants_and_two_inputs(deployed):
    run = deployed_run(deployed)
    graph = read_graph(run / "freeze" / "generator.pb")
    assert [node.name for node in graph.node if node.op == "Placeholder"] == ["z", "y"]
    assert not graph.library.function and graph.node[-1].name == "output" and graph.node[-1].op == "Identity"
    stateful = ("Variable", "VarHandle", "Assign", "Switch", "Merge", "Random", "Save", "Restore", "ReadVariable")
    assert [node.op for node in graph.node if node.op.startswith(stateful)] == []
    spec = spec_of(run)
    assert spec["inputs"] == [
        {"name": "z", "dtype": "float32", "shape": [None, 8]},
        {"name": "y", "dtype": "int32", "shape": [None, 1]},
    ]
    assert spec["output"] == {"name": "output", "dtype": "float32", "shape": [None, 32, 32, 3]}
    assert (spec["step"], spec["weights"], spec["bn"], spec["resample"]) == (4, "ema", "standing", "plain")
    assert spec["sha256"] == sha256(run / "freeze" / "generator.pb")
    manifest = json.loads((run / "freeze" / "generator.manifest.json").read_text())
    assert set(manifest["outputs"]) == {"generator.pb", "generator.spec.json"}
    assert manifest["details"]["compared"] == 16 and manifest["details"]["max_abs"] <= 1e-5
    assert "checkpoints/model-000004.index" in manifest["inputs"]
    assert sorted(path.name for path in (run / "freeze").iterdir()) == [
        *("generator.manifest.json", "generator.pb", "generator.spec.json")
    ]


def test_freezing_twice_gives_the_same_bytes(run, tmp_path):
    before = digests(run / "freeze")
    done = emulated("freeze", "--json", cwd=tmp_path)
    assert "differ from the session's by" in done.stderr
    after = digests(run / "freeze")
    assert before.pop("generator.manifest.json") != after.pop("generator.manifest.json")  # it says when
    assert after == before
    shown = json.loads(done.stdout)
    assert shown["graph"] == f"runs/{run.name}/freeze/generator.pb" and shown["step"] == 4 and shown["max_abs"] <= 1e-5
    assert shown["bytes"] == (run / "freeze" / "generator.pb").stat().st_size


@pytest.mark.parametrize(
    "arguments, key, value",
    ((["--weights", "raw"], "weights", "raw"), (["--bn", "moving"], "bn", "moving"), (["--checkpoint", 2], "step", 2)),
)
def test_what_is_asked_changes_the_graph(deployed, run, tmp_path, arguments, key, value):
    emulated("freeze", *arguments, cwd=tmp_path)
    assert spec_of(run)[key] == value and spec_of(deployed_run(deployed))[key] != value
    assert sha256(run / "freeze" / "generator.pb") != sha256(deployed_run(deployed) / "freeze" / "generator.pb")
    assert np.abs(drawn(run) - drawn(deployed_run(deployed))).max() > 1e-3


def test_a_fixed_batch_and_fused_resampling(deployed, run, tmp_path):
    """Other operators and another batch draw the same pictures; what follows must keep to that batch."""
    emulated("freeze", "--resample", "fused", "--batch", 3, cwd=tmp_path)
    assert spec_of(run)["output"]["shape"][0] == 3 and spec_of(run)["resample"] == "fused"
    np.testing.assert_allclose(drawn(run), drawn(deployed_run(deployed)), rtol=0, atol=1e-4)
    assert operators_of(run) != operators_of(deployed_run(deployed))
    assert json.loads(emulated("to-bin", "--num", 4, "--json", cwd=tmp_path).stdout)["batch"] == 3
    assert (run / "bin" / "00001" / "z" / "000001.bin").stat().st_size == 3 * 8 * 4
    refused(emulated("to-bin", "--batch", 2, cwd=tmp_path, check=2), "--batch 2", "whose batch is 3", "freeze")
    for flag in (["--batch", 4], ["--dynamic-batch", "1,3"]):
        refused(emulated("atc", *flag, cwd=tmp_path, check=2), flag[0], "whose batch is 3")
    assert "--input_shape=z:3,8;y:3,1" in emulated("atc", "--dry-run", cwd=tmp_path).stdout


def test_a_frozen_import_draws_the_golden_pictures(biggan, tmp_path):
    biggan("import-checkpoint", REF32 / "model.ckpt", "--class-names", "cifar10", cwd=tmp_path, check=0)
    emulated("freeze", "--weights", "raw", cwd=tmp_path)
    (run,) = (tmp_path / "runs").glob("0*")
    assert spec_of(run)["bn"] == "moving" and spec_of(run)["class_names"][7] == "horse"
    with np.load(str(REF32 / "golden.npz")) as golden:
        found = drawn(run, golden["z"], golden["y"])
        np.testing.assert_allclose(found, golden["image"], rtol=0, atol=1e-4)


def test_an_older_graph_stays_whole_when_freezing_fails(run, tmp_path):
    before = digests(run / "freeze")
    limit = (run / "freeze" / "generator.pb").stat().st_size // 2
    done = with_a_full_disk("freeze", "--weights", "raw", cwd=tmp_path, limit=limit)
    assert done.returncode == 1
    refused(done, "file too large")
    data = run / "checkpoints" / "model-000004.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-10])
    refused(emulated("freeze", cwd=tmp_path, check=1), data.name, "bytes instead of")
    assert digests(run / "freeze") == before
    assert [path.name for path in (run / "freeze").glob(".*")] == []
    emulated("atc", "--dry-run", cwd=tmp_path)


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--resample", "smooth"], ["--resample smooth", "fused, plain"]),
        (["--batch", 0], ["--batch 0"]),
        (["--weights", "best"], ["--weights best", "ema, raw"]),
        (["--bn", "still"], ["--bn still", "standing, moving"]),
        (["--checkpoint", 3], ["--checkpoint 3", "2, 4"]),
        (["--truncation", "wide"], ["--truncation wide"]),
        (["nowhere"], ["there is no run nowhere"]),
    ),
)
def test_wrong_use(biggan, tiny_runs, tiny_run, arguments, words):
    refused(biggan("freeze", *arguments, "--outdir", tiny_runs, check=2), *words)
    assert not list(tiny_run.glob("freeze/*"))


@pytest.mark.parametrize("command", ("to-bin", "atc", "msame-run", "verify"))
def test_nothing_is_frozen_yet(tiny_run, tmp_path, command):
    shutil.copytree(str(tiny_run), str(tmp_path / "runs" / tiny_run.name))
    before = digests(tmp_path)
    done = emulated(command, cwd=tmp_path, check=2)
    refused(done, "no frozen graph in", "freeze/generator.pb", f"fix: biggan freeze runs/{tiny_run.name}")
    assert digests(tmp_path) == before


@pytest.mark.parametrize("command", ("to-bin", "atc", "msame-run", "verify"))
def test_a_graph_and_a_specification_that_do_not_belong_together(run, tmp_path, command):
    with open(str(run / "freeze" / "generator.pb"), "ab") as file:
        file.write(b"\0")
    before = digests(run)
    done = emulated(command, cwd=tmp_path, check=1)
    refused(done, "generator.spec.json and generator.pb do not belong together", "fix: biggan freeze")
    assert digests(run) == before


@pytest.mark.parametrize("text", ("{", "{}", "[]", '{"schema": 99}'))
def test_a_spoilt_specification(run, tmp_path, text):
    (run / "freeze" / "generator.spec.json").write_text(text)
    refused(emulated("atc", cwd=tmp_path, check=1), "generator.spec.json is damaged")
