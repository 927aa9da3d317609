"""Named recipes: where they come from, what they are known to give, and what that costs."""

from typing import Any, Mapping, NamedTuple


class Preset(NamedTuple):
    """Named values; where they come from, what they are known to give, and what that costs."""

    source: str
    reaches: str
    cost: str
    values: Mapping[str, Any]


_CIFAR10 = dict(
    z_dim=80,
    d_base_channels=48,
    d_steps=5,
    g_lr=2e-4,
    d_lr=2e-4,
    beta1=0.5,
    beta2=0.999,
    orthogonal=0.0,
    flip=True,
    truncation=None,
    ema_start=1000,
)
_IMAGENET = dict(num_classes=1000, beta2=0.999, orthogonal=0.0, flip=True, truncation=None, ema_start=20000)
_PEER = "PyTorch-StudioGAN's BigGAN for CIFAR-10"
_UNTRIED = "not run here"

PRESETS = {
    "seed": Preset(
        source="the documented defaults of the BigGAN for Ascend 910 (AnimeFaceGAN_ID1062)",
        reaches=f"CIFAR-10 as published with the reference's own network: IS 6.98, FID 38.47; {_UNTRIED}",
        cost="published: 0.2 s a step on an Ascend 910, 0.35 s on a GPU that is not named: 5 to 10 hours",
        values={},
    ),
    "digits": Preset(
        source="tuned on the built-in digits",
        reaches="a digit classifier takes 0.961 of 1,000 samples for the asked digit, 0.987 after 1,500 steps",
        cost="two to three minutes on two cores",
        values=dict(
            data="digits",
            base_channels=8,
            steps=400,
            batch=32,
            g_lr=1e-3,
            d_lr=2e-3,
            ema_decay=0.98,
            save_every=100,
            sample_every=100,
            log_every=10,
        ),
    ),
    "cifar10-fast": Preset(
        source=f"{_PEER}, its first third",
        reaches=f"estimated from its log: FID 11 against the test set, 7 against the training set; {_UNTRIED}",
        cost="a third of cifar10's",
        values=dict(_CIFAR10, steps=30000),
    ),
    "cifar10": Preset(
        source=f"{_PEER}: a discriminator of half the width, 5 updates of it a step, equal rates, flips",
        reaches=f"published there: FID 4.16 against the training set, IS 9.96; {_UNTRIED}",
        cost="published there: 13 hours",
        values=_CIFAR10,
    ),
    "cifar10-best": Preset(
        source=f"{_PEER} with LeCam; --consistency 10 instead is its equal, at 1.7 times the time",
        reaches=f"published there: FID 3.23 against the training set, IS 10.17; {_UNTRIED}",
        cost="twice cifar10's",
        values=dict(_CIFAR10, steps=200000, lecam=0.3),
    ),
    "imagenet64": Preset(
        source="PyTorch-StudioGAN's BigGAN for ImageNet at 64 px",
        reaches=f"published there on 100 of the classes: FID 18.6; {_UNTRIED}",
        cost="published there on Tiny ImageNet: 45 hours; --batch-device for what one device holds",
        values=dict(
            _IMAGENET,
            resolution=64,
            base_channels=80,
            z_dim=100,
            batch=1024,
            batch_device=128,
            d_steps=1,
        ),
    ),
    "imagenet128": Preset(
        source="PyTorch-StudioGAN's BigGAN for ImageNet at 128 px, batch 256",
        reaches=f"published there: FID 16 to 25 (8 with batch 2048 in 30 days); {_UNTRIED}",
        cost="published there: a week; --batch-device for what one device holds",
        values=dict(
            _IMAGENET,
            resolution=128,
            steps=200000,
            batch=256,
            batch_device=64,
            g_lr=5e-5,
            d_lr=2e-4,
        ),
    ),
}
