"""What corrections of the reference, and options of the recipe, are worth on the digits: accuracy and FID of each.

FID is computed in the features of the shipped digit classifier: comparable within this table and with nothing else.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core import train
from biggan_cli.core.generators import open_generator
from biggan_cli.core.reporting import silent
from biggan_cli.data import datasets, images
from biggan_cli.metrics.digit_classifier import features_and_logits
from biggan_cli.metrics.fid import frechet_distance, statistics
from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from biggan_cli.rundir import RunDir
from biggan_cli.settings import DrawConfig, NpuConfig

SIZE = dict(data="digits", base_channels=8, batch=32, save_every=10000, sample_every=10000)
GAIN, RELU = dict(gain_start=0.0), dict(relu_on_image=True)
CORRECTIONS = (
    ("reference, as documented", "seed", dict(GAIN, **RELU)),
    ("+ gain centred on 1", "seed", RELU),
    ("+ no ReLU on the image", "seed", {}),
    ("+ digits recipe", "digits", {}),
    ("digits recipe, gain not centred", "digits", GAIN),
    ("digits recipe, ReLU on the image", "digits", RELU),
)
OPTIONS = (
    ("`--preset seed`", "seed", {}),
    ("`--preset digits`", "digits", {}),
    ("`--flip`", "digits", dict(flip=True)),
    ("`--augment color`", "digits", dict(augment="color")),
    ("`--augment translation`", "digits", dict(augment="translation")),
    ("`--augment cutout`", "digits", dict(augment="cutout")),
    ("`--lecam 0.3 --lecam-start 100`", "digits", dict(lecam=0.3, lecam_start=100)),
    ("`--consistency 10`", "digits", dict(consistency=10.0)),
    ("`--d-base-channels 4`", "digits", dict(d_base_channels=4)),
    ("`--d-steps 4`", "digits", dict(d_steps=4)),
    ("`--g-lr 2e-3 --d-lr 2e-3`", "digits", dict(g_lr=2e-3, d_lr=2e-3)),
    ("`--beta2 0.999`", "digits", dict(beta2=0.999)),
    ("`--lr-decay` over the second half", "digits", dict(lr_decay="half")),
    ("`--orthogonal 0`", "digits", dict(orthogonal=0.0)),
    ("`--truncation none`", "digits", dict(truncation=None)),
    ("`--ema-start 100`", "digits", dict(ema_start=100)),
)
TABLES = dict(corrections=CORRECTIONS, options=OPTIONS)


def score(run: RunDir, real, samples: int) -> dict:
    """Accuracy and FID of as many samples, from EMA weights with standing statistics."""
    seeds = range(samples)
    with open_generator(run, DrawConfig(), [], silent) as opened:
        model = opened.sampler.model
        z, y = z_of_seeds(seeds, model.z_dim, opened.draw.truncation), classes_of_seeds(seeds, model.num_classes)
        pictures = np.concatenate([images.to_uint8(batch) for batch in opened.sampler.images(z, y)])
    features, logits = features_and_logits(pictures)
    distance = frechet_distance(real, statistics(features))
    return dict(accuracy=float(np.mean(logits.argmax(axis=1) == y)), fid=distance.value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", type=int, default=None, help="the first so many")
    parser.add_argument("--samples", type=int, default=4500)
    parser.add_argument("--outdir", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    real = statistics(features_and_logits(datasets.load("digits", 32).images)[0])
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    record = arguments.outdir / f"{arguments.table}.jsonl"
    done = [json.loads(line) for line in record.read_text().splitlines()] if record.is_file() else []
    print(
        f"| digits, 32 px, ch 8, batch 32, {arguments.steps} steps | accuracy | FID (digit classifier) |\n|---|---|---|"
    )
    for name, preset, values in TABLES[arguments.table][: arguments.variants]:
        scores = []
        for seed in range(arguments.seeds):
            asked = dict(variant=name, seed=seed, steps=arguments.steps, samples=arguments.samples)
            known = [entry for entry in done if {key: entry.get(key) for key in asked} == asked]
            if known:  # of an earlier call that was interrupted
                scores.append(known[0])
                continue
            if "lr_decay" in values:
                values = dict(values, lr_decay=f"{arguments.steps // 2}:{arguments.steps}")
            config = configs.resolve(preset, dict(SIZE, steps=arguments.steps, seed=seed, **values))
            run = train.start(config, NpuConfig(), arguments.outdir, dry_run=False, report=silent).run
            scores.append(dict(score(RunDir(run), real, arguments.samples), run=run, **asked))
            with record.open("a") as handle:
                handle.write(json.dumps(scores[-1]) + "\n")
        cells = []
        for key, digits in (("accuracy", 3), ("fid", 1)):
            found = [entry[key] for entry in scores]
            cells.append(f"{np.mean(found):.{digits}f} ± {np.std(found):.{digits}f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
