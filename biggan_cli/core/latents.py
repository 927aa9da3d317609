"""Which latents a command draws: of seeds, of asked classes, or from a file."""

from pathlib import Path
from typing import NamedTuple, Optional, Sequence

import numpy as np

from biggan_cli.data.classes import class_index, quoted
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from biggan_cli.settings import LatentsConfig

DEFAULT_NUM = 64
_SHOWN = 20


class Latents(NamedTuple):
    """What to draw: ``names`` of the pictures, z float32 [N, z_dim] and y int32 [N]."""

    names: Sequence[int]
    z: np.ndarray
    y: np.ndarray


def choose_latents(
    asked: LatentsConfig, z_dim: int, class_names: Sequence[str], truncation: Optional[float]
) -> Latents:
    """The latents that were asked for; without a word, those of the first 64 seeds.

    Raises:
        UsageError: an unknown class, counts that do not add up, latents that do not fit the model.
        StepFailed: a damaged file.
    """
    if asked.file is not None:
        return _read(asked, z_dim, len(class_names))
    seeds = asked.seeds
    if asked.classes:
        y = _asked_classes(asked, class_names)
        seeds = seeds or range(len(y))
    else:
        seeds = seeds or range(asked.num or DEFAULT_NUM)
        if asked.num not in (None, len(seeds)):
            raise _not_fitting(asked)
        y = classes_of_seeds(seeds, len(class_names))
    return Latents(list(seeds), z_of_seeds(seeds, z_dim, truncation), y)


def _asked_classes(asked: LatentsConfig, class_names: Sequence[str]) -> np.ndarray:
    """y of ``--classes``: each class in turn; those without a count share what the others leave of the total."""
    indices = [class_index(name, class_names, "--classes") for name, _ in asked.classes]
    counts = [count for _, count in asked.classes]
    fixed = sum(count for count in counts if count is not None)
    open_places = [place for place, count in enumerate(counts) if count is None]
    total = len(asked.seeds) if asked.seeds else asked.num
    if asked.seeds and asked.num not in (None, total):
        raise _not_fitting(asked)
    if total is None:
        total = max(DEFAULT_NUM, fixed + len(open_places)) if open_places else fixed
    rest = total - fixed
    if rest < len(open_places) or (rest and not open_places):
        raise UsageError(
            f"--classes asks for {fixed} pictures and {len(open_places)} classes without a count, "
            f"but {'the number of --seeds' if asked.seeds else '--num'} is {total}",
            fix=f"--num {fixed + len(open_places)}",
        )
    for order, place in enumerate(open_places):
        counts[place] = rest // len(open_places) + (order < rest % len(open_places))
    return np.repeat(np.asarray(indices, np.int32), counts)


def _not_fitting(asked: LatentsConfig) -> UsageError:
    return UsageError(f"--num {asked.num} does not fit the {len(asked.seeds)} seeds of --seeds", fix="leave --num out")


def _read(asked: LatentsConfig, z_dim: int, num_classes: int) -> Latents:
    path = Path(asked.file)
    if asked.classes or asked.seeds or asked.num is not None:
        raise UsageError("--latents brings its own z and y", fix="leave --classes, --seeds and --num out")
    wanted = f"an .npz with z, float [N, {z_dim}], and y, or labels, whole numbers [N] from 0 to {num_classes - 1}"
    if not path.is_file():
        raise UsageError(f"--latents {path} is not a file", fix=wanted)
    try:
        with np.load(str(path), allow_pickle=False) as archive:
            z, y = archive["z"], archive["y" if "y" in archive else "labels"]
    except KeyError as error:
        raise UsageError(f"--latents {path} lacks z or y", fix=wanted) from error
    except Exception as error:  # NumPy meets a damaged archive with whatever its parser trips over
        raise StepFailed(f"--latents {path} is cut off or not an .npz of arrays", fix=wanted) from error
    count = len(z) if z.ndim else 0
    if z.ndim != 2 or z.shape[1] != z_dim or not count or not np.issubdtype(z.dtype, np.floating):
        raise UsageError(f"--latents {path}: z is {z.dtype} {z.shape}", fix=wanted)
    if y.shape not in ((count,), (count, 1)) or not np.issubdtype(y.dtype, np.integer):
        raise UsageError(f"--latents {path}: y is {y.dtype} {y.shape} for {count} z", fix=wanted)
    if y.min() < 0 or y.max() >= num_classes:
        raise UsageError(f"--latents {path}: y goes from {y.min()} to {y.max()}", fix=wanted)
    with np.errstate(over="ignore"):
        z = z.astype(np.float32)
    if not np.isfinite(z).all():
        raise UsageError(f"--latents {path}: z has values that are not finite in float32", fix=wanted)
    return Latents(range(count), z, y.reshape(-1).astype(np.int32))


def classes_text(y: np.ndarray, class_names: Sequence[str]) -> str:
    """``three:40, eight:16``, the first few of many."""
    labels, places, counts = np.unique(y, return_index=True, return_counts=True)
    parts = [f"{quoted(class_names[labels[i]])}:{counts[i]}" for i in np.argsort(places)]
    return ", ".join(parts if len(parts) <= _SHOWN else [*parts[:_SHOWN], "…"])
