"""What a reader of a score must know: why it compares with no published one, and what else weakens it."""

from typing import List, NamedTuple, Optional

from biggan_cli import config as configs
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.features import resized_to
from biggan_cli.core.references import Reference
from biggan_cli.core.run_sources import UNKNOWN, Source, truncation_words
from biggan_cli.core.score_words import px
from biggan_cli.metrics import inception
from biggan_cli.protocols import CIFAR10_SIZE, CIFAR10_TEST, FULL, TEST, Protocol
from biggan_cli.settings import ScoreConfig

FEW_IN_A_SPLIT = 100


class Job(NamedTuple):
    """What all sources are measured with."""

    settings: ScoreConfig
    protocol: Optional[Protocol]
    extractor: Extractor
    reference: Optional[Reference]


def why_incomparable(source: Source, job: Job) -> List[str]:
    """Each reason why published numbers are of something else, whichever of the metrics it is about."""
    settings, protocol, reference = job.settings, job.protocol, job.reference
    reasons = [job.extractor.why_incomparable(), protocol.incomparable if protocol else None]
    if job.extractor.name == inception.NAME:
        reasons += _unlike_published(source, reference, protocol)
    if source.lossless is False and not (protocol and protocol.jpeg):
        reasons.append("some pictures went through a lossy format, which alone can change FID by several points")
    if reference and reference.lossless is False:
        reasons.append("some pictures of the reference went through a lossy format")
    if source.facts.get("emulated"):
        reasons.append("the offline model is emulated: no device computed it")
    truncation, trained = source.facts.get("truncation"), source.facts.get("trained_truncation")
    if truncation != trained:
        trained = configs.truncation_text(trained)
        reasons.append(f"truncation {truncation_words(truncation)}, where the training had {trained}")
    if source.facts.get("own_classes"):
        reasons.append("the classes were chosen, not as often as each other")
    if settings.splits != 10 and "is" in settings.metrics:
        reasons.append(f"{settings.splits} splits instead of 10")
    if "kid" in settings.metrics and (settings.kid_subsets, settings.kid_subset_size) != (100, 1000):
        reasons.append(f"KID of {settings.kid_subsets} subsets of {settings.kid_subset_size} instead of 100 of 1000")
    if "pr" in settings.metrics and job.extractor.name == inception.NAME:
        reasons.append("precision and recall have no usual way: most are of VGG-16's features, with 3 neighbours")
    return [reason for reason in reasons if reason]


def _unlike_published(source: Source, reference: Optional[Reference], protocol: Optional[Protocol]) -> List[str]:
    """What differs from the ways in which scores of CIFAR-10 are published."""
    reasons = []
    published = reference.published if reference else None
    usual, what = (TEST, "against the test set") if published == CIFAR10_TEST else (FULL, "against the training set")
    if source.count != usual:
        what = what if reference else "of Inception"
        reasons.append(f"{source.count:,} images, where published scores {what} are of {usual:,}")
    trained_on = source.facts.get("trained_on")
    if trained_on not in (None, "cifar10"):
        reasons.append(f"the run was trained on {trained_on}, published scores are of CIFAR-10")
    if reference and published is None:
        reasons.append(f"the reference is not CIFAR-10's complete training or test set, but {reference.name}")
    of_cifar10 = published or trained_on == "cifar10" or (protocol and protocol.reference)
    if of_cifar10 and source.size != CIFAR10_SIZE:
        reasons.append(f"the pictures are not of {px(CIFAR10_SIZE)}, as those of CIFAR-10 are")
    return reasons


def warnings(source: Source, job: Job) -> List[str]:
    """What else a reader should know."""
    found, reference, features = [], job.reference, job.extractor.features
    if "fid" in job.settings.metrics:
        counts = [("images", source.count), ("images of the reference", reference.count or features)]
        found += [
            f"{count:,} {what} are fewer than the {features:,} features: their covariance is singular, FID is much too "
            "high, and good only to follow a run"
            for what, count in counts
            if count < features
        ]
    each = source.count // job.settings.splits
    if "is" in job.settings.metrics and each < FEW_IN_A_SPLIT:
        found.append(f"{each} images in a split: the Inception Score cannot be more than that")
    truncation, measured = source.facts.get("truncation"), source.facts.get("batch_norm_truncation")
    if source.facts.get("batch_norm") == "standing" and truncation not in (UNKNOWN, measured):
        text = configs.truncation_text(measured)
        found.append(f"the batch-norm statistics are of truncation {text}, z is not")
    if truncation is not None and truncation == source.facts.get("trained_truncation"):
        found.append(f"z is truncated at {truncation_words(truncation)}, as in training")
    resized = resized_to(source.pictures, job.extractor) if source.pictures else None
    if resized:
        found.append(
            f"the pictures are resized from {px(source.size)} to {px((resized, resized))}, which the network takes"
        )
    different = reference and reference.size and source.size and reference.size != source.size
    if different and not (reference.published or resized):
        found.append(f"the pictures are of {px(source.size)}, those of the reference of {px(reference.size)}")
    return found
