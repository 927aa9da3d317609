"""Run directories as training leaves them, made by hand: what looks at runs needs no training."""

import json

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.rundir import RunDir

DIGEST = "0" * 64
NAMES = tuple("abcdefghij")


def make_run(outdir, name="00000-digits-32-digits", state=None, steps=400, recorded=(), **values):
    """A run with a configuration, its state if one is given, and a record of each of the steps ``recorded``."""
    run = RunDir(outdir / name)
    run.checkpoints.mkdir(parents=True)
    config = configs.resolve("digits", dict(steps=steps, **values))
    record = RunRecord(config, NAMES, DIGEST, "0.1.0")
    run.config.write_text(json.dumps(configs.to_json(record)))
    if state:
        set_state(run, state, steps=steps)
    add_records(run, *recorded)
    return run


def set_state(run, state, step=120, steps=400, why=None, updated=1000.0):
    """``state.json`` as training writes it."""
    stored = dict(schema=1, state=state, step=step, steps=steps, pid=4711, host="h", started=900.0)
    (run.path / "state.json").write_text(json.dumps(dict(stored, updated=updated, why=why)))


def record_of(step, **values):
    usual = dict(d_loss=1.0, g_loss=0.5, real_logit=0.25, fake_logit=-0.25, seconds_per_step=0.5)
    usual.update(images_per_second=64.0, steps_in_record=10, maintenance_seconds=1.0, elapsed_seconds=0.75 * step)
    return dict(usual, step=step, **values)


def add_records(run, *steps, **values):
    with open(str(run.stats), "a") as stats:
        stats.writelines(json.dumps(record_of(step, **values)) + "\n" for step in steps)


def add_score(run, step, extractor="digits", emulated=False, count=100, rollbacks=None, truncation=2.0, **values):
    """A line of ``score.jsonl``: ``fid``, ``inception_score``. The run was trained with a truncation of 2."""
    run.score.parent.mkdir(exist_ok=True)
    scored = dict(fid=dict(value=values["fid"])) if "fid" in values else {}
    if "inception_score" in values:
        scored["inception_score"] = dict(mean=values["inception_score"])
    samples = dict(step=step, count=count, weights="ema", truncation=truncation, trained_truncation=2.0)
    record = dict(samples=samples, extractor=dict(name=extractor), reference=dict(name="r"), **scored)
    if rollbacks is not None:  # by the training itself
        record["training"] = dict(rollbacks=rollbacks)
    with open(str(run.score), "a") as scores:
        scores.write(json.dumps(dict(record, emulated=emulated)) + "\n")


def add_checkpoint(run, step):
    """What counts as one: its record, which is written last."""
    (run.checkpoints / f"model-{step:06d}.json").write_text("{}")
