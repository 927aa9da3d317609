"""What a run starts with: values of its seed, or the weights of another run (``--init-from``).

Of the other run's generator those are the averaged weights, which draw its best pictures; of the discriminator, which
has no averages, the last.
"""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import RunConfig, RunRecord
from biggan_cli.core.generators import record_of
from biggan_cli.core.reporting import Report
from biggan_cli.data import classes
from biggan_cli.errors import UsageError
from biggan_cli.files import expanded
from biggan_cli.model.architecture import discriminator_weights, generator_weights, sn_u_name
from biggan_cli.model.initial import initial_values
from biggan_cli.rundir import RunDir, open_run
from biggan_cli.runtime import storage
from biggan_cli.training import checkpoints, ema
from biggan_cli.training.checkpoints import Checkpoint

_TABLES = {
    "generator/embed/w": 0,
    "discriminator/projection/w": 0,
    sn_u_name("discriminator/projection/w"): 1,
}
"""What has a place for each class, and along which axis."""


def config_from(which: str, values: Mapping[str, Any], preset: str, outdir: str) -> RunConfig:
    """The configuration of a new run with the networks of the run ``which``, in the recipe of the preset and values.

    Raises:
        UsageError: no such run or checkpoint on this machine, or a value asks for another network.
        StepFailed: its latest checkpoint is damaged.
    """
    if storage.is_remote(which) or (storage.is_remote(outdir) and not Path(which).is_dir()):
        raise UsageError(
            f"--init-from {which}: the run must be on this machine", fix="copy it here, and name its folder"
        )
    run = open_run(which, expanded(outdir))
    checkpoint = checkpoints.find(run)
    model = record_of(checkpoint).config.model
    fields = configs.asdict(model)
    for field in fields:
        if field in values and values[field] != fields[field]:
            raise UsageError(
                f"{configs.flag_of(field)} {values[field]} is another network than that of {run}, "
                f"whose weights --init-from takes: it has {fields[field]}",
                fix=f"leave {configs.flag_of(field)} out",
            )
    recipe = configs.resolve(preset, dict(values, init_from=str(checkpoint.prefix.absolute())))
    config = configs.replace(recipe, model=model)
    configs.validate(config)
    return config


def origin_of(config: RunConfig) -> Optional[Checkpoint]:
    """The checkpoint that ``--init-from`` names, if there is one.

    Raises:
        UsageError: it is gone.
        StepFailed: it is damaged.
    """
    if config.train.init_from is None:
        return None
    prefix = Path(config.train.init_from)
    try:
        return checkpoints.find(RunDir(prefix.parent.parent), prefix.name.rpartition("-")[2])
    except UsageError as error:
        raise UsageError(
            f"{prefix}, which this run starts with, is gone", fix="a new run with --init-from, or that file back"
        ) from error


def check(record: RunRecord) -> None:
    """That class tables which are to stay as they start have something to start with.

    Raises:
        UsageError: a class is not among those of the other run.
    """
    origin = origin_of(record.config)
    if origin is None or not record.config.train.freeze_classes:
        return
    before = record_of(origin).class_names
    new = [name for name, row in zip(record.class_names, _rows(before, record.class_names)) if row is None]
    if new:
        raise UsageError(
            f"--freeze-classes: {record.config.train.init_from} knows no {classes.listed(new)}",
            fix="leave --freeze-classes out",
            hint="its classes are: " + classes.listed(before),
        )


def first_values(record: RunRecord, report: Report) -> Dict[str, np.ndarray]:
    """Name → start value of everything that does not start at 0 or at its own value."""
    values = _of_the_seed(record.config)
    origin = origin_of(record.config)
    return values if origin is None else _taken_over(values, origin, record, report)


def _of_the_seed(config: RunConfig) -> Dict[str, np.ndarray]:
    """The averages start at the weights, the variances at 1."""
    random = np.random.RandomState([config.train.seed, 0])
    g_values = initial_values(generator_weights(config.model), random)
    for name in g_values:
        if name.endswith("/gain/b"):
            g_values[name] += np.float32(config.train.gain_start - 1.0)
    values = dict(g_values, **initial_values(discriminator_weights(config.model), random))
    values.update({ema.name_of(name): g_values[name] for name in generator_weights(config.model)})
    for name, shape in ema.moving_shapes(config.model).items():
        if name.endswith("variance"):
            values[name] = np.ones(shape, np.float32)
    return values


def _taken_over(values: Mapping, origin: Checkpoint, record: RunRecord, report: Report) -> Dict[str, np.ndarray]:
    """Both networks, their power iterations, averages and statistics; of classes those that have the same names."""
    before = record_of(origin)
    held, rows = checkpoints.read(origin.prefix), _rows(before.class_names, record.class_names)
    taken = dict(values)
    averaged = checkpoints.generator_values(held, "ema")
    for name in [*values, *ema.moving_shapes(record.config.model)]:
        weight = name[len(ema.PREFIX) :] if name.startswith(ema.PREFIX) else name
        axis, found = _TABLES.get(weight), averaged.get(weight, held.get(weight))
        if found is None:
            continue
        if axis is None:
            taken[name] = found
            continue
        table = np.moveaxis(np.array(values[name]), axis, 0)
        for place, row in enumerate(rows):
            if row is not None:
                table[place] = np.moveaxis(found, axis, 0)[row]
        taken[name] = np.moveaxis(table, 0, axis)
    new = [name for name, row in zip(record.class_names, rows) if row is None]
    report("line", text=f"starts with {origin.prefix}: averaged generator, discriminator; with a new optimizer")
    kept = len(rows) - len(new)
    report("line", text=f"class tables: {kept} of {len(rows)} classes are taken over by their names")
    if new:
        report("warning", text=f"re-initialised in the class tables of both networks: {classes.listed(new)}")
    return taken


def _rows(before: Sequence[str], now: Sequence[str]) -> List[Optional[int]]:
    """Of each class of now its number of before; None: it is new. Numbers say nothing of other classes."""
    if tuple(before) == tuple(now):
        return list(range(len(now)))
    if not (classes.are_named(before) and classes.are_named(now)):
        return [None] * len(now)
    return [before.index(name) if name in before else None for name in now]
