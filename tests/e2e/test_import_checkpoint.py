"""A checkpoint of the reference through the console script: in, used, trained on, out again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.training import checkpoints, reference
from tests.e2e.test_bad_input import files, refused

REF32 = Path(__file__).parents[1] / "data" / "ref32"
RECIPE = ["--data", "digits", "--batch", 4, "--g-lr", 0.001, "--seed", 5]


def result(done):
    return json.loads(done.stdout)


def drawn(biggan, outdir, *arguments):
    """The floats that ``sample`` draws of the golden latents."""
    options = ["--latents", REF32 / "golden.npz", "--npz", "--json", "--outdir", outdir]
    folder = result(biggan("sample", *options, *arguments, check=0))["folder"]
    with np.load(folder + "/samples.npz") as archive:
        return archive["images"]


def state(prefix):
    return checkpoints.read(Path(prefix))


def assert_same_state(one, other):
    assert set(one) == set(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def imported(biggan, tmp_path_factory):
    """A directory of runs with an import of the reference's checkpoint; tests must not change it."""
    outdir = tmp_path_factory.mktemp("imported")
    done = biggan("import-checkpoint", REF32 / "model.ckpt", "--class-names", "cifar10", "--outdir", outdir, "--json")
    assert done.returncode == 0, done.stderr
    assert result(done)["step"] == 4 and result(done)["num_classes"] == 10
    assert "carried over: generator and discriminator" in done.stderr and "--bn standing" in done.stderr
    return outdir


def test_pictures_equal_the_reference_s(biggan, imported):
    with np.load(str(REF32 / "golden.npz")) as golden:
        wanted = golden["image"]
    np.testing.assert_allclose(drawn(biggan, imported, "--weights", "raw"), wanted, rtol=0, atol=1e-4)
    standing = drawn(biggan, imported, "--weights", "raw", "--bn", "standing")
    assert np.abs(standing - wanted).max() > 0.01
    averaged = drawn(biggan, imported)
    assert np.abs(averaged - wanted).max() > 0.01


def test_class_names_work_in_every_command(biggan, imported):
    morph = biggan("interpolate", "--from", "horse", "--to", "car", "--frames", 2, "--outdir", imported, check=0)
    assert "horse-to-automobile.gif" in morph.stdout and "moving statistics" in morph.stderr


def test_the_run_says_what_it_is(imported):
    (run,) = [path for path in imported.iterdir() if path.is_dir()]
    config = json.loads((run / "config.json").read_text())
    assert config["bn"] == "moving" and config["config"]["model"]["relu_on_image"] is True
    assert config["data_digest"] is None and config["class_names"][1] == "automobile"
    record = json.loads((run / "checkpoints" / "model-000004.json").read_text())
    assert set(record["source"]["files"]) == {"model.ckpt.index", "model.ckpt.data-00000-of-00001"}
    assert "carried over" in (run / "log.txt").read_text()


def test_train_on_and_out_and_in_again(biggan, tmp_path):
    """The recipe is open until the first step is taken here; what goes out comes back bit for bit."""
    biggan("import-checkpoint", REF32 / "model.ckpt", "--outdir", tmp_path, check=0)
    trained = biggan("train", "--resume", "latest", *RECIPE, "--steps", 5, "--outdir", tmp_path, "--json", check=0)
    assert "from step 4" in trained.stderr and result(trained)["step"] == 5
    (run,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    config = json.loads((run / "config.json").read_text())
    assert config["class_names"][3] == "three" and config["config"]["train"]["g_lr"] == 0.001
    assert (run / "reals.png").is_file()

    latest = drawn(biggan, tmp_path)
    assert np.abs(drawn(biggan, tmp_path, "--bn", "standing") - latest).max() == 0
    assert np.abs(drawn(biggan, tmp_path, "--bn", "moving") - latest).max() > 0.01

    done = biggan("train", "--resume", "latest", "--batch", 8, "--steps", 6, "--outdir", tmp_path, check=2)
    refused(done, "--batch 8 conflicts with the run's own 4")

    exported = result(biggan("export-checkpoint", "--format", "reference", "--outdir", tmp_path, "--json", check=0))
    again = result(biggan("import-checkpoint", exported["raw"], "--outdir", tmp_path, "--json", check=0))
    assert_same_state(state(again["checkpoint"]), state(run / "checkpoints" / "model-000005"))
    assert state(again["checkpoint"])["step"] == 5
    before, after = state(run / "checkpoints" / "model-000004"), state(run / "checkpoints" / "model-000005")
    assert (before["generator/block1/conv1/w"] != after["generator/block1/conv1/w"]).any()

    averaged = biggan("import-checkpoint", exported["ema"], "--outdir", tmp_path, check=0)
    assert "the live weights are averages (ema)" in averaged.stderr
    manifest = json.loads((Path(exported["folder"]) / "manifest.json").read_text())
    assert {"model.ckpt.index", "ema.ckpt.index", "checkpoint"} < set(manifest["outputs"])


def test_adam_starts_afresh_where_it_is_missing(biggan, tmp_path):
    arrays = {n: a for n, a in checkpoints.read(REF32 / "model.ckpt").items() if "generator/conv/w/Adam" not in n}
    checkpoints.write_arrays(arrays, tmp_path / "part.ckpt")
    done = biggan("import-checkpoint", tmp_path / "part.ckpt", "--outdir", tmp_path / "runs", check=0)
    assert "carried over: discriminator; afresh: generator" in done.stderr
    recipe = [*RECIPE, "--beta2", 0.5, "--steps", 5, "--outdir", tmp_path / "runs"]
    trained = result(biggan("train", "--resume", 0, *recipe, "--json", check=0))
    values = state(trained["checkpoint"])
    assert values["beta2_power_1"] == np.float32(0.25)
    np.testing.assert_allclose(values["beta2_power"], arrays["beta2_power"] * 0.25, rtol=1e-6)
    exported = result(
        biggan("export-checkpoint", 0, "--checkpoint", 4, "--outdir", tmp_path / "runs", "--json", check=0)
    )
    assert not state(exported["raw"])["generator/conv/w/Adam"].any()


def test_an_attempt_without_a_step_leaves_the_recipe_open(biggan, tmp_path):
    biggan("import-checkpoint", REF32 / "model.ckpt", "--outdir", tmp_path, check=0)
    (run,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    recipe = ["--data", "digits", "--batch", 4, "--steps", 6, "--outdir", tmp_path, "--log-every", 1]
    failed = biggan("train", "--resume", 0, *recipe, "--g-lr", 1e38, "--d-lr", 1e38, check=1)
    refused(failed, "is not finite")
    assert "is not finite" in (run / "log.txt").read_text()
    biggan("train", "--resume", 0, *recipe, "--g-lr", 1e-4, "--dry-run", "--no-measure", check=0)
    for path in (run / "checkpoints").glob("model-*"):
        path.unlink()
    refused(biggan("train", "--resume", 0, *recipe, check=1), "the imported checkpoint of", "is gone")


def test_a_run_of_ours_can_go_out(biggan, tiny_run, tmp_path):
    run = tmp_path / tiny_run.name
    shutil.copytree(str(tiny_run), str(run))
    done = biggan("export-checkpoint", run, "--name", "mine", "--json", check=0)
    assert "warning: the reference's discriminator applies ReLU" in done.stderr
    result_of_export = result(done)
    assert checkpoints.read(Path(result_of_export["raw"]))["biggan/relu_on_image"] == np.asarray(False)
    again = result(biggan("import-checkpoint", result(done)["raw"], "--outdir", tmp_path, "--json", check=0))
    assert_same_state(state(again["checkpoint"]), state(run / "checkpoints" / "model-000004"))


def test_a_dry_run_writes_nothing(biggan, tmp_path):
    done = biggan("import-checkpoint", REF32 / "model.ckpt", "--dry-run", cwd=tmp_path, check=0)
    assert "32 px, base channels 8, z 120, shared 128" in done.stdout and done.stderr == ""
    assert files(tmp_path) == []


def test_class_names_from_a_file_or_a_list(biggan, tmp_path):
    names = ["a", "b", "c d", "ä", "e", "f", "g", "h", "i", "j"]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    for given in ("names.txt", ",".join(names)):
        command = ["import-checkpoint", REF32 / "model.ckpt", "--class-names", given, "--json"]
        run = result(biggan(*command, cwd=tmp_path, check=0))["run"]
        assert json.loads((tmp_path / run / "config.json").read_text(encoding="utf-8"))["class_names"] == names


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["nowhere/model.ckpt"], ["no checkpoint nowhere/model.ckpt", "nowhere/model.ckpt.index"]),
        (["."], ["no checkpoint ."]),
        (["a[1]/model.ckpt"], ["a[1]/model.ckpt has [ ] in it", "TensorFlow"]),
        ([REF32 / "model.ckpt", "--class-names", ",".join(f"name{i}" for i in range(1000))], ["gives 1000 names"]),
        ([REF32 / "model.ckpt", "--class-names", "a/b,c,d,e,f,g,h,i,j,k"], ["has a class name with a slash", "'a/b'"]),
        ([REF32 / "model.ckpt", "--outdir", "b*", "--dry-run"], ["b* has * in it"]),
        ([REF32], ["no checkpoint", "fix: biggan import-checkpoint", "ref32/model.ckpt"]),
        ([REF32 / "model.ckpt", "--class-names", "a,b"], ["gives 2 names, the checkpoint has 10 classes"]),
        ([REF32 / "model.ckpt", "--class-names", "a,a,b,c,d,e,f,g,h,i"], ["an empty name or one twice"]),
        ([REF32 / "model.ckpt", "--weights", "best"], ["--weights best is not one of ema, raw"]),
    ),
)
def test_wrong_use(biggan, tmp_path, arguments, words):
    refused(biggan("import-checkpoint", *arguments, cwd=tmp_path, check=2), *words)
    assert files(tmp_path) == []


@pytest.mark.parametrize("ending, size", (("index", 500), ("index", 0), ("data-00000-of-00001", 100000)))
def test_a_cut_off_file(biggan, tmp_path, ending, size):
    for path in REF32.glob("model.ckpt.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[: size if path.name.endswith(ending) else None])
    done = biggan("import-checkpoint", tmp_path / "model.ckpt", "--outdir", tmp_path / "runs", check=1)
    refused(done, "model.ckpt is damaged")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "change, words",
    (
        (lambda a: {"layer/kernel": np.zeros(3, np.float32)}, ["no checkpoint of the reference", "layer/kernel"]),
        (lambda a: {n: v for n, v in a.items() if n != "generator/conv/snu"}, ["generator/conv/snu", "is missing"]),
        (
            lambda a: dict(a, **{"discriminator/v": np.zeros((10, 31), np.float32)}),
            ["discriminator/v has the shape [10, 31], expected [10, 32]", "32 px with base channels 8"],
        ),
    ),
)
def test_a_checkpoint_of_something_else(biggan, tmp_path, change, words):
    assert reference.model_of({n: a.shape for n, a in checkpoints.read(REF32 / "model.ckpt").items()})
    checkpoints.write_arrays(change(checkpoints.read(REF32 / "model.ckpt")), tmp_path / "bad.ckpt")
    done = biggan("import-checkpoint", tmp_path / "bad.ckpt", "--outdir", tmp_path / "runs", check=1)
    refused(done, "bad.ckpt", *words)
    assert not (tmp_path / "runs").exists()


def test_data_with_other_classes(biggan, imported):
    done = biggan("train", "--resume", 0, "--data", "digits", "--steps", 5, "--outdir", imported, check=2)
    refused(done, "--data digits has 10 classes (zero", "(airplane")


def test_no_data(biggan, imported):
    done = biggan("train", "--resume", 0, "--steps", 5, "--outdir", imported, check=2)
    refused(done, "no data: --data is not given")


def test_export_to_something_unknown(biggan, imported):
    refused(biggan("export-checkpoint", "--format", "torch", "--outdir", imported, check=2), "--format torch")
