"""Reports of runs that have only begun, were imported, are very long, or are damaged: each is one file, and says what
it lacks."""

import base64
import io
import json
import re
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.report import report_of
from biggan_cli.core.report_data import evenly
from biggan_cli.core.report_log import tables
from biggan_cli.core.report_pictures import MOST_BYTES, MOST_SIDE, animation, mosaic, still
from biggan_cli.core.reporting import logged, silent
from biggan_cli.data import images
from biggan_cli.data.classes import DIGITS, numbered
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import sha256, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.settings import ReportConfig

RECORD = RunRecord(configs.resolve("digits", {}), DIGITS, "0" * 64, "0.1.0")
FULL_RANGE = np.random.RandomState(0).randint(0, 256, (1600, 1300, 3), np.uint8)


def begun(folder, record=RECORD):
    """A run that has nothing but its configuration."""
    run = RunDir(folder / "00000-x")
    for path in (run.path, run.samples, run.checkpoints):
        path.mkdir()
    write_json(run.config, configs.to_json(record))
    return run


def draw_grid(run, step, level=0):
    rows = [np.full((10, 32, 32, 3), 20 * label + level, np.uint8) for label in range(10)]
    images.write_png(run.sample_grid(step), images.labelled_grid(rows, DIGITS))


def write_gif(path, frames):
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(str(path), save_all=True, append_images=others, duration=200, loop=0)


def trained(folder):
    """Three grids, forty records, a sample, an interpolation and a comparison, all of made-up content."""
    run = begun(folder)
    for step in (100, 200, 400):
        draw_grid(run, step, step // 100)
    with open(str(run.stats), "w") as stats:
        for step in range(10, 401, 10):
            record = dict(step=step, elapsed_seconds=0.4 * step, d_loss=1.0, g_loss=-0.5, seconds_per_step=0.25)
            stats.write(json.dumps(dict(record, maintenance_seconds=1.5, surprise=step * 2.0)) + "\n")
    report = logged(silent, run.log)
    report("table", title="classes of digits", rows=[(name, f"{450 + place}") for place, name in enumerate(DIGITS)])
    report("table", title="training", rows=[("run", "here"), ("preset", "digits: tuned"), ("device", "cpu, 3 cores")])
    report("warning", text="something is odd")
    with run.step("sample", None, {}, {}, dict(numpy="1.0")) as step:
        shutil.copy(str(run.sample_grid(400)), str(step.path / "grid.png"))
        images.write_png(step.path / "000000.png", np.zeros((32, 32, 3), np.uint8))
        (step.path / "sheets").mkdir()
        images.write_png(step.path / "sheets" / "two & more.png", np.zeros((64, 64, 3), np.uint8))
        images.write_png(step.path / "neighbours.png", np.zeros((64, 64, 3), np.uint8))
        step.details.update(copies=["by pixels: 2 of 3 are copies"])
    how = dict(path=["three", "eight"], flags=["--from", "--to"], fps=5.0, frames=4)
    with run.step("interpolate", None, how, {}, {}, stem="three-to-eight") as step:
        frames = [np.full((64, 64, 3), 60 * number, np.uint8) for number in range(4)]
        write_gif(step.path / "three-to-eight.gif", frames)
    with run.step("verify", None, {}, {}, {}) as step:
        entry = dict(step="frozen graph", before="checkpoint", images=16, max_abs=0.0123, mean_abs=1e-5)
        write_json(step.path / "verify.json", dict(differences=[dict(entry, psnr_db=61.25, changed=0.005, ok=True)]))
    return run


def text_of(run, **settings):
    """(result, the page without its tags)."""
    result = report_of(run, ReportConfig(**settings), silent)
    page = (run.path / "report" / "report.html").read_text(encoding="utf-8")
    assert page.endswith("</html>\n") and "$" not in page.split("<style>")[0]
    return result, re.sub(r"(\s*<[^>]+>\s*)+", "|", page)


def test_what_is_in_the_run_is_in_the_report(tmp_path):
    result, text = text_of(trained(tmp_path))
    assert result.missing == [] and result.grids == result.grids_of == 3
    for words in (
        "Finished: step 400 of 400",
        "three|453",
        "digits: tuned",
        "cpu, 3 cores",
        "warning: something is odd",
        "0.012",
        "61.2\u00a0dB",
        "0.50\u00a0%",
        "2:40 min",  # as the last record says
        "surprise",
        "three to eight: 4 frames",
        "biggan interpolate --from three --to eight --frames 4\n",
        "two &amp; more: sample/00000/sheets/two &amp; more.png",
        "Is it memorising?|",
        "by pixels: 2 of 3 are copies",
        "Samples that were drawn|Samples, a row for each class: sample/00000/grid.png",
        "Class sheets|two",
    ):
        assert words in text, words


def test_an_ordinary_grid_is_no_class_sheet_and_of_many_pictures_each_kind_is_there(tmp_path):
    run = begun(tmp_path)
    dot = np.zeros((64, 64, 3), np.uint8)
    with run.step("sample", None, dict(truncations=[0.5, None]), {}, {}) as step:
        for name in ("grid.png", "curve.png"):
            images.write_png(step.path / name, dot)
    with run.step("sample", None, {}, {}, {}) as step:
        images.write_png(step.path / "grid.png", dot)
    assert "Class sheets" not in text_of(run)[1]
    with run.step("sample", None, {}, {}, {}) as step:
        (step.path / "sheets").mkdir()
        for name in [*reversed(DIGITS), "x", "y", "z"]:
            images.write_png(step.path / "sheets" / f"{name}.png", dot)
    text = text_of(run)[1]
    assert "The latest 12 of 13 pictures." in text and "Scores over truncations" in text
    assert "truncation 0.5, none" in text
    shown = [text.index(f"{name}: sample/00002/sheets/{name}.png") for name in DIGITS]
    assert shown == sorted(shown)


def test_an_mp4_is_in_the_report_and_a_strip_is_no_film(tmp_path):
    run = begun(tmp_path)
    whole = b"\0\0\0\x20ftypisom" + bytes(100)
    for name, content in (("a-to-b.mp4", whole), ("c-to-d.mp4", bytes(200)), ("e-to-f.mp4", whole + bytes(4_000_000))):
        with run.step("interpolate", None, dict(fps=5.0), {}, {}, stem=name[:-4]) as step:
            (step.path / name).write_bytes(content)
            step.details["frames"] = 21
    with run.step("interpolate", None, dict(fps=5.0), {}, {}, stem="g-strip") as step:
        images.write_png(step.path / "g-strip.png", np.zeros((64, 128, 3), np.uint8))
        step.details["frames"] = 2
    result, text = text_of(run)
    page = (run.path / "report" / "report.html").read_text(encoding="utf-8")
    (source,) = re.findall(r'<video src="data:video/mp4;base64,([^"]*)" controls', page)
    assert base64.b64decode(source) == whole and "media-src data:" in page
    assert "a to b: 21 frames, interpolate/a-to-b.mp4, 5 a second|" in text
    assert "e to f: 21 frames, interpolate/e-to-f.mp4, 5 a second; the film is too large to be here" in text
    assert "g-strip: 2 frames, interpolate/g-strip.png|" in text
    assert result.missing == ["interpolate/c-to-d.mp4 is no MP4"]


def score_of(truncation, fid, step=400, **more):
    samples = dict(count=500, step=step, truncation=truncation, trained_truncation=2.0, weights="ema", **more)
    sentence = f"FID {fid:.3f} at truncation {truncation}, step {step}"
    return dict(
        time="2026-11-28T12:00:00Z",
        source="checkpoint",
        label="checkpoint",
        sentence=sentence,
        samples=samples,
        extractor=dict(name="inception", sha256="0"),
        fid=dict(value=fid, count=500),
        why_incomparable=[f"reason {truncation}"],
    )


def test_scores_of_several_truncations_stand_in_one_table(tmp_path):
    run = begun(tmp_path)
    (run.path / "score").mkdir()
    scores = [score_of(0.5, 30), score_of(2.0, 20), score_of(2.0, 20), score_of(None, 25), score_of(2.0, 40, step=200)]
    run.score.write_text("".join(json.dumps(score) + "\n" for score in scores))
    _, text = text_of(run)
    table = text[text.index("|of|step|truncation|") : text.index("|of|step|truncation|") + 200].split("FID|", 1)[1]
    rows = ["400|0.5|30.000", "400|2|20.000", "400|none|25.000", "200|2|40.000"]
    assert table.startswith("|".join(f"checkpoint|{row}" for row in rows))
    assert "reason 0.5; reason 2.0; reason None" in text
    assert text.count("FID 40.000 at truncation 2.0, step 200") == 2  # the latest as in training, and folded with all
    assert text.count("FID 30.000 at") == 1 and "The sentences of all 5" in text
    assert "FID over steps" in text and text.count(" over steps") == 2 - 1


def test_a_run_that_has_only_begun(tmp_path):
    result, text = text_of(begun(tmp_path))
    assert result.missing == [] and "Begun: step 0 of 400" in text and "biggan train --preset digits" in text
    assert "|Samples|" not in text and "|Scores|" not in text and "|Curves|" not in text


def test_the_state_of_a_run_is_what_its_file_says(tmp_path):
    run = begun(tmp_path)
    write_json(run.path / "state.json", dict(schema=1, state="failed", step=70, steps=400, why="the loss is <nan>"))
    assert "Failed: step 70 of 400, the loss is &lt;nan&gt;." in text_of(run)[1]
    write_json(run.path / "state.json", dict(schema=1, state="running", step=70, steps=400, why=None))
    assert "Stopped: step 70 of 400, its process is gone." in text_of(run)[1]


def test_an_imported_run(tmp_path):
    config = configs.resolve("seed", {})
    config = configs.replace(config, model=configs.replace(config.model, relu_on_image=True))
    run = begun(tmp_path, RunRecord(config, numbered(10), None, "0.1.0", bn="moving"))
    source = dict(prefix="/old/model", weights="ema", files={})
    write_json(run.checkpoints / "model-001000.json", dict(schema=1, step=1000, files={}, source=source))
    _, text = text_of(run)
    assert "Imported: step 1,000" in text and "biggan import-checkpoint /old/model" in text
    assert "imported from a checkpoint of the reference" in text


DAMAGE = {
    "config.json": b'{"schema": 1, "config"',
    "stats.jsonl": b"\xff\xfe\x00 nothing\n",
    "log.txt": b"\x00\xff\x1b[31m  \xed\xa0\x80 classes of \n  x",
    "state.json": b"[1, 2",
    "samples/step_000200.png": b"\x89PNG\r\n\x1a\nnothing more",
    "samples/step_000400.png": None,
    "reals.png": b"no picture",
    "score/score.jsonl": b'{"time": 5, "fid": {"value": "high"}}\n{"cut',
    "sample/00000/manifest.json": b"{}",
    "sample/00000/grid.png": None,
    "interpolate/three-to-eight.gif": None,
    "interpolate/three-to-eight.manifest.json": b"[]",
    "verify/00000/verify.json": b'{"differences": [{"step": 1}]}',
    "checkpoints/model-000400.json": b"\x00",
}
"""Path → what stands there instead; None: the first half of what it was."""


def spoil(run, name):
    path = run.path / name
    path.parent.mkdir(exist_ok=True)
    content = DAMAGE[name]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_costs_what_is_in_it_and_is_named(tmp_path, name):
    run = trained(tmp_path)
    spoil(run, name)
    result, text = text_of(run)
    if name != "log.txt":  # anything is text of a log
        assert result.missing and all(name in said for said in result.missing), result.missing
        assert len(set(result.missing)) == len(result.missing) and not re.search(f"{tmp_path}|0x|object", text)
        assert "Not in this report" in text
    for words, source in (("Class sheets", "sample/"), ("Precision on the way", "verify/"), ("Losses", "stats")):
        assert (words in text) != name.startswith(source) or name.endswith("grid.png")


def test_everything_damaged_at_once(tmp_path):
    run = trained(tmp_path)
    for name in DAMAGE:
        spoil(run, name)
    result, _ = text_of(run)
    of_no_manifest = {"sample/00000/grid.png", "interpolate/three-to-eight.gif", "log.txt"}
    for name in set(DAMAGE) - of_no_manifest:
        assert any(name in said for said in result.missing), name
    assert result.grids == 1 and "step_000100" not in str(result.missing)


def test_a_run_without_its_configuration_says_so(tmp_path):
    run = trained(tmp_path)
    run.config.unlink()
    assert text_of(run)[0].missing == ["config.json is missing"]


def test_thousands_of_records_and_of_grids_stay_small(tmp_path):
    run = trained(tmp_path)
    values = np.random.RandomState(0).normal(size=20000)
    with open(str(run.stats), "w") as stats:
        for place, value in enumerate(values.tolist()):
            value = None if place % 1000 == 0 else value
            stats.write(json.dumps(dict(step=(place + 1) * 50, d_loss=value, g_loss=float("nan"))) + "\n")
    content = run.sample_grid(400).read_bytes()
    for step in range(1000, 1300):
        run.sample_grid(step).write_bytes(content)
    started = time.process_time()
    result, text = text_of(run)
    assert time.process_time() - started < 10  # about 1; a quadratic way would take minutes
    assert result.grids == 24 and result.grids_of == 303 and result.bytes < 3e6
    assert "20,000 records" in text and "24 of the 303 steps" in text
    assert text_of(run, grids=2)[0].grids == 2


def test_the_chosen_grids_are_even_and_have_both_ends():
    for count in (2, 3, 24, 25, 300, 301):
        chosen = evenly(range(count), 24)
        assert chosen[0] == 0 and chosen[-1] == count - 1 and len(chosen) == min(count, 24)
        assert len(set(np.diff(chosen))) <= 2
    assert evenly(range(7), 1) == [6]


def test_a_report_elsewhere_and_again(tmp_path):
    run = trained(tmp_path)
    out = tmp_path / "x.html"
    out.write_text("before")
    result = report_of(run, ReportConfig(str(out)), silent)
    assert result.report == str(out) and result.bytes == out.stat().st_size and not (run.path / "report").exists()
    text_of(run)
    first = json.loads((run.path / "report" / "report.manifest.json").read_text())
    draw_grid(run, 500)
    text_of(run)
    second = json.loads((run.path / "report" / "report.manifest.json").read_text())
    assert second["outputs"]["report.html"]["sha256"] == sha256(run.path / "report" / "report.html")
    assert set(second["inputs"]) - set(first["inputs"]) == {"samples/step_000500.png"}


@pytest.mark.parametrize("out, words", [("x.png", ".html"), ("nowhere/x.html", "nowhere"), (".html", ".html")])
def test_places_where_no_report_can_go(tmp_path, out, words):
    run = begun(tmp_path)
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        report_of(run, ReportConfig(str(tmp_path / out)), silent)


def test_the_tables_of_a_log_are_what_was_written(tmp_path):
    report = logged(silent, tmp_path / "log.txt")
    report("table", title="training", rows=[("a", "1"), ("long name", "x  y")])
    report("line", text="between")
    report("table", title="training", rows=[("a", "2")])
    assert tables((tmp_path / "log.txt").read_text()) == {"training": ["a  2"]}


def save(path, array, **how):
    Image.fromarray(array).save(str(path), **how)
    return path


def test_small_pictures_stay_as_they_are_and_large_ones_become_smaller(tmp_path):
    small = save(tmp_path / "a.png", FULL_RANGE[:64, :64])
    assert not still(small).smaller and len(still(small).uri) < 2 * small.stat().st_size
    large = still(save(tmp_path / "b.png", FULL_RANGE))
    assert large.smaller and max(large.width, large.height) == MOST_SIDE and large.height == 1000
    assert large.uri.startswith("data:image/jpeg")
    flat = still(save(tmp_path / "c.png", np.zeros((2000, 500, 3), np.uint8)))
    assert (flat.width, flat.height) == (250, 1000) and len(flat.uri) < MOST_BYTES


def test_a_picture_that_is_far_too_large_is_refused(tmp_path):
    Image.new("1", (20000, 20000)).save(str(tmp_path / "x.png"))
    with pytest.raises((StepFailed, Image.DecompressionBombError, Image.DecompressionBombWarning)):
        still(tmp_path / "x.png")


def test_an_animation_has_its_frames_beside_each_other_on_paper(tmp_path):
    frames = [np.full((16, 16, 3), 20 * number, np.uint8) for number in range(11)]
    write_gif(tmp_path / "x.gif", frames)
    found = animation(tmp_path / "x.gif")
    assert found.frames == 11 and found.moving.uri.startswith("data:image/gif")
    assert (found.still.width, found.still.height) == (6 * 16, 16)


def test_the_head_has_a_column_for_each_class(tmp_path):
    rows = [np.full((10, 32, 32, 3), 25 * label, np.uint8) for label in range(10)]
    images.write_png(tmp_path / "x.png", images.labelled_grid(rows, DIGITS))
    head = mosaic(tmp_path / "x.png", 32, 10, 10)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(head.uri.partition(",")[2]))).convert("RGB"))
    assert pixels.shape == (4 * 64, 10 * 64, 3)
    assert [int(level) for level in pixels[100, 32::64, 0]] == [25 * label for label in range(10)]
    assert mosaic(tmp_path / "x.png", 128, 10, 10) is None
