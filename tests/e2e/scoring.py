"""What the tests of scores share: a bench without network and home, what was measured once for all, second opinions."""

import contextlib
import json
import os
import re
import shutil
from typing import NamedTuple

import numpy as np
from scipy import linalg, special
from scipy.spatial.distance import cdist

from tests import loaded
from tests.conftest import made_once
from tests.e2e.deployment import digests
from tests.fakes.inception import tiny_graph

NUM = 130
"""Pictures of the run: no multiple of 100, of a batch of 32 or of 7, or of 10 splits of the same size."""
KID = ["--kid", "--kid-subsets", 10, "--kid-subset-size", 50]
ALL = ["--is", "--fid", *KID, "--pr"]
DIGITS = ["--ref", "train", "--data", "digits"]
NUMBERS = ("inception_score", "fid", "kid", "precision", "recall")

_NO_NETWORK = """\
import os
import socket

def refuse(*arguments, **more):
    with open(os.environ["SOCKETS"], "a") as marks:
        marks.write(str(arguments))
    raise OSError("a test without network opened a socket")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
"""

_NOISE = re.compile("Exception ignored .*ZipFile.__del__.*\nTraceback")
"""What Python prints besides the error when an archive is dropped that did not fit on a disk."""


class Done(NamedTuple):
    """A call that ended."""

    returncode: int
    stdout: str
    stderr: str

    def record(self):
        """The only one that ``score --json`` printed."""
        (line,) = self.stdout.splitlines()
        return json.loads(line)


class Bench:
    """``biggan`` in a folder, with a cache of its own; no socket is opened there, and no cache is in a home."""

    def __init__(self, folder, cache=None, timeout=600):
        self.folder, self.cache, self._timeout = folder, cache or folder / "cache", timeout
        self._aside = folder.with_name(folder.name + ".aside")

    def environment(self, **more):
        """Of a call; values of None are left out."""
        place = self._aside
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(_NO_NETWORK)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGGAN_")}
        path = os.pathsep.join([str(place), *filter(None, [kept.get("PYTHONPATH")])])
        own = dict(BIGGAN_CACHE=self.cache, HOME=place / "home", PYTHONPATH=path, SOCKETS=place / "opened")
        own.update(dict(COLUMNS="100", OPENBLAS_NUM_THREADS="1"), **more)  # on busy cores, its threads wait actively
        return {**kept, **{name: str(value) for name, value in own.items() if value is not None}}

    def biggan(self, *arguments, check=0, prelude="", **variables):
        """``biggan …`` in a process of its own, which must end with ``check``; ``prelude``: Python code before it."""
        done = loaded.run(arguments, self.folder, self.environment(**variables), self._timeout, prelude)
        done = Done(done.returncode, done.stdout, done.stderr)
        self._check(done, check, arguments)
        return done

    def together(self, *commands, check=0, **options):
        """Several commands one after the other, see :meth:`biggan`.

        Args:
            commands: each a list, its first words may be variables: BIGGAN_DATA=….
            check: the exit code of all of them, None: they may differ.
        """
        done = []
        for command in commands:
            words = [str(word) for word in command]
            variables = dict(word.split("=", 1) for word in words if word.startswith("BIGGAN_"))
            done.append(self.biggan(*words[len(variables) :], check=check, **{**options, **variables}))
        return done

    def _check(self, done, code, command):
        assert code in (done.returncode, None), f"{command}: {done.returncode}, {done.stderr}"
        assert "Traceback" not in _NOISE.sub("", done.stderr), f"{command}: {done.stderr}"
        self.assert_alone()

    def assert_alone(self):
        """Keras alone may write to a home."""
        assert not (self._aside / "opened").exists()
        assert not (self._aside / "home" / ".cache").exists()

    def save(self, name, array):
        np.save(str(self.folder / name), array)
        return name


def arrays_in(path):
    with np.load(str(path)) as archive:
        return {name: archive[name] for name in archive.files}


def numbers(record):
    """What a record measures, with what it says of how."""
    return {name: record[name] for name in NUMBERS if name in record}


def workshop(request, tmp_path_factory):
    """A folder that is made once for all workers; tests must not change it.

    ``runs`` with the deployed run, its first ``NUM`` pictures in ``sample/drawn``, their features in ``kept.npz``,
    their scores in ``plain.json``, what scoring changed in the run in ``changed.json``; ``cache`` with the features
    of the digits; ``graph.pb``, which stands for Inception, and ``other.pb``, another one.
    """

    def make(folder):
        shutil.copytree(str(request.getfixturevalue("deployed") / "runs"), str(folder / "runs"))
        _make(folder)

    return made_once(tmp_path_factory, "workshop", make)


def _make(folder):
    bench = Bench(folder)
    (run,) = (folder / "runs").glob("0*")
    before = digests(run)
    done = bench.biggan("score", "--num", NUM, *ALL, "--json")
    after = digests(run)
    (folder / "plain.json").write_text(done.stdout)
    (folder / "plain.stderr").write_text(done.stderr)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    (folder / "changed.json").write_text(json.dumps(changed))
    bench.together(
        ["stats", "--num", NUM, "--features", "--out", "kept.npz"],
        ["sample", "--num", NUM, "--npz", "--name", "drawn"],
    )
    for name, graph in (("graph.pb", tiny_graph()), ("other.pb", tiny_graph(bias_seed=1))):
        (folder / name).write_bytes(graph.SerializeToString())


def copy_of_runs(shop, folder):
    """A copy of the workshop's runs in ``folder``, which a test may change; the run in it."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(str(folder / "runs"))
    shutil.copytree(str(shop / "runs"), str(folder / "runs"), ignore=shutil.ignore_patterns("sample", "score"))
    (run,) = (folder / "runs").glob("0*")
    return run


# Second opinions: from the definitions, without a function of biggan's


def inception_score(logits, splits=10, seed=2020):
    """Mean and deviation; seed None: in the order given."""
    log_p = logits - special.logsumexp(logits.astype(np.float64), axis=1, keepdims=True)
    if seed is not None:
        log_p = log_p[np.random.RandomState(seed).permutation(len(log_p))]
    scores = []
    for i in range(splits):
        part = log_p[i * len(log_p) // splits : (i + 1) * len(log_p) // splits]
        log_mean = special.logsumexp(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - log_mean)).sum(axis=1).mean()))
    return np.mean(scores), np.std(scores)


def frechet_by_root(fake, real):
    """By SciPy's matrix root, as TTUR computes it where features are dead: with 1e-6 on both diagonals."""
    x, y = fake.astype(np.float64), real.astype(np.float64)
    c, d = (np.cov(rows, rowvar=False) + 1e-6 * np.eye(rows.shape[1]) for rows in (x, y))
    difference = x.mean(axis=0) - y.mean(axis=0)
    return difference @ difference + np.trace(c) + np.trace(d) - 2 * np.trace(linalg.sqrtm(c @ d).real)


def frechet(fake, real):
    """From the rows themselves: the trace of the root is the sum of the singular values of X Yᵀ."""
    x, y = (rows.astype(np.float64) for rows in (fake, real))
    difference = x.mean(axis=0) - y.mean(axis=0)
    x, y = ((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (x, y))
    return difference @ difference + (x**2).sum() + (y**2).sum() - 2 * linalg.svdvals(x @ y.T).sum()


def kernel_distance(fake, real, subsets, size, seed=2020):
    random, values = np.random.RandomState(seed), []
    for _ in range(subsets):
        x, y = (rows[random.choice(len(rows), size, replace=False)].astype(np.float64) for rows in (fake, real))
        xx, yy, xy = ((a @ b.T / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        off = ~np.eye(size, dtype=bool)
        values.append(xx[off].mean() + yy[off].mean() - 2 * xy.mean())
    return np.mean(values), np.std(values)


def precision_recall(fake, real, neighbours=3):
    def share_inside(points, centres):
        radii = np.sort(cdist(centres, centres), axis=1)[:, neighbours]  # the nearest of each is itself
        return (cdist(points, centres) <= radii).any(axis=1).mean()

    fake, real = fake.astype(np.float64), real.astype(np.float64)
    return share_inside(fake, real), share_inside(real, fake)
