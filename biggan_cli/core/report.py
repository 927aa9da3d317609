"""One file that shows a run to somebody who has nothing else of it."""

import os
from pathlib import Path
from typing import List, NamedTuple, Optional

from biggan_cli import config as configs
from biggan_cli.core.report_data import gather
from biggan_cli.core.report_page import page
from biggan_cli.core.reporting import Report
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import FULL, cannot_be_written, expanded, whole_file
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import ReportConfig

NAME = "report"


class ReportResult(NamedTuple):
    """What ``report`` left; ``missing`` are sentences about what of the run could not be shown."""

    report: str
    bytes: int
    grids: int
    grids_of: int
    missing: List[str]


def report_of(run: RunDir, settings: ReportConfig, report: Report) -> ReportResult:
    """Write ``report/report.html``, in the place of an earlier one, or the file that was asked for.

    What is damaged in the run, or not there yet, is left out and named.

    Raises:
        UsageError: the file cannot go there.
        StepFailed: the disk is full.
    """
    out = _place(settings.out)
    data = gather(run, settings.grids)
    text = page(data).encode("utf-8")
    if out:
        try:
            with whole_file(out) as temporary:
                temporary.write_bytes(text)
        except OSError as error:
            if error.errno in FULL:
                raise cannot_be_written(out.absolute().parent, error) from error
            raise StepFailed(f"{out} cannot be written: {(error.strerror or str(error)).lower()}") from error
    else:
        described = configs.asdict(settings)
        with run.step("report", NAME, described, data.inputs, packages(), stem=NAME, replace=True) as step:
            (step.path / f"{NAME}.html").write_bytes(text)
        out = step.path / f"{NAME}.html"
    for problem in data.problems:
        report("warning", text=f"left out: {problem}")
    return ReportResult(str(out), len(text), len(data.history), data.history_total, data.problems)


def _place(asked: Optional[str]) -> Optional[Path]:
    if asked is None:
        return None
    out = expanded(asked)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {asked} does not end in .html", fix=f"--out {out.stem or NAME}.html")
    folder = out.absolute().parent
    if out.is_dir() or not folder.is_dir() or not os.access(str(folder), os.W_OK | os.X_OK):
        raise UsageError(f"--out {asked}: nothing can be written to {folder}", fix="--out in a folder that is there")
    return out
