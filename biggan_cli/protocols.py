"""Named ways of scoring, and what a score must be to compare with published ones."""

from typing import Dict, NamedTuple, Optional, Union

from biggan_cli.errors import UsageError

FULL, TEST = 50000, 10000
"""Images of the two protocols that CIFAR-10 scores are published in."""
CIFAR10_TRAIN, CIFAR10_TEST = "cifar10-train", "cifar10-test"
CIFAR10_SIZE = (32, 32)
OWN_NUM = 5000
"""Images by default where nobody's numbers are to be met: with the digit classifier."""


class Protocol(NamedTuple):
    """What a name fixes. ``jpeg`` is a quality, ``floor`` the rounding to levels that leaves out half a level.

    ``hundreds``: the distance leaves out what is over a multiple of 100. ``truncation`` "run": as in training.
    """

    about: str
    num: int
    reference: Optional[str] = None
    shuffle: bool = True
    truncation: Union[float, str, None] = "run"
    floor: bool = False
    jpeg: Optional[int] = None
    hundreds: bool = False
    incomparable: Optional[str] = None


PROTOCOLS: Dict[str, Protocol] = {
    "cifar10-50k-train": Protocol("50,000 images against the training set, as most papers", FULL, CIFAR10_TRAIN),
    "cifar10-10k-test": Protocol(
        "10,000 images against the test set, as DiffAugment and clean-fid", TEST, CIFAR10_TEST
    ),
    "seed": Protocol(
        "what the BigGAN for Ascend 910 (AnimeFaceGAN_ID1062) did: 4,992 images of truncated z, levels rounded down, "
        "JPEG of quality 75, order as drawn, FID of the first 4,900",
        4992,
        shuffle=False,
        truncation=2.0,
        floor=True,
        jpeg=75,
        hundreds=True,
        incomparable="it follows the seed's procedure: few images, rounded down, through JPEG",
    ),
}


def find(name: Optional[str]) -> Optional[Protocol]:
    """The protocol of a name; None of none.

    Raises:
        UsageError: no protocol has this name.
    """
    if name is None:
        return None
    if name not in PROTOCOLS:
        raise UsageError(f"--protocol {name} is not one of {', '.join(PROTOCOLS)}", fix="--protocol cifar10-50k-train")
    return PROTOCOLS[name]
