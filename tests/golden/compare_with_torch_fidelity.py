"""Our scores against torch-fidelity's, on the same pictures and weights, and how fast both are. By hand::

    python tests/golden/compare_with_torch_fidelity.py                   # in either lane's environment
    python tests/golden/compare_with_torch_fidelity.py --write-golden tests/golden/inception_standin_64.json

torch-fidelity gets an environment of its own, in a temporary folder or in ``--environment``, from whatever index pip is
set to: ``PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu`` spares the gigabytes of CUDA. ``--python`` takes an
interpreter that has it. The network is the stand-in of ``tests/fakes/inception.py``, at full size; torch-fidelity reads
PNG files and, through its own loader, a state dict of the same weights. The two sides take turns when they are timed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
from functools import reduce
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fakes import inception as standin

SEEDS = dict(generated=2, real=3)
GOLDEN_COUNT = 64
EVERY = 64  # columns apart: each branch of the last block has some
SUBSETS = 20
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256, help="in each of the two sets")
    parser.add_argument("--rounds", type=int, default=5, help=f"batches of {BATCH} that are timed")
    parser.add_argument("--python", help="an interpreter that has torch-fidelity")
    parser.add_argument("--environment", type=Path, help="where to make one, or where one was made before")
    parser.add_argument("--write-golden", type=Path, help=f"store torch-fidelity's numbers for {GOLDEN_COUNT} images")
    parser.add_argument("--torch-side", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch_side:
        torch_side(arguments.torch_side)
        return
    count = GOLDEN_COUNT if arguments.write_golden else arguments.images
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        python = arguments.python or torch_environment(arguments.environment or folder / "environment")
        for name, seed in SEEDS.items():
            (folder / name).mkdir()
            for number, picture in enumerate(standin.blobs(count, seed)):
                Image.fromarray(picture).save(str(folder / name / f"{number:05d}.png"))
        torch = stack.enter_context(TorchSide(python, folder))
        theirs = torch.answer("scores")
        if arguments.write_golden:
            write_golden(arguments.write_golden, theirs, np.load(str(folder / "generated.npz")))
        else:
            compare(count, arguments.rounds, torch, theirs, folder)


def compare(count, rounds, torch, theirs, folder) -> None:
    """Print both sides' scores and speeds as a table."""
    from biggan_cli.metrics.inception import Inception
    from biggan_cli.runtime.device import cpu_cores
    from biggan_cli.runtime.tf import tf

    images = {name: standin.blobs(count, seed) for name, seed in SEEDS.items()}
    graph = standin.full_graph()
    if standin.weights_digest(standin.weights_of(graph)) != theirs["weights_sha256"]:
        sys.exit("the two sides do not have the same weights")
    with Inception(graph.SerializeToString(), "stand-in") as inception:
        found = {name: inception.features_and_logits(pictures) for name, pictures in images.items()}
        batch = standin.blobs(BATCH, SEEDS["generated"])
        seconds = {"theirs": [], "ours": []}
        for _ in range(rounds + 1):
            seconds["theirs"].append(torch.answer("time"))
            started = time.perf_counter()
            inception.features_and_logits(batch)
            seconds["ours"].append(time.perf_counter() - started)
    versions = theirs["made_with"]
    print(
        f"| {count} + {count} images | torch-fidelity {versions['torch_fidelity']}, torch {versions['torch']} ", end=""
    )
    print(f"| biggan, TensorFlow {tf.__version__}, NumPy {np.__version__} | relative difference |\n|---|---|---|---|")
    for metric, values in our_scores(found).items():
        for part, value in values.items():
            other = theirs["scores"][metric][part]
            difference = "equal" if value == other else f"{abs(value - other) / abs(other):.1e}"
            print(f"| {metric.replace('_', ' ')}: {part} | {other:.10g} | {value:.10g} | {difference} |")
    speeds = {side: BATCH / statistics.median(taken[1:]) for side, taken in seconds.items()}  # the first warms up
    print(f"| images a second, {cpu_cores()} cores, batches of {BATCH} ", end="")
    print(f"| {speeds['theirs']:.2f} | {speeds['ours']:.2f} | {speeds['ours'] / speeds['theirs']:.2f} times as fast |")
    print()
    for name in SEEDS:
        for what, ours in zip(("features", "logits"), found[name]):
            wanted = np.load(str(folder / f"{name}.npz"))[what].astype(np.float64)
            largest = np.abs(ours - wanted).max() / np.abs(wanted).max()
            whole = np.linalg.norm(ours - wanted) / np.linalg.norm(wanted)
            print(
                f"{what}, {name}: largest difference {largest:.1e} of the largest value, in all {whole:.1e} (Frobenius)"
            )


def our_scores(found):
    """The same scores by the same names as ``torch_side`` has them; ``found``: set → (features, logits)."""
    from biggan_cli.metrics import fid, kid
    from biggan_cli.metrics.inception_score import InceptionScoreSums
    from biggan_cli.metrics.precision_recall import precision_recall

    def inception_score(shuffle_seed):
        sums = InceptionScoreSums(len(logits), shuffle_seed=shuffle_seed)
        sums.add(logits)
        return sums.result()._asdict()

    (generated, logits), (real, _) = found["generated"], found["real"]
    distance = fid.frechet_distance(fid.statistics(generated), fid.statistics(real))
    return dict(
        inception_score=inception_score(2020),
        inception_score_order_given=inception_score(None),
        frechet_distance=dict(value=distance.value),
        kernel_distance=kid.kernel_distance(generated, real, SUBSETS, len(real) // 2)._asdict(),
        precision_recall=precision_recall(generated, real)._asdict(),
    )


def write_golden(path: Path, theirs, generated) -> None:
    """A line for each metric."""
    images = {
        name: dict(seed=seed, sha256=hashlib.sha256(standin.blobs(GOLDEN_COUNT, seed).tobytes()).hexdigest())
        for name, seed in SEEDS.items()
    }
    golden = dict(
        made_with=theirs["made_with"],
        weights_sha256=theirs["weights_sha256"],
        images=dict(count=GOLDEN_COUNT, **images),
        **theirs["scores"],
    )
    golden["kernel_distance"].update(subsets=SUBSETS, size=GOLDEN_COUNT // 2)
    for what in ("features", "logits"):
        values = generated[what]
        golden[what] = dict(
            largest=nine_digits(np.abs(values).max()),
            every=EVERY,
            some=nine_digits(values[:4, ::EVERY]),
            norms=nine_digits(np.linalg.norm(values.astype(np.float64), axis=1)),
        )
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in golden.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def nine_digits(values):
    """For JSON: as many digits as a float32 has."""
    return float(f"{values:.9g}") if np.ndim(values) == 0 else [nine_digits(value) for value in values]


def torch_environment(folder: Path) -> str:
    """The interpreter of an environment that has torch-fidelity, made where there is none."""
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        base = sys.executable if sys.version_info >= (3, 9) else "python3"
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*install, "torch", "torchvision", "torch-fidelity"]).returncode:
            print("without torchvision, which torch-fidelity reads PNG files with", file=sys.stderr)
            subprocess.run([*install, "torch", "numpy", "pillow", "tqdm"], check=True)
            subprocess.run([*install, "--no-deps", "torch-fidelity"], check=True)
    return python


class TorchSide:
    """This file in the other interpreter: a question a line, an answer a line."""

    def __init__(self, python: str, folder: Path):
        command = [python, "-W", "ignore", str(Path(__file__).resolve()), "--torch-side", str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
        )

    def __enter__(self) -> "TorchSide":
        return self

    def __exit__(self, *exception) -> None:
        self._process.communicate()

    def answer(self, question: str):
        print(question, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self._process.args[0]} gave up, see above")
        return json.loads(line)


def torch_side(folder: Path) -> None:
    """Answer ``scores`` and ``time`` until stdin ends; features and logits are left in the folder."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    import_torch_fidelity()
    from torch_fidelity.utils import create_feature_extractor

    weights, file = standin.weights(), folder / "weights.pth"
    torch.save(state_dict(weights, file), str(file))
    settings = dict(feature_extractor_weights_path=str(file), cuda=False, verbose=False)
    network = create_feature_extractor("inception-v3-compat", ["2048", "logits_unbiased"], **settings)
    batch = torch.from_numpy(standin.blobs(BATCH, SEEDS["generated"])).permute(0, 3, 1, 2)
    for question in sys.stdin:
        if question == "time\n":
            started = time.perf_counter()
            with torch.no_grad():
                network(batch)
            answer = time.perf_counter() - started
        else:
            answer = dict(their_scores(folder, network, settings), weights_sha256=standin.weights_digest(weights))
        print(json.dumps(answer), flush=True)


def their_scores(folder: Path, network, settings):
    """From the PNG files on, by its public function; what it computes of a picture, it keeps for the next call."""
    import torch
    import torch_fidelity
    from torch_fidelity.utils import extract_featuresdict_from_input_id_cached

    count = len(list((folder / "real").iterdir()))
    settings = dict(settings, cache_root=str(folder / "cache"))
    for number, name in enumerate(SEEDS, 1):
        settings.update({f"input{number}": str(folder / name), f"input{number}_cache_name": name})
    found = torch_fidelity.calculate_metrics(
        feature_extractor="inception-v3-compat",
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        kid_subsets=SUBSETS,
        kid_subset_size=count // 2,
        **settings,
    )
    unshuffled = torch_fidelity.calculate_metrics(isc=True, samples_shuffle=False, **settings)
    for number, name in enumerate(SEEDS, 1):
        kept = extract_featuresdict_from_input_id_cached(number, network, **settings)
        np.savez(str(folder / name), features=kept["2048"].numpy(), logits=kept["logits_unbiased"].numpy())
    made_with = dict(torch_fidelity=torch_fidelity.__version__, torch=torch.__version__, numpy=np.__version__)
    scores = dict(
        inception_score=dict(mean=found["inception_score_mean"], std=found["inception_score_std"]),
        inception_score_order_given=dict(
            mean=unshuffled["inception_score_mean"], std=unshuffled["inception_score_std"]
        ),
        frechet_distance=dict(value=found["frechet_inception_distance"]),
        kernel_distance=dict(mean=found["kernel_inception_distance_mean"], std=found["kernel_inception_distance_std"]),
        precision_recall=dict(precision=found["precision"], recall=found["recall"]),
    )
    return dict(made_with=made_with, scores=scores)


def state_dict(weights, empty: Path):
    """torch-fidelity's names for the weights: its convolutions come in the order of the graph's."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, *arguments, **keywords):
            """Weights are not there yet; without a file of some it would fetch its own."""

    torch.save({}, str(empty))
    modules = Unloaded("names", ["2048"], feature_extractor_weights_path=str(empty)).named_modules()
    theirs = [name for name, module in modules if type(module).__name__ == "BasicConv2d"]
    ours = [layer.name for layer in standin.layers() if isinstance(layer, standin.Conv)]
    assert len(theirs) == len(ours)
    values = {"fc.weight": weights["softmax/weights"].T, "fc.bias": weights["softmax/biases"]}
    for their, our in zip(theirs, ours):
        values[their + ".conv.weight"] = weights[our + "/conv2d_params"].transpose(3, 2, 0, 1)
        values[their + ".bn.weight"] = weights[our + "/batchnorm/gamma"]
        values[their + ".bn.bias"] = weights[our + "/batchnorm/beta"]
        values[their + ".bn.running_mean"] = weights[our + "/batchnorm/moving_mean"]
        values[their + ".bn.running_var"] = weights[our + "/batchnorm/moving_variance"]
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in values.items()}


def import_torch_fidelity() -> None:
    """With what it needs of torchvision to read PNG files, where there is no torchvision for this torch."""
    import torch

    try:
        import torchvision
    except Exception:  # one made for another torch raises whatever it likes
        names = ("torchvision", "datasets", "transforms", "transforms.functional")
        torchvision, datasets, transforms, functional = map(types.ModuleType, names)
        for name in ("CIFAR10", "CIFAR100", "STL10"):
            setattr(datasets, name, type(name, (), {}))
        functional.pil_to_tensor = lambda picture: torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
        transforms.Compose = lambda steps: lambda x: reduce(lambda value, step: step(value), steps, x)
        transforms.functional = functional
        torchvision.datasets, torchvision.transforms = datasets, transforms
        sys.modules["torchvision"] = torchvision
        sys.modules.update(
            {
                "torchvision.datasets": datasets,
                "torchvision.transforms": transforms,
                "torchvision.transforms.functional": functional,
            }
        )
    import torch_fidelity  # noqa: F401


if __name__ == "__main__":
    main()
