"""Training as a job: runs in the object storage, and the one device that a run has."""

import os
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from biggan_cli.config import RunConfig
from biggan_cli.core import ranks, train
from biggan_cli.core.copies import Outcome, RunCopies
from biggan_cli.core.generators import read_record
from biggan_cli.core.reporting import Report
from biggan_cli.errors import UsageError
from biggan_cli.files import expanded, write_json
from biggan_cli.rundir import RunDir, number_of, open_run
from biggan_cli.runtime import rank_table, storage
from biggan_cli.settings import DryRun, NpuConfig


def start(config: RunConfig, npu: NpuConfig, outdir: str, dry_run: Optional[DryRun], report: Report) -> Outcome:
    """:func:`train.start`, with ``outdir`` a local folder or one of the object storage.

    A run of the storage is trained in a folder of its own on the node's disk, and copied out when it begins, after
    each checkpoint and at the end, however training ends.

    Raises:
        NotReady: the storage cannot be reached from here.
        StepFailed: also where training ended well, and the last copy did not.
    """
    require_one_device(config.train.device, dry_run, report)
    if not storage.is_remote(outdir):
        return train.start(config, npu, expanded(outdir), dry_run, report)
    outdir = storage.checked_url(outdir, "--outdir")
    taken = [number for number in map(number_of, storage.names(outdir)) if number is not None]
    copies = RunCopies(outdir, report)
    if taken:  # the new run's number is the next one, here too
        (copies.local / f"{max(taken):05d}-in-the-storage").mkdir()
    heard = copies.called_as_in_storage if dry_run else report
    return copies.around(lambda: train.start(config, npu, copies.local, dry_run, heard, copies.after_save))


def resume(
    which: str,
    values: Mapping[str, Any],
    npu: NpuConfig,
    preset: Optional[str],
    other_data: Optional[str],
    outdir: str,
    dry_run: Optional[DryRun],
    report: Report,
) -> Outcome:
    """:func:`train.resume`, of a run in the object storage too: named by its address, or found in ``outdir``.

    A local run goes on where it is; with an ``outdir`` in the storage it is copied there too, under a free name.

    Raises:
        UsageError, NotReady, StepFailed: as in :func:`start`.
    """

    def go_on(run: RunDir, heard: Report, after_save=train.no_copy) -> Outcome:
        require_one_device(values.get("device") or read_record(run).config.train.device, dry_run, report)
        return train.resume(str(run), values, npu, preset, other_data, run.path.parent, dry_run, heard, after_save)

    in_storage = storage.is_remote(outdir)
    if not storage.is_remote(which) and (not in_storage or (expanded(which) / "config.json").is_file()):
        run = open_run(str(expanded(which)), expanded("" if in_storage else outdir), trained=False)
        if not in_storage:
            return go_on(run, report)
        copies = RunCopies(storage.checked_url(outdir, "--outdir"), report)
        return copies.around(lambda: go_on(run, report, copies.after_save))
    place, name = _find(which, outdir)
    if in_storage and storage.checked_url(outdir, "--outdir") != place:
        report("warning", text=f"the run goes on in {place}; {outdir} is not used")
    copies = RunCopies(place, report)
    heard = copies.called_as_in_storage if dry_run else report
    return copies.around(lambda: go_on(copies.copy_in(name), heard, copies.after_save))


def require_one_device(
    device: str, dry_run: Optional[DryRun], report: Report, usual_table: Path = rank_table.MODELARTS_TABLE
) -> None:
    """Read the rank table of the job, if it has one, and let this process have it as HCCL reads it.

    Without an Ascend chip, elsewhere than on ModelArts, nobody asks for one.

    Raises:
        UsageError: the job has several devices, or its table is malformed.
        NotReady: the table was not completed in time.
    """
    if device in ("cpu", "gpu") and not storage.on_modelarts():
        return
    path = ranks.table_of(os.environ, usual_table)
    if path is None:
        return
    found = rank_table.wait_for(path, on_wait=lambda: report("line", text=f"waiting for the rank table {path}"))
    table = ranks.of_one_device(found, path)
    if dry_run:
        return
    if not rank_table.is_template_1(found):
        path = storage.scratch() / f"rank_table-{os.getpid()}.json"
        write_json(path, table)
    os.environ[rank_table.VARIABLE] = str(path)


def _find(which: str, outdir: str) -> Tuple[str, str]:
    """The folder and name of a run in the storage, by its address, or by its number, name or ``latest`` in ``outdir``.

    Raises:
        UsageError: there is no such run.
    """
    if storage.is_remote(which):
        place, _, name = storage.checked_url(which, "--resume").rpartition("/")
        if place.endswith("/"):
            raise UsageError(f"--resume {which} is a bucket, not a run", fix="--resume obs://bucket/folder/NNNNN-…")
    else:
        place, name = storage.checked_url(outdir, "--outdir"), which
        runs = sorted((number_of(run), run) for run in storage.names(place) if number_of(run) is not None)
        known = ", ".join(run for _, run in runs[-5:])
        if which == "latest" and runs:
            name = runs[-1][1]
        elif which == "latest" or which.isdigit():
            name = next((run for number, run in runs if which.isdigit() and number == int(which)), "")
        if not name:
            raise UsageError(
                f"there is no run {which} in {place}",
                hint=f"the latest runs there: {known}" if known else "there is none at all",
            )
    if not storage.exists(f"{place}/{name}/config.json"):
        raise UsageError(f"there is no run {place}/{name}", looked_for=f"{place}/{name}/config.json")
    return place, name
