"""Make a run from a checkpoint that the reference wrote."""

import shutil
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import biggan_cli
from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.reporting import Report, logged
from biggan_cli.data import classes
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import sha256, write_json
from biggan_cli.model.architecture import discriminator_weights, generator_weights, parameter_count
from biggan_cli.rundir import check_place, check_writable, create_run
from biggan_cli.settings import ImportConfig
from biggan_cli.training import checkpoints, reference
from biggan_cli.training.reference import Imported

PRESET = "seed"


class ImportResult(NamedTuple):
    """The run that an import made; a dry run has none."""

    run: Optional[str]
    step: int
    checkpoint: Optional[str]
    resolution: int
    num_classes: int


def import_checkpoint(settings: ImportConfig, outdir: Path, dry_run: bool, report: Report) -> ImportResult:
    """Read everything, check everything, and only then make ``outdir/NNNNN-imported-…``.

    Raises:
        UsageError: no such checkpoint, or class names that do not fit it.
        StepFailed: it is damaged, of something else, or incomplete.
    """
    prefix = _prefix(settings.prefix)
    check_writable(outdir)
    arrays = checkpoints.read(prefix)
    try:
        imported = reference.from_reference(arrays, settings.weights)
    except StepFailed as error:
        raise StepFailed(f"{prefix}: {error.message}", needed_by="biggan import-checkpoint", hint=error.hint) from error
    model = imported.model
    names = _class_names(settings.class_names, model.num_classes)
    config = configs.replace(configs.resolve(PRESET, {}), model=model)
    try:
        configs.validate(config)
    except UsageError as error:
        raise StepFailed(f"{prefix} holds a network that cannot be used here: {error.message}") from error
    record = RunRecord(config, names, None, biggan_cli.__version__, bn="moving")
    rows = _plan(prefix, imported, names)
    if dry_run:
        report("table", title=f"a new run in {outdir}", rows=rows)
        return ImportResult(None, imported.step, None, model.resolution, model.num_classes)
    run = create_run(outdir, f"imported-{model.resolution}-{PRESET}")
    try:
        with run.lock():
            report = logged(report, run.log)
            report("table", title=f"importing into {run}", rows=rows)
            described = dict(
                run=configs.to_json(record),
                fresh=imported.fresh,
                source=dict(prefix=str(prefix.resolve()), weights=imported.weights, files=_sums(prefix)),
            )
            saved = checkpoints.save(
                lambda path: checkpoints.write_arrays(imported.values, path), run, imported.step, described
            )
            write_json(run.config, configs.to_json(record))
    except BaseException:
        shutil.rmtree(str(run.path), ignore_errors=True)
        raise
    return ImportResult(str(run), imported.step, str(saved.prefix), model.resolution, model.num_classes)


def _prefix(given: str) -> Path:
    """The prefix of a checkpoint's files; one of the files is understood too."""
    prefix = Path(given)
    check_place(prefix)
    if prefix.suffix in (".index", ".meta") or prefix.suffix.startswith(".data-"):
        prefix = prefix.with_suffix("")
    index = prefix.parent / (prefix.name + ".index")
    if prefix.name and index.is_file():
        return prefix
    folder = prefix if prefix.is_dir() else prefix.parent
    near = sorted(str(path.with_suffix("")) for path in folder.glob("*.index"))[:5] if folder.is_dir() else []
    raise UsageError(
        f"no checkpoint {given}",
        looked_for=str(folder / "*.index" if prefix.is_dir() else index),
        fix=f"biggan import-checkpoint {near[0]}" if near else None,
        hint="PREFIX is the name without .index and .data-…" if not near else f"in {folder}: {', '.join(near)}",
    )


def _class_names(given: Optional[str], count: int) -> Tuple[str, ...]:
    """The names of ``--class-names``: ``cifar10``, a file with one a line, or a list with commas."""
    if given is None:
        return classes.numbered(count)
    if given == "cifar10":
        names: Tuple[str, ...] = classes.CIFAR10
    elif "," not in given and Path(given).is_file():
        try:
            lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"--class-names {given} is not a text file: {error}", fix="a file in UTF-8") from error
        names = tuple(line.strip() for line in lines if line.strip())
    else:
        names = tuple(map(classes.unquoted, classes.split(given)))
    shown = given if len(given) < 80 else given[:80] + "…"
    if len(names) != count:
        raise UsageError(
            f"--class-names {shown} gives {len(names)} names, the checkpoint has {count} classes",
            fix="cifar10, a file with one name a line, or names with commas between",
        )
    if "" in names or len(set(names)) < count:
        raise UsageError(f"--class-names {shown} has an empty name or one twice", fix="one name for each class")
    classes.check_names(names, f"--class-names {shown}", "another name for it")
    return names


def _sums(prefix: Path) -> Dict[str, Any]:
    files = sorted(path for path in prefix.parent.glob(prefix.name + ".*") if path.suffix != ".meta")
    return {path.name: dict(bytes=path.stat().st_size, sha256=sha256(path)) for path in files}


def _plan(prefix: Path, imported: Imported, names: Tuple[str, ...]) -> List[Tuple[str, str]]:
    model = imported.model
    if imported.weights == "ema":
        weights = "the live weights are averages (ema); raw weights are not in the file: training goes on from these"
        if imported.averages and not imported.equal:
            weights += "; the averages beside them differ and are left out"
    elif imported.equal:
        weights = "raw, as told, though they equal the averages (ema) beside them"
    elif imported.averages:
        weights = "raw, and the averages (ema) beside them"
    else:
        weights = "raw; no averages in the file: ema starts at these"
    networks = {network for name in imported.fresh for network in ("generator", "discriminator") if network in name}
    carried = [network for network in ("generator", "discriminator") if network not in networks]
    optimizer = f"carried over: {' and '.join(carried) or 'none'}; afresh: {' and '.join(sorted(networks)) or 'none'}"
    rows = [
        ("checkpoint", f"{prefix}, of the reference, step {imported.step}"),
        (
            "network",
            f"{model.resolution} px, base channels {model.base_channels}, z {model.z_dim}, shared {model.shared_dim}",
        ),
        ("generator", f"{parameter_count(generator_weights(model)):,} parameters"),
        ("discriminator", f"{parameter_count(discriminator_weights(model)):,} parameters, ReLU on the image"),
        ("classes", f"{model.num_classes}: {classes.listed(names)}"),
        ("weights", weights),
        ("Adam", optimizer),
        ("batch norms", "its moving averages, so that pictures equal the reference's; --bn standing measures anew"),
    ]
    if imported.unknown:
        rows.append(("left out", classes.listed(imported.unknown)))
    return rows
