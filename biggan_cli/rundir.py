"""The run directory: the path and name of every artefact, run numbers, and results that are whole or absent.

::

    runs/00003-cifar10-32-seed/
      config.json  state.json  log.txt  stats.jsonl  events.*  reals.png  samples/step_001000.png
      checkpoints/{model-001000.{index,data-…,json},best-fid.json,unsound/…}
      rolled-back/N/{stats.jsonl,checkpoints/…}
      sample/<name>/{manifest.json,index.json,grid.png,000000.png …,sheets/,neighbours.png,sweep.json,curve.png}
      interpolate/<name>.{gif,webp,mp4,png,manifest.json}  interpolate/<name>/000000.png …
      freeze/generator.{pb,spec.json,manifest.json}
      bin/<name>/{manifest.json,index.json,z/000000.bin …,y/000000.bin …}
      atc/<name>.{om,log,manifest.json}
      msame/<name>/{manifest.json,index.json,msame.log,000000_output_0.bin …}
      verify/<name>/{manifest.json,verify.json,side_by_side.png}
      profile/PROF_*/… <name>.json <name>.log
      report/report.{html,manifest.json}
      score/score.jsonl
"""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import platform
import re
import shutil
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional

import biggan_cli
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import (
    FULL,
    LOCK,
    READ_ONLY,
    cannot_be_written,
    flush_to_disk,
    holder_of,
    locked,
    read_json,
    sha256,
    write_json,
)

MANIFEST_SCHEMA = 1
_FOLDERS = {"to-bin": "bin", "msame-run": "msame", "export-checkpoint": "export"}
"""Where the results of a command are; of those not named here, in a folder called as the command is."""
_WRITTEN_UNDER_LOCK = {
    "": (".config.*.json", ".state.*.json", ".stats.*.jsonl", ".reals.*.png"),
    "samples": (".step_*.png",),
    "checkpoints": (".saving-*", ".model-*.json", ".best-*.json"),
}
"""Temporary names of what only the holder of a run's lock writes: folder → patterns."""
_UNFINISHED = ".unfinished-{}"
_LISTED = 2000
_NUMBERED = re.compile(r"(\d{5,})-")


class RunDir:
    """One run. Knows where everything is; opens nothing by itself."""

    def __init__(self, path):
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.state = self.path / "state.json"
        self.log = self.path / "log.txt"
        self.stats = self.path / "stats.jsonl"
        self.reals = self.path / "reals.png"
        self.samples = self.path / "samples"
        self.checkpoints = self.path / "checkpoints"
        self.unsound = self.checkpoints / "unsound"
        self.frozen_graph = self.path / "freeze" / "generator.pb"
        self.graph_spec = self.path / "freeze" / "generator.spec.json"
        self.profile = self.path / "profile"
        self.score = self.path / "score" / "score.jsonl"

    def __str__(self) -> str:
        return str(self.path)

    def sample_grid(self, step: int) -> Path:
        return self.samples / f"step_{step:06d}.png"

    def checkpoint_prefix(self, step: int) -> Path:
        return self.checkpoints / f"model-{step:06d}"

    def read_config(self) -> Dict[str, Any]:
        """The stored configuration as plain values."""
        return read_json(self.config)

    def best(self, metric: str) -> Path:
        return self.checkpoints / f"best-{metric}.json"

    def lock(self):
        """Hold the run against a second process that would write to it, see :func:`locked`."""
        return locked(self.path)

    def is_held(self) -> Optional[str]:
        """Who holds the run's lock, ``process 4711 on host``, without disturbing that one; None: nobody."""
        return holder_of(self.path)

    def remove_leftovers(self) -> None:
        """What a process that held the lock and was killed left half written; for the one that holds it now."""
        for folder, patterns in _WRITTEN_UNDER_LOCK.items():
            for pattern in patterns:
                for path in (self.path / folder).glob(pattern):
                    if path.is_dir():
                        shutil.rmtree(str(path), ignore_errors=True)
                    else:
                        path.unlink()

    def finished(self, command: str) -> List["Finished"]:
        """What a command left in this run, the latest last; what has no manifest is not finished."""
        found = [finished_in(path) for path in self.manifests(command)]
        return sorted(found, key=lambda entry: (entry.manifest["finished"], entry.name))

    def manifests(self, command: str) -> List[Path]:
        """The manifests of what a command left in this run, damaged ones too."""
        parent = self.path / _FOLDERS.get(command, command)
        return [*parent.glob("[!.]*/manifest.json"), *parent.glob("*.manifest.json")]

    def _latest(self, command: str) -> float:
        """Right after the latest result: what is made now is later, whatever a clock says that was set back."""
        times = [0.0]
        for path in self.manifests(command):
            with contextlib.suppress(StepFailed):
                times.append(round(finished_in(path).manifest["finished"] + 0.001, 3))
        return max(times)

    @contextlib.contextmanager
    def step(
        self,
        command: str,
        name: Optional[str],
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        packages: Mapping[str, str],
        stem: Optional[str] = None,
        replace: bool = False,
        resume: bool = False,
    ) -> Iterator["Step"]:
        """The artefacts of a command, which appear whole, with a manifest, or not at all.

        The body fills ``Step.path``, a working folder. Afterwards every file is listed with its size and
        sha256 in the manifest, written last, and the folder becomes ``<command>/<name>/``. The working folder is
        held against other processes; one that a killed process left is taken over.

        Args:
            name: None takes the next free number.
            settings: what the command was asked for.
            inputs: relative path → sha256 of what it read.
            packages: name → version of what computed it.
            stem: the artefact is no folder but files that start with ``Step.name``: the stem, or the stem and
                a number. They go to ``<command>/`` itself, with ``<name>.manifest.json``.
            replace: a result of this name gives way to the new one.
            resume: what is unfinished stays for the next call of this name, which finds it in its folder.

        Raises:
            UsageError: the name is taken.
            StepFailed: another process is making it, or the disk is full.
        """
        parent = self.path / _FOLDERS.get(command, command)
        manifest_of = "{}.manifest.json" if stem else "{}"
        try:
            parent.mkdir(exist_ok=True)
            step = _reserve(parent, name, stem, manifest_of, replace, resume)
        except OSError as error:
            if error.errno not in (*FULL, *READ_ONLY):
                raise
            raise cannot_be_written(self.path, error) from error
        work, target = step.path, parent / manifest_of.format(step.name)
        started = time.perf_counter()
        try:
            yield step
            manifest = dict(
                schema=MANIFEST_SCHEMA,
                command=command,
                config=dict(settings),
                inputs=dict(inputs),
                outputs=_outputs(work),
                details=step.details,
                tool="biggan " + biggan_cli.__version__,
                python=platform.python_version(),
                packages=dict(packages),
                seconds=round(time.perf_counter() - started, 3),
                finished=max(round(time.time(), 3), self._latest(command)),
            )
            if stem:
                with contextlib.suppress(FileNotFoundError):
                    target.unlink()
                for path in sorted(work.iterdir()):
                    move = _take_place if path.is_dir() else os.replace  # a folder may be left of a killed process
                    move(path, parent / path.name)
                write_json(target, manifest)
                step.path = parent
            else:
                write_json(work / "manifest.json", manifest)
                _take_place(work, target)
                step.path = target
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise cannot_be_written(parent, error) from error
        finally:
            with contextlib.suppress(FileNotFoundError):  # it was moved, and may be another process's by now
                ours = os.path.samestat(os.fstat(step.holder), os.stat(str(work)))
                if ours and not (resume and step.path == work and any(work.iterdir())):
                    shutil.rmtree(str(work), ignore_errors=True)
            os.close(step.holder)


class Finished(NamedTuple):
    """A result of a command: its name, the folder that its outputs are in, and its manifest."""

    name: str
    folder: Path
    manifest: Dict[str, Any]


def finished_in(path: Path) -> Finished:
    """The result that a manifest is of.

    Raises:
        StepFailed: the manifest is damaged.
    """
    manifest = read_json(path)
    wanted = dict(schema=int, config=dict, inputs=dict, outputs=dict, details=dict, finished=float)
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(key), kind) for key, kind in wanted.items()):
        raise StepFailed(f"{path} is damaged, or of another version of biggan")
    name = path.parent.name if path.name == "manifest.json" else path.name[: -len(".manifest.json")]
    return Finished(name, path.parent, manifest)


def is_unchanged(result: Finished) -> bool:
    """Whether the files of a result in a folder of its own are those that its manifest lists."""
    found = _outputs(result.folder)
    found.pop("manifest.json", None)
    return found == result.manifest["outputs"]


class Step:
    """What a step is called and where it writes; ``path`` is the final folder once the step is done.

    ``details`` is what the manifest says besides: the version of a tool, its times. ``holder`` is the open working
    folder: its lock dies with the process.
    """

    def __init__(self, name: str, path: Path, holder: int):
        self.name, self.path, self.holder = name, path, holder
        self.details: Dict[str, Any] = {}


def create_run(outdir: Path, name: str) -> RunDir:
    """A new run directory ``outdir/NNNNN-name`` with the next free number.

    Raises:
        UsageError: the place cannot be written, or TensorFlow could not read it again.
    """
    check_place(outdir)
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        with open(str(outdir / LOCK), "a") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            number = max((_number(path) for path in outdir.iterdir() if _NUMBERED.match(path.name)), default=-1) + 1
            run = RunDir(outdir / f"{number:05d}-{name}")
            run.path.mkdir()
        run.samples.mkdir()
        run.checkpoints.mkdir()
        flush_to_disk(run.path)
        flush_to_disk(outdir)
        return run
    except OSError as error:
        raise UsageError(
            f"--outdir {outdir} cannot be written: {error.strerror}", fix="--outdir with a place that can"
        ) from error


def open_run(which: Optional[str], outdir: Path, trained: bool = True) -> RunDir:
    """An existing run: a path, a run number, a name under ``outdir``, or None for the latest.

    Args:
        trained: the latest is the latest that has a checkpoint.

    Raises:
        UsageError: there is no such run.
    """
    runs = sorted(_runs(outdir), key=_number)
    if which is None or which == "latest":
        for path in reversed(runs):
            if not trained or any((path / "checkpoints").glob("model-*.json")):
                return _checked(path)
        raise UsageError(
            f"no run in {outdir} has a checkpoint" if runs else f"there is no run in {outdir}",
            looked_for=str(outdir / ("NNNNN-…/checkpoints/model-*.json" if runs else "NNNNN-…/config.json")),
            fix=f"name the run, {runs[-1]}; or train it: biggan train --resume {runs[-1]}"
            if runs
            else "biggan train --preset digits",
        )
    if re.fullmatch("[0-9]+", which):
        looked_for = outdir / f"{int(which):05d}-…" / "config.json"
        matches = [path for path in runs if _number(path) == int(which)]
        if matches:
            return _checked(matches[0])
    else:
        looked_for = Path(which) / "config.json"
    for path in (Path(which), outdir / which):
        if (path / "config.json").is_file():
            return _checked(path)
    called = [path for path in runs if path.name.partition("-")[2] == which]  # as it is shown beside its number
    if len(called) == 1:
        return _checked(called[0])
    if called:
        raise UsageError(
            f"{len(called)} runs in {outdir} are called {which}",
            fix=f"the number of one: {', '.join(str(_number(path)) for path in called[-5:])}",
        )
    known = ", ".join(path.name for path in runs[-5:])
    raise UsageError(
        f"there is no run {which}",
        looked_for=str(looked_for),
        hint=f"the latest runs in {outdir}: {known}" if known else f"there is no run in {outdir}",
    )


def number_of(name: str) -> Optional[int]:
    """The number that a run's name begins with; None of anything else."""
    match = _NUMBERED.match(name)
    return int(match.group(1)) if match else None


def check_place(path: Path) -> None:
    """TensorFlow takes a checkpoint's path for a pattern, and for text in UTF-8.

    Raises:
        UsageError: the path has a character that means something else there.
    """
    text = str(path)
    special = sorted(set("[]*?\\") & set(text))
    if special or text != text.encode("utf-8", "ignore").decode("utf-8"):
        raise UsageError(
            f"{text.encode('utf-8', 'replace').decode('utf-8')} has {' '.join(special) or 'bytes that are not UTF-8'} "
            "in it: TensorFlow could not read a checkpoint there",
            fix="rename the folder, or work inside it",
        )


def check_writable(outdir: Path) -> None:
    """What :func:`create_run` would find, without writing.

    Raises:
        UsageError: the place cannot be written.
    """
    check_place(outdir)
    place = next(path for path in (outdir, *outdir.absolute().parents) if path.exists())
    if not place.is_dir() or not os.access(str(place), os.W_OK | os.X_OK):
        raise UsageError(f"--outdir {outdir} cannot be written: see {place}", fix="--outdir with a place that can")


def _checked(path: Path) -> RunDir:
    check_place(path)
    return RunDir(path)


def _runs(outdir: Path) -> List[Path]:
    if not outdir.is_dir():
        return []
    return [path for path in outdir.iterdir() if _NUMBERED.match(path.name) and (path / "config.json").is_file()]


def _number(path: Path) -> int:
    return int(_NUMBERED.match(path.name).group(1))


def _reserve(
    parent: Path, name: Optional[str], stem: Optional[str], manifest_of: str, replace: bool, resume: bool
) -> Step:
    """Take a name by holding its working folder: no other process then has the same one."""
    for tried in [name] if name else _free_names(stem):
        taken, work = parent / manifest_of.format(tried), parent / _UNFINISHED.format(tried)
        if taken.exists() and not replace:
            continue
        holder = _hold(work)
        if holder is None:
            taken = work
        elif taken.exists() and not replace:  # finished by another process just before
            work.rmdir()
            os.close(holder)
        else:
            if not resume:
                _empty(work)
            return Step(tried, work, holder)
    if taken == work:
        raise StepFailed(f"another process is making {parent / name}", fix="wait until it ends, then try again")
    raise UsageError(f"--name {name} is taken: {taken} exists", fix="another --name, or none")


def _hold(folder: Path) -> Optional[int]:
    """Make the folder, unless it is there, and lock it; its descriptor, or None where another process has it."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            holder = os.open(str(folder), os.O_RDONLY)
        except FileNotFoundError:  # another process finished between the two
            continue
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(holder)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(holder), os.stat(str(folder))):
                return holder
        os.close(holder)  # it was finished, and moved, between the two


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        else:
            path.unlink()


def _take_place(work: Path, target: Path) -> None:
    """Rename a folder to where another may be."""
    old = target.with_name(f".replaced-{target.name}")
    shutil.rmtree(str(old), ignore_errors=True)
    if target.exists():
        os.rename(str(target), str(old))
    os.rename(str(work), str(target))
    shutil.rmtree(str(old), ignore_errors=True)


def _free_names(stem: Optional[str]) -> Iterator[str]:
    """``stem``, ``stem-2``, … or, without a stem, 00000, 00001, …; endless."""
    for number in itertools.count():
        if stem:
            yield f"{stem}-{number + 1}" if number else stem
        else:
            yield f"{number:05d}"


def _outputs(folder: Path) -> Dict[str, Any]:
    """What stands in a folder: bytes and sha256 of each file; where they are very many, of all with one ending."""
    groups: Dict[str, List[Path]] = {}
    for path in sorted(folder.iterdir()):
        groups.setdefault(path.name + "/" if path.is_dir() else "*" + path.suffix, []).append(path)
    found = {}
    for label, paths in groups.items():
        if label.endswith("/"):
            found[label] = _sum_of(sorted(child for child in paths[0].rglob("*") if child.is_file()), paths[0])
        elif len(paths) > _LISTED:
            found[label] = _sum_of(paths, folder)
        else:
            found.update({path.name: dict(bytes=path.stat().st_size, sha256=sha256(path)) for path in paths})
    return found


def _sum_of(files: List[Path], folder: Path) -> Dict[str, Any]:
    """Many files as one: the sha256 is that of the lines ``<path> <sha256>``."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder)} {sha256(path)}\n".encode())
    return dict(files=len(files), bytes=sum(path.stat().st_size for path in files), sha256=digest.hexdigest())
