"""Is it memorising? The training pictures that are nearest to samples, and how near real pictures are."""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli.core import extractors, references, sources
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.features import groups
from biggan_cli.core.generators import read_record
from biggan_cli.core.reporting import Report
from biggan_cli.data import datasets, images
from biggan_cli.data.datasets import Dataset
from biggan_cli.errors import UsageError
from biggan_cli.metrics import digit_classifier
from biggan_cli.metrics.neighbours import SHARE, Likeness, likeness, nearest
from biggan_cli.rundir import RunDir
from biggan_cli.settings import NeighboursConfig, ReferenceConfig

MOST = 100
"""Neighbours of a picture."""
ROWS = 15
"""Samples in the picture of them: those that are nearest, and as many as a screen shows; ``index.json`` has all."""
_COMPARED = 1000
"""Real pictures that samples are compared with."""
_BLOCK = 1024
_PAPER = 255


class Neighbour(NamedTuple):
    """A training picture by its index in the data set, and how far it is."""

    index: int
    class_name: str
    distance: float
    mirrored: bool


class Found(NamedTuple):
    """In one way to compare: of each sample its neighbours, and what that says; distances in pixels are root mean
    squares."""

    way: str
    unit: str
    neighbours: List[List[Neighbour]]
    likeness: Likeness
    against: str

    def sentence(self) -> str:
        like = self.likeness
        words = (
            f"{self.way}: the nearest training picture of a sample is {like.median:.3g}{self.unit} away (median), "
            f"that of one {self.against} picture {like.real_median:.3g}; {like.below} of {like.samples} samples are "
            f"nearer than {100 - 100 * SHARE:.0f} % of {like.reals} {self.against} pictures, by chance it would be "
            f"{like.expected:.1f}"
        )
        if like.equal:
            return f"{words}; {like.equal} are training pictures to the last level: copies"
        return f"{words}: {'it may be copying, look at its neighbours' if like.suspicious else 'no sign of copies'}"


class TrainingSet:
    """What a run was trained on, as :func:`load` found it."""

    def __init__(self, run: RunDir, config: NeighboursConfig, report: Report):
        """Load it, and find the network.

        Raises:
            UsageError: it is not there, or there are fewer pictures than neighbours.
            NotReady: the network that was asked for is not here.
        """
        record = read_record(run)
        spec = config.data or record.config.train.data
        if not spec:
            raise UsageError(f"{run} does not say what it was trained on", fix="--data SPEC")
        self._run, self._config, self._spec = run, config, spec
        self._network = self._extractor(report)
        self._flip = record.config.train.flip
        self.data: Dataset = datasets.load(spec, record.config.model.resolution)
        if len(self.data.images) <= config.count:
            raise UsageError(
                f"--neighbours {config.count} are more than {self.data.name} has beside one", fix="--neighbours 5"
            )
        if record.data_digest not in (None, self.data.digest):
            report("warning", text=f"{spec} is not what {run} was trained on: its digest is another")

    def _extractor(self, report: Report) -> Optional[Extractor]:
        """Of digits their classifier; another only where it is asked for: it takes long on a CPU."""
        asked = self._config.extractor
        if asked.name or asked.inception:
            return extractors.choose(asked, "inception", report)
        if datasets.kind_of(self._spec) == "digits":
            return extractors.choose(asked, digit_classifier.NAME, report)
        report("line", text="neighbours in pixels alone; --extractor inception finds those in its features too")
        return None

    def near(self, samples: np.ndarray, report: Report) -> List[Found]:
        """Of samples uint8 [N, R, R, 3] in pixels, and in features where there is a network."""
        found = [self._in_pixels(samples, report)]
        if self._network:
            found.append(self._in_features(samples, self._network, report))
        return found

    def picture(self, samples: np.ndarray, words: Sequence[str], found: Found) -> np.ndarray:
        """Each sample beside its neighbours, the nearest sample first; ``words`` say which it is."""
        order = sorted(range(len(samples)), key=lambda row: found.neighbours[row][0].distance)[:ROWS]
        gap = np.full((1, *samples.shape[1:]), _PAPER, np.uint8)
        rows = []
        for row in order:
            near = [self._shown(entry) for entry in found.neighbours[row]]
            rows.append(np.concatenate([samples[row : row + 1], gap, np.stack(near)]))
        labels = [f"{words[row]}, {found.neighbours[row][0].distance:.3g}" for row in order]
        return images.titled(images.labelled_grid(rows, labels), f"nearest by {found.way}")

    def _shown(self, entry: Neighbour) -> np.ndarray:
        picture = np.asarray(self.data.images[entry.index])
        return picture[:, ::-1] if entry.mirrored else picture

    def _in_pixels(self, samples: np.ndarray, report: Report) -> Found:
        reals, own, against = self._reals()
        queries = np.concatenate([_flat(samples), _flat(reals)])
        total, offset = len(self.data.images) * (1 + self._flip), len(samples)

        def blocks() -> Iterator[Tuple[int, np.ndarray]]:
            for start, pictures in self._pictures():
                yield start, _flat(pictures)
                report("advance", what="comparing", done=start + len(pictures), total=total)

        result = nearest(queries, blocks(), self._config.count, self._passed_over(own, offset))
        pixels = np.sqrt(np.prod(samples.shape[1:]))
        return self._found("pixels", " levels of 255", result, offset, pixels, against)

    def _in_features(self, samples: np.ndarray, network: Extractor, report: Report) -> Found:
        size, place = samples.shape[1:3], sources.Place(run=self._run)

        def features(name: str) -> np.ndarray:
            asked = ReferenceConfig(name, self._config.data)
            return references.open_reference(asked, place, network, size, True, _BLOCK, report).features()

        train = features("train")
        chosen, own, against = self._real_indices()
        reals = train[chosen] if own else features("test")[chosen]
        with network.open() as opened:
            resized = images.resize(samples, network.resolution) if network.resolution else samples
            seen = np.concatenate([opened.features_and_logits(part)[0] for part in groups(resized)])
        blocks = ((start, train[start : start + _BLOCK]) for start in range(0, len(train), _BLOCK))
        passed = self._passed_over(chosen if own else None, len(samples))
        result = nearest(np.concatenate([seen, reals]), blocks, self._config.count, passed)
        return self._found(f"features of {network.name}", "", result, len(samples), 1.0, against)

    def _found(self, way: str, unit: str, result, samples: int, scale: float, against: str) -> Found:
        distances, count = result.distances / scale, len(self.data.images)
        neighbours = [
            [
                Neighbour(
                    int(index % count),
                    self.data.class_names[self.data.labels[index % count]],
                    round(float(distance), 4),
                    bool(index >= count),
                )
                for index, distance in zip(*row)
            ]
            for row in zip(result.indices[:samples], distances[:samples])
        ]
        return Found(way, unit, neighbours, likeness(distances[:samples, 0], distances[samples:, 0]), against)

    def _pictures(self) -> Iterator[Tuple[int, np.ndarray]]:
        """The training set, and where it was mirrored in training its mirror images after it."""
        count = len(self.data.images)
        for mirrored in (False, True)[: 1 + self._flip]:
            for start in range(0, count, _BLOCK):
                pictures = np.asarray(self.data.images[np.arange(start, min(start + _BLOCK, count))])
                yield start + mirrored * count, pictures[:, :, ::-1] if mirrored else pictures

    def _real_indices(self) -> Tuple[np.ndarray, bool, str]:
        """Which real pictures samples are compared with: held out, else trained on, without themselves."""
        held_out = len(self.data.held_out_images)
        count = held_out or len(self.data.images)
        chosen = np.unique(np.linspace(0, count - 1, min(_COMPARED, count)).astype(np.int64))
        return chosen, not held_out, "held-out" if held_out else "other training"

    def _reals(self) -> Tuple[np.ndarray, Optional[np.ndarray], str]:
        chosen, own, against = self._real_indices()
        part = self.data.images if own else self.data.held_out_images
        return np.asarray(part[chosen]), chosen if own else None, against

    def _passed_over(self, own: Optional[np.ndarray], offset: int):
        """A training picture, and its mirror image, is not its own neighbour."""
        if own is None:
            return None
        count = len(self.data.images)

        def inside(start: int, stop: int) -> List[Tuple[int, int]]:
            places = [(query, index + more) for query, index in enumerate(own, offset) for more in (0, count)]
            return [(query, place - start) for query, place in places if start <= place < stop]

        return inside


def listed(found: Sequence[Found], row: int) -> Dict[str, Any]:
    """For ``index.json``: the neighbours of a sample in each way."""
    return {entry.way: [neighbour._asdict() for neighbour in entry.neighbours[row]] for entry in found}


def _flat(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1).astype(np.float64)
