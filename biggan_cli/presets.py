"""Named recipes: where they come from, what they are known to give, and what that costs."""

from typing import Any, Mapping, NamedTuple


class Preset(NamedTuple):
    """Named values; where they come from, what they are known to give, and what that costs.

    ``data`` is the kind of data of which that is known (:func:`biggan_cli.data.datasets.origin`): of others it says
    nothing.
    """

    source: str
    data: str
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
_PUBLISHED = "published by PyTorch-StudioGAN"
_UNTRIED = "not run here"
DATA_NAMES = dict(cifar10="CIFAR-10", digits="the built-in digits", imagenet="ImageNet")
"""What the kinds of data are called in words."""

PRESETS = {
    "seed": Preset(
        source="the documented defaults of the BigGAN for Ascend 910 (AnimeFaceGAN_ID1062)",
        data="cifar10",
        reaches=f"CIFAR-10, published with the reference's own network: IS 6.98, FID 38.47; {_UNTRIED}",
        cost="published: 0.2 s a step on an Ascend 910, 0.35 s on a GPU that is not named: 5 to 10 hours",
        values={},
    ),
    "digits": Preset(
        source="tuned on the built-in digits",
        data="digits",
        reaches="the digits: a classifier takes 0.93 to 0.98 of 1,000 samples as asked, 0.987 after 1,500 steps",
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
        data="cifar10",
        reaches=f"CIFAR-10, estimated from its log: FID 11 against its test set, 7 its training set; {_UNTRIED}",
        cost="a third of cifar10's",
        values=dict(_CIFAR10, steps=30000),
    ),
    "cifar10": Preset(
        source=f"{_PEER}: a discriminator of half the width, 5 updates of it a step, equal rates, flips",
        data="cifar10",
        reaches=f"CIFAR-10, {_PUBLISHED}: FID 4.16 against the training set, IS 9.96; {_UNTRIED}",
        cost=f"{_PUBLISHED}: 13 hours on one GPU",
        values=_CIFAR10,
    ),
    "cifar10-best": Preset(
        source=f"{_PEER} with LeCam; --consistency 10 instead is its equal, at 1.7 times the time",
        data="cifar10",
        reaches=f"CIFAR-10, {_PUBLISHED}: FID 3.23 against the training set, IS 10.17; {_UNTRIED}",
        cost="twice cifar10's",
        values=dict(_CIFAR10, steps=200000, lecam=0.3),
    ),
    "imagenet64": Preset(
        source="PyTorch-StudioGAN's BigGAN for ImageNet at 64 px",
        data="imagenet",
        reaches=f"ImageNet, {_PUBLISHED} for 100 of the classes: FID 18.6; {_UNTRIED}",
        cost=f"{_PUBLISHED} for Tiny ImageNet: 45 hours; --batch-device for what one device holds",
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
        data="imagenet",
        reaches=f"ImageNet, {_PUBLISHED}: FID 16 to 25 (8 with batch 2048 in 30 days); {_UNTRIED}",
        cost=f"{_PUBLISHED}: a week; --batch-device for what one device holds",
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
