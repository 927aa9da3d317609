"""``biggan verify``: its numbers computed anew, its judgement, its picture."""

import json
import shutil

import numpy as np
import pytest

from biggan_cli.deploy.spec import read_spec
from biggan_cli.files import sha256
from biggan_cli.inference.frozen import FrozenGenerator, read_graph
from biggan_cli.rundir import RunDir
from tests.conftest import read_picture
from tests.e2e.deployment import BINS, LATENTS, MODEL, digests, emulated
from tests.e2e.test_bad_input import files, refused

DEVICE = "emulated ascend310_b1_force_fp16"


def verified(folder):
    return json.loads((folder / "verify.json").read_text())["differences"]


def frozen_pictures(run):
    """What the frozen graph draws of the input files, which are read here on their own."""
    z, y = (
        b"".join((run / "bin" / BINS / name / f"{i:06d}.bin").read_bytes() for i in range(LATENTS)) for name in "zy"
    )
    spec = read_spec(RunDir(run))
    with FrozenGenerator(read_graph(run / "freeze" / "generator.pb"), spec) as generator:
        batches = generator.images(np.frombuffer(z, "<f4").reshape(LATENTS, 8), np.frombuffer(y, "<i4"))
        return np.concatenate(list(batches))


def device_pictures(run, model=MODEL):
    raw = [(run / "msame" / f"{model}_{BINS}" / f"{i:06d}_output_0.bin").read_bytes() for i in range(LATENTS)]
    return np.frombuffer(b"".join(raw), "<f4").reshape(LATENTS, 32, 32, 3)


def grey_levels(pictures):
    return np.clip(np.rint((pictures.astype(np.float64) + 1) * 127.5), 0, 255)


def assert_measures(entry, found, wanted):
    error = found.astype(np.float64) - wanted.astype(np.float64)
    assert entry["max_abs"] == pytest.approx(np.abs(error).max(), rel=1e-3, abs=1e-7)
    assert entry["mean_abs"] == pytest.approx(np.abs(error).mean(), rel=1e-3)
    assert entry["psnr_db"] == pytest.approx(20 * np.log10(2 / np.sqrt((error**2).mean())), abs=0.01)
    off = np.abs(grey_levels(found) - grey_levels(wanted)).max(axis=-1) > 1
    assert entry["changed"] == pytest.approx(off.mean(), abs=1e-4) and entry["images"] == LATENTS


def rows_of(picture, steps):
    """The last picture of each step, and of each difference, at their own size."""
    count = 2 * steps - 1  # below every step but the first is its difference
    assert picture.shape[0] == count * 64
    rows = [picture[row * 64 : (row + 1) * 64 : 2, -64::2] for row in range(count)]
    return [rows[0], *rows[1::2]], rows[2::2]


def test_the_numbers_are_those_of_the_files(run, tmp_path):
    done = emulated("verify", cwd=tmp_path)
    folder = run / "verify" / "00000"
    of_graph, of_device = verified(folder)
    assert (of_graph["step"], of_graph["before"]) == ("frozen graph", "checkpoint")
    assert (of_device["step"], of_device["before"]) == (DEVICE, "frozen graph")
    assert of_graph["ok"] and of_device["ok"] and 0 < of_graph["max_abs"] <= 1e-5
    frozen, device = frozen_pictures(run), device_pictures(run)
    assert_measures(of_device, device, frozen)
    assert of_device["max_abs"] > 1e-5 and of_device["psnr_db"] > 40

    heading, graph_row, device_row, *_ = done.stdout.splitlines()
    assert heading.split() == ["step", "max", "mean", "PSNR", "changed"]
    assert graph_row.startswith("frozen graph ") and f"difference of {LATENTS} pictures" in done.stdout
    assert device_row.startswith(DEVICE) and f"  {of_device['psnr_db']:.1f}  " in device_row
    assert max(map(len, done.stdout.splitlines()[:-1])) < 80
    assert "side by side: runs/" in done.stdout and "too far" not in done.stdout

    rows, differences = rows_of(read_picture(folder / "side_by_side.png"), 3)
    enlarged = grey_levels(50 * np.abs(device[-1] - frozen[-1]) - 1)
    assert np.abs(differences[1] - enlarged).max() <= 1 and differences[1].max() > 0
    np.testing.assert_array_equal(rows[1], grey_levels(frozen[-1]).astype(np.uint8))
    np.testing.assert_array_equal(rows[2], grey_levels(device[-1]).astype(np.uint8))
    assert np.abs(rows[0].astype(int) - rows[1]).max() <= 1
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["outputs"]) == {"verify.json", "side_by_side.png"}
    assert manifest["inputs"] == {"freeze/generator.pb": sha256(run / "freeze" / "generator.pb")}


def test_a_threshold_names_the_step(run, tmp_path):
    done = emulated("verify", "--min-psnr", 200, "--num", 3, "--json", "--name", "strict", cwd=tmp_path, check=1)
    assert f"error: the {DEVICE} is " in done.stderr and "less than the 200 dB of --min-psnr" in done.stderr
    assert "float16" in done.stderr and "--precision-mode" in done.stderr
    entries = json.loads(done.stdout)["differences"]
    assert [entry["ok"] for entry in entries] == [True, False] and [entry["images"] for entry in entries] == [3, 3]
    assert verified(run / "verify" / "strict") == entries  # what was measured is kept


def test_outputs_in_a_wrong_order_are_told_from_coarse_ones(run, tmp_path):
    folder = run / "msame" / f"{MODEL}_{BINS}"
    first, last = folder / "000000_output_0.bin", folder / "000005_output_0.bin"
    swapped = first.read_bytes(), last.read_bytes()
    last.write_bytes(swapped[0])
    first.write_bytes(swapped[1])
    done = emulated("verify", cwd=tmp_path, check=1)
    assert f"error: the {DEVICE} is " in done.stderr and "usually the inputs (their order" in done.stderr
    assert "too far" in done.stdout.splitlines()[2]


def test_a_checkpoint_whose_statistics_changed_since(run, tmp_path):
    (kept,) = (run / "checkpoints").glob("*standing-ema-2.npz")
    with np.load(str(kept)) as archive:
        arrays = {name: archive[name] for name in archive}
    changed = [name for name, values in arrays.items() if values.dtype == np.float32]
    assert changed
    np.savez(str(kept), **dict(arrays, **{name: arrays[name] * np.float32(1.5) for name in changed}))
    done = emulated("verify", cwd=tmp_path, check=1)
    assert "error: the frozen graph differs from the checkpoint by up to" in done.stderr
    assert "fix: biggan freeze" in done.stderr and "too far" in done.stdout.splitlines()[1]


@pytest.mark.slow
def test_precision_modes_add_rows(run, tmp_path):
    emulated("verify", "--precision-modes", "allow_fp32_to_fp16,must_keep_origin_dtype", cwd=tmp_path)
    entries = verified(run / "verify" / "00000")
    labels = ["frozen graph", DEVICE, "emulated ascend310_b1_allow_fp32_to_fp16"]
    assert [entry["step"] for entry in entries] == [*labels, "emulated ascend310_b1_must_keep_origin_dtype"]
    frozen = frozen_pictures(run)
    for entry in entries[1:]:
        assert_measures(entry, device_pictures(run, entry["step"].split()[-1]), frozen)
    assert len({entry["psnr_db"] for entry in entries}) == 4
    assert entries[3]["psnr_db"] > entries[1]["psnr_db"]
    rows, _ = rows_of(read_picture(run / "verify" / "00000" / "side_by_side.png"), 5)
    last = device_pictures(run, "ascend310_b1_must_keep_origin_dtype")[-1]
    np.testing.assert_array_equal(rows[4], grey_levels(last).astype(np.uint8))


def test_no_offline_model_ran_yet(run, tmp_path):
    shutil.rmtree(str(run / "msame"))
    done = emulated("verify", "--num", 4, cwd=tmp_path)
    assert "no offline model of this graph ran yet: biggan atc runs/" in done.stderr
    (entry,) = verified(run / "verify" / "00000")
    assert entry["step"] == "frozen graph" and entry["images"] == 4
    rows, _ = rows_of(read_picture(run / "verify" / "00000" / "side_by_side.png"), 2)
    assert len(rows) == 2 and rows[0].std() > 0


def test_input_files_from_elsewhere(run, tmp_path):
    """A set of another place that has the name of one of the run's own."""
    emulated("to-bin", "--seeds", "100-105", "--name", "far", cwd=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (run / "bin" / "far").rename(tmp_path / "elsewhere" / BINS)
    emulated("msame-run", "--bins", f"elsewhere/{BINS}", cwd=tmp_path)
    emulated("verify", cwd=tmp_path)
    assert verified(run / "verify" / "00000")[1]["psnr_db"] > 40


def test_a_graph_that_is_none(run, tmp_path):
    graph, spec = (run / "freeze" / name for name in ("generator.pb", "generator.spec.json"))
    graph.write_bytes(b"this is no graph")
    spec.write_text(json.dumps(dict(json.loads(spec.read_text()), sha256=sha256(graph))))
    before = digests(run)
    refused(emulated("verify", cwd=tmp_path, check=1), "generator.pb is cut off, or is not a frozen graph")
    assert digests(run) == before


def test_an_output_that_is_missing(run, tmp_path):
    (run / "msame" / f"{MODEL}_{BINS}" / "000003_output_0.bin").unlink()
    fix = f"fix: biggan msame-run runs/{run.name} --om {MODEL} --bins {BINS}"
    refused(emulated("verify", cwd=tmp_path, check=1), "1 outputs of", "first 000003_output_0.bin", fix)


def test_an_output_that_is_not_finite(run, tmp_path):
    path = run / "msame" / f"{MODEL}_{BINS}" / "000000_output_0.bin"
    path.write_bytes(b"\x00\x00\xc0\x7f" * (path.stat().st_size // 4))
    refused(emulated("verify", cwd=tmp_path, check=1), f"the {DEVICE} has values that are not finite")


def test_a_mode_that_the_tool_refuses(run, tmp_path):
    done = emulated("verify", "--precision-modes", "allow_mix_precision_bf16", cwd=tmp_path, check=3)
    refused(done, "atc failed with E10001", "allow_mix_precision_bf16", ".failed.log")
    assert not (run / "verify").exists()


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--num", 0], ["--num 0"]),
        (["--min-psnr", "nan"], ["--min-psnr nan is not a number"]),
        (["--precision-modes", "force_fp16,force_fp16"], ["is not a list of different modes"]),
        (["--precision-modes", "force_fp16,"], ["is not a list of different modes"]),
        (["--precision-modes", "force_fp16", "--soc", "Ascend31"], ["--soc Ascend31 is none of"]),
        (["--name", "a/b"], ["--name a/b"]),
    ),
)
def test_wrong_use(deployed, arguments, words):
    before = files(deployed)
    refused(emulated("verify", *arguments, cwd=deployed, check=2), *words)
    assert files(deployed) == before
