"""The commands of a report, parsed by the command line again: they ask for what was asked for."""

import importlib
import json
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from biggan_cli import config as configs
from biggan_cli.cli.app import app
from biggan_cli.config import RunRecord
from biggan_cli.core import plan, report_commands, report_data
from biggan_cli.core.reporting import logged, silent
from biggan_cli.data.classes import CIFAR10, DIGITS
from biggan_cli.rundir import Finished
from biggan_cli.settings import (
    AtcConfig,
    DrawConfig,
    ExtractorConfig,
    FreezeConfig,
    InterpolateConfig,
    LatentsConfig,
    MsameRunConfig,
    NeighboursConfig,
    NpuConfig,
    PicturesConfig,
    ReferenceConfig,
    SampleConfig,
    ScoreConfig,
    SweepConfig,
    ToBinConfig,
    ToolConfig,
    VerifyConfig,
)

RECORD = RunRecord(configs.resolve("digits", {}), DIGITS, "0" * 64, "0.1.0")
LATEST = 400
EMULATOR = ToolConfig(toolchain="emulator")


class Caught(Exception):
    """Carries what a command was about to do."""


@pytest.fixture
def asked_for(tmp_path, monkeypatch):
    """What a command line asks the core for: the arguments of the function it calls."""
    run = tmp_path / "runs" / "00000-digits-32-digits"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    (run / "checkpoints" / "model-000400.json").write_text("{}")
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.delenv("BIGGAN_DATA", raising=False)
    monkeypatch.delenv("BIGGAN_TOOLCHAIN", raising=False)

    def parsed(line, module, function):
        def catch(*arguments):
            raise Caught(arguments)

        monkeypatch.setattr(importlib.import_module(f"biggan_cli.core.{module}"), function, catch)
        words = shlex.split(line)
        assert words[0] == "biggan"
        done = CliRunner().invoke(app, words[1:])
        cause = done.exception
        while cause is not None and not isinstance(cause, Caught):
            cause = cause.__context__
        assert cause is not None, done.output
        return cause.args[0]

    return parsed


def line_of(command, settings, details=(), record=RECORD, **more):
    """The one line for a result of a command, from what its manifest has."""
    config = json.loads(json.dumps(dict(asdict(settings), **more)))
    manifest = dict(config=config, details=dict(details), finished=1.0)
    (_, line) = report_commands.commands(record, None, LATEST, {command: [Finished("x", None, manifest)]}, [])
    return line.line


@pytest.mark.parametrize(
    "values",
    [
        {},
        dict(steps=1500, batch=16, g_lr=3e-4, truncation=None, flip=True, augment="color,cutout"),
        dict(data="cifar10:/data/with space", steps=400, lr_decay="200:400", device="gpu", precision="mixed", seed=7),
        dict(base_channels=8, z_dim=60, ema_decay=0.999, beta2=0.99, resample="plain", save_every=7),
    ],
)
@pytest.mark.parametrize("preset", ["digits", "seed", "cifar10", "imagenet64"])
def test_training_is_asked_for_again(asked_for, preset, values):
    values = dict(dict(data="digits"), **values)
    config = configs.resolve(preset, values)
    (line,) = report_commands.commands(configs.replace(RECORD, config=config), None, LATEST, {}, [])
    assert line.note is None
    assert asked_for(line.line, "modelarts", "start")[0] == config


@pytest.mark.parametrize(
    "npu",
    [
        NpuConfig(),
        NpuConfig(3, (("precision_mode", "allow_mix_precision"), ("dump_path", "/d u")), 10, (10, 20), True),
    ],
)
def test_an_npu_is_used_again_as_it_was(asked_for, npu):
    """The options of the NPU are in the table of a run's log and in no configuration."""
    config = configs.resolve("digits", dict(device="npu", steps=40))
    report = logged(silent, Path("log.txt"))
    report("table", title="training", rows=[("device", "npu 3"), *plan.npu_options(npu)])
    words = report_data.npu_words(Path("log.txt").read_text())
    (line,) = report_commands.commands(configs.replace(RECORD, config=config), None, LATEST, {}, [], words)
    assert asked_for(line.line, "modelarts", "start")[:2] == (config, npu)


DRAW = DrawConfig(checkpoint="200", weights="raw", bn="moving", truncation=0.5)
LATENTS = LatentsConfig(classes=(("three", None), ("eight", 16)), num=32)
DRAW_OF_SWEEP = DrawConfig(checkpoint="200", weights="raw")
SEEDS = LatentsConfig(seeds=(0, 1, 2, 3, 42, 44, 45))


@pytest.mark.parametrize(
    "command, settings",
    [
        ("sample", SampleConfig()),
        ("sample", SampleConfig(DRAW, LATENTS, npz=True, name="mine")),
        ("sample", SampleConfig(DrawConfig(truncation=None), SEEDS)),
        ("sample", SampleConfig(latents=LatentsConfig(file="my latents.npz"))),
        ("sample", SampleConfig(DrawConfig(), from_graph=True, sheets=8)),
        ("sample", SampleConfig(neighbours=NeighboursConfig(3, "digits", ExtractorConfig("digits")))),
        ("interpolate", InterpolateConfig(path=("three", "eight"), flags=("--from", "--to"))),
        ("interpolate", InterpolateConfig(DRAW, path=("zero", "nine", "a b"), seeds=(5, 6, 9), frames=21, fps=12.5)),
        (
            "interpolate",
            InterpolateConfig(
                path=("zero",), flags=("--from",), mode="z", grid=(4, 2), loop=False, ease="cosine", format="webp"
            ),
        ),
        ("freeze", FreezeConfig()),
        ("freeze", FreezeConfig(DrawConfig(checkpoint="100", truncation=1.0), "fused", 8)),
        ("to-bin", ToBinConfig(LatentsConfig(num=1000))),
        ("to-bin", ToBinConfig(LATENTS, None, 16, "b")),
        ("verify", VerifyConfig()),
        ("verify", VerifyConfig(EMULATOR, ("force_fp16", "must_keep_origin_dtype"), "Ascend710", 8, 30.0, "v")),
    ],
)
def test_results_are_asked_for_again(asked_for, command, settings):
    """The manifest has what was decided: the checkpoint, the truncation and the statistics; the line only what is not
    what would be decided anyway."""
    decided = settings
    if hasattr(settings, "draw"):
        draw = settings.draw
        draw = configs.replace(
            draw, checkpoint=draw.checkpoint or "400", bn=draw.bn or "standing", truncation=draw.truncation_for(2.0)
        )
        decided = configs.replace(settings, draw=draw)
    if command == "to-bin":
        batch, truncation = settings.batch or 1, 2.0 if settings.truncation == "run" else settings.truncation
        decided = configs.replace(settings, batch=batch, truncation=truncation)
    function, more = command.replace("-", "_"), dict(latents=16) if command == "verify" else {}
    found = asked_for(line_of(command, decided, **more), function, function)[1]
    if settings.__dict__.get("weights", "") is None:  # what was asked for, beside what is drawn with
        found = configs.replace(found, weights=None)
    assert found == settings


@pytest.mark.parametrize(
    "settings",
    [
        SweepConfig((0.5, 1.0, None)),
        SweepConfig((1.0, 2.0), DRAW_OF_SWEEP, LATENTS, True, 100, ExtractorConfig("digits"), "s"),
    ],
)
def test_a_sweep_is_asked_for_again_and_its_scores_are_its_own(asked_for, settings):
    decided = configs.replace(settings, draw=configs.replace(settings.draw, bn="standing", truncation=2.0))
    assert asked_for(line_of("sample", decided), "sweep", "sweep")[1] == settings
    manifest = dict(config=json.loads(json.dumps(asdict(decided))), details={}, finished=1795867200.5, seconds=30.0)
    results = dict(sample=[Finished("x", None, manifest)])
    lines = report_commands.commands(RECORD, None, LATEST, results, [score(samples__truncation=1.0)])
    assert len(lines) == (2 if settings.score else 3)


@pytest.mark.parametrize(
    "settings, name",
    [
        (AtcConfig(EMULATOR), "ascend310_b1_force_fp16"),
        (AtcConfig(EMULATOR, "Ascend710", dynamic_batch=(1, 8)), "ascend710_b1-8_force_fp16"),
        (AtcConfig(EMULATOR, batch=4, options=(("precision_mode", "force_fp32"),), name="own"), "own"),
        (AtcConfig(EMULATOR, extra=("--buffer_optimize=off_optimize",)), "ascend310_b1_force_fp16_abc"),
    ],
)
def test_a_conversion_is_asked_for_again(asked_for, settings, name):
    batch = None if settings.dynamic_batch else settings.batch or 1
    asked = configs.replace(settings, tool=ToolConfig())  # the emulator came from the environment
    line = line_of("atc", asked, dict(emulated=True), name=name, precision="x", batch=batch)
    assert asked_for(line, "atc", "atc")[1] == settings


@pytest.mark.parametrize(
    "settings", [MsameRunConfig(EMULATOR), MsameRunConfig(EMULATOR, "ais_bench", "/opt/python 3", "om", "b", 1, 3)]
)
def test_a_run_of_an_offline_model_is_asked_for_again(asked_for, settings):
    line = line_of("msame-run", settings, dict(emulated=True))
    assert asked_for(line, "msame_run", "msame_run")[1] == settings


def score(source="checkpoint", **more):
    """A record of the digits, scored as usual; ``more`` over it, ``samples__x`` over its samples."""
    samples = dict(count=5000, trained_on="digits", step=LATEST, weights="ema", batch_norm="standing", truncation=2.0)
    samples.update(
        {key[9:]: more.pop(key) for key in list(more) if key.startswith("samples__")}, latents="seeds 0-4999"
    )
    found = dict(
        time="2026-11-28T12:00:00Z",
        source=source,
        samples=samples,
        extractor=dict(name="digits"),
        protocol=None,
        reference=dict(name="digits training set"),
        inception_score=dict(splits=10, shuffled=True, seed=2020),
        fid=dict(value=1.0),
    )
    found.update(more)
    return {key: value for key, value in found.items() if value != "absent"}


def scored(*scores):
    return [command.line for command in report_commands.commands(RECORD, None, LATEST, {}, scores)[1:]]


USUAL = ScoreConfig(pictures=PicturesConfig(num=5000))


@pytest.mark.parametrize(
    "record, settings",
    [
        (score(), USUAL),
        (
            score(samples__step=200),
            configs.replace(USUAL, pictures=PicturesConfig(None, "runs", DrawConfig("200"), 5000)),
        ),
        (score(protocol="seed"), ScoreConfig(protocol="seed")),
        (score(fid="absent"), configs.replace(USUAL, metrics=("is",))),
        (
            score(kid=dict(subsets=10, subset_size=50, seed=3), inception_score="absent", precision=1, neighbours=4),
            configs.replace(
                USUAL, metrics=("fid", "kid", "pr"), kid_subsets=10, kid_subset_size=50, metric_seed=3, neighbours=4
            ),
        ),
        (
            score(inception_score=dict(splits=5, shuffled=False, seed=None), reference=dict(name="digits test")),
            configs.replace(USUAL, splits=5, shuffle=False, reference=ReferenceConfig("test")),
        ),
        (
            score(asked=dict(ref="other stats.npz", data="cifar10:/data/c 10", inception="/nets/i.pb")),
            configs.replace(
                USUAL,
                reference=ReferenceConfig("other stats.npz", "cifar10:/data/c 10"),
                extractor=ExtractorConfig(inception="/nets/i.pb"),
            ),
        ),
        (score(asked={}, reference=dict(name="digits test")), USUAL),
    ],
)
def test_a_score_is_asked_for_again(asked_for, record, settings):
    (line,) = scored(record)
    assert asked_for(line, "score", "score")[0] == settings


def test_sources_that_were_scored_together_are_one_command(asked_for):
    (line,) = scored(score(), score("pb"), score("om"))
    assert asked_for(line, "score", "score")[0] == ScoreConfig(sources=("checkpoint", "pb", "om"))
    assert len(scored(score(), score())) == 1 and len(scored(score(), score(samples__step=100))) == 2


def test_an_imported_run_is_imported_again(asked_for):
    model = configs.replace(RECORD.config.model, relu_on_image=True)
    config = configs.replace(configs.resolve("seed", {}), model=model)
    record = RunRecord(config, CIFAR10, None, "0.1.0", bn="moving")
    (line,) = report_commands.commands(record, dict(prefix="/old/model ckpt", weights="ema"), 1000, {}, [])
    settings = asked_for(line.line, "import_checkpoint", "import_checkpoint")[0]
    assert settings.prefix == "/old/model ckpt" and settings.class_names == "cifar10" and settings.weights is None
    lines = report_commands.commands(configs.replace(record, data_digest="0"), None, 1000, {}, [])
    assert "PREFIX" in lines[0].note and lines[1].line.startswith("biggan train --resume latest")


def test_results_come_in_the_order_in_which_they_were_made():
    made = [Finished(str(at), None, dict(config={"name": str(at)}, details={}, finished=float(at))) for at in (3, 1)]
    later = Finished("x", None, dict(config={}, details={}, finished=2.0))
    lines = report_commands.commands(RECORD, None, LATEST, dict(sample=made, freeze=[later]), [])
    assert [line.line for line in lines] == [
        "biggan train --preset digits",
        "biggan sample --name 1",
        "biggan freeze",
        "biggan sample --name 3",
    ]


def test_a_result_of_another_version_costs_only_its_own_line():
    old = Finished("a", None, dict(config=dict(start="one", end="two", seeds=[0, 1]), details={}, finished=1.0))
    bad = Finished("b", None, dict(config=dict(path=7), details={}, finished=2.0))
    lines = report_commands.commands(RECORD, None, LATEST, dict(interpolate=[old, bad]), [])
    assert lines[1].line == "biggan interpolate --from one --to two --seeds 0-1"
    assert lines[2].line == "" and "made b" in lines[2].note


def test_seeds_are_written_as_spans():
    assert report_commands.seeds_words([0, 1, 2, 42, 7, 8]) == "0-2,42,7-8"
