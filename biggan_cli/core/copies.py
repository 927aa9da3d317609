"""A run on the node's disk and its copy in the object storage."""

import contextlib
import shutil
import signal
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Tuple, Union

from biggan_cli.core.foresight import TrainPlan
from biggan_cli.core.reporting import Report, logged
from biggan_cli.core.sessions import TrainResult
from biggan_cli.errors import BigganError, Interrupted, StepFailed
from biggan_cli.rundir import RunDir, number_of
from biggan_cli.runtime import storage
from biggan_cli.training import loop

Outcome = Union[TrainResult, TrainPlan]


class RunCopies:
    """Copies one run out whenever it is told to: what is new or changed since the last time.

    The record of a checkpoint goes after its files, and is removed before them: what a killed job leaves in the
    storage is a whole run at the checkpoint before. ``local`` is a new folder: nothing there is ever written over.
    """

    def __init__(self, outdir: str, report: Report):
        """``outdir`` is the address of the folder of the runs."""
        self._outdir, self._report = outdir, report
        self.local = storage.scratch_folder("runs-")
        self._run: Optional[RunDir] = None
        self._url: Optional[str] = None
        self._copied: Dict[str, Tuple[int, int]] = {}

    def copy_in(self, name: str) -> RunDir:
        """A run of the storage, from then on copied back there; the storage keeps no empty folders."""
        url, run = f"{self._outdir}/{name}", RunDir(self.local / name)
        self._report("line", text=f"copying {url} to {run}")
        storage.copy_in(url, run.path, "--resume")
        for folder in (run.samples, run.checkpoints):
            folder.mkdir(exist_ok=True)
        self._url, self._copied = url, _files(run)
        return run

    def after_save(self, run: RunDir) -> None:
        """Copy the run out. Where that fails training goes on: the next copy makes up for it."""
        self._run = run
        try:
            self._copy_out(run)
        except BigganError as error:
            self._warn(run, error.message)

    def around(self, action: Callable[[], Outcome]) -> Outcome:
        """What ``action`` returns or raises, with places as they are called in the storage.

        The last copy is made however it ends. After an error its own failure is only a warning.

        Raises:
            StepFailed: training ended well, and the last copy did not.
            Interrupted: in the last copy.
        """
        try:
            result = action()
        except BaseException as error:
            if self._copied_after(error) and isinstance(error, BigganError):
                error.rename(*self._names())
            raise
        finally:
            if self._run is None:  # nothing began: there is nothing here that the storage does not have
                shutil.rmtree(str(self.local), ignore_errors=True)
        if self._run is None or isinstance(result, TrainPlan):
            return result
        with _saying_where_the_run_is(self._run, self._url or self._outdir):
            self._copy_out(self._run)
        self._report("line", text=f"the run on this node's disk: {self._run}")
        return result._replace(run=self._url, checkpoint=result.checkpoint.replace(*self._names()))

    def called_as_in_storage(self, event: str, **fields) -> None:
        """``report`` for a dry run, whose local folder does not stay."""
        if event == "table":
            fields["rows"] = [(left, right.replace(*self._names())) for left, right in fields["rows"]]
        self._report(event, **fields)

    def _names(self) -> Tuple[str, str]:
        """What a place is called here, and in the storage."""
        if self._run is None or self._url is None:
            return str(self.local), self._outdir
        return str(self._run), self._url

    def _copied_after(self, error: BaseException) -> bool:
        """Whether the storage has all of a run that ended in an error."""
        if self._run is None:
            return True
        try:
            with loop.Signals():
                self._copy_out(self._run)
        except BaseException as failure:  # a second interrupt too: the first error is the one to tell
            self._warn(self._run, getattr(failure, "message", None) or type(failure).__name__)
            return False
        return True

    def _copy_out(self, run: RunDir) -> None:
        if self._url is None:
            self._url = self._free_url(run.path.name)
        files = _files(run)
        changed = [name for name in files if self._copied.get(name) != files[name]]
        for name in sorted(changed, key=lambda name: (_is_record(name), name)):
            storage.copy_out(run.path / name, f"{self._url}/{name}")
            self._copied[name] = files[name]
        for name in sorted(set(self._copied) - set(files), key=lambda name: (not _is_record(name), name)):
            storage.remove(f"{self._url}/{name}")
            del self._copied[name]
        self._report("line", text=f"copied {len(changed)} files to {self._url}")

    def _free_url(self, name: str) -> str:
        """Another job may have taken the name since the run was numbered; a run there is never written over."""
        names = storage.names(self._outdir)
        if name in names:
            taken = [number for number in map(number_of, names) if number is not None]
            name = f"{max(taken) + 1:05d}-{name.partition('-')[2]}"
        return f"{self._outdir}/{name}"

    def _warn(self, run: RunDir, problem: str) -> None:
        report = self._report
        with contextlib.suppress(OSError):  # the log may be on a disk that is full
            report = logged(report, run.log)
        report("warning", text=f"not copied to {self._url or self._outdir}: {problem}; the whole run is in {run}")


@contextlib.contextmanager
def _saying_where_the_run_is(run: RunDir, url: str) -> Iterator[None]:
    """What ends the last copy of a finished run says that nothing is lost, and how to save it."""
    by_hand = f"before the job ends: python -c \"import moxing; moxing.file.copy_parallel('{run}', '{url}')\""
    signals = loop.Signals()
    try:
        with signals:
            yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted while copying to {url}; the whole run is in {run}",
            signals.received or signal.SIGINT,
            fix=by_hand,
        ) from None
    except BigganError as error:
        raise StepFailed(
            f"training is done, and its last copy failed: {error.message}",
            hint=f"the whole run is in {run}",
            fix=by_hand,
        ) from error


def _is_record(name: str) -> bool:
    path = Path(name)
    return path.parts[0] == "checkpoints" and path.suffix == ".json"


def _files(run: RunDir) -> Dict[str, Tuple[int, int]]:
    """Relative name → time of change and size of each file of a run; hidden ones are locks and unfinished."""
    found = {}
    for path in sorted(run.path.rglob("*")):
        name = path.relative_to(run.path)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            found[name.as_posix()] = (path.stat().st_mtime_ns, path.stat().st_size)
    return found
