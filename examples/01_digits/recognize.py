"""How many of the last samples show the digit that was asked for, by the shipped digit classifier."""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from biggan_cli.metrics.digit_classifier import features_and_logits
from biggan_cli.rundir import open_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="a run; none: the latest")
    parser.add_argument("--outdir", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    run = open_run(arguments.run, arguments.outdir)
    folder = max((run.path / "sample").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime).parent
    index = json.loads((folder / "index.json").read_text())
    pictures = np.stack([np.asarray(Image.open(folder / entry["file"])) for entry in index])
    labels = np.array([entry["label"] for entry in index])
    right = features_and_logits(pictures)[1].argmax(axis=1) == labels
    print("share of the samples of each class that a digit classifier takes for it:")
    for label in np.unique(labels):
        print(f"{index[int(np.flatnonzero(labels == label)[0])]['class_name']:6} {right[labels == label].mean():.3f}")
    print(f"recognized as asked: {right.mean():.3f} of {len(labels)} samples in {folder}")


if __name__ == "__main__":
    main()
