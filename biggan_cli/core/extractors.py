"""The networks that look at pictures: which one is meant, and what its numbers can be compared with."""

from typing import Any, Callable, Dict, NamedTuple, Optional

from biggan_cli.core.reporting import Report
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import expanded, sha256
from biggan_cli.metrics import digit_classifier, inception, published
from biggan_cli.metrics.feature_file import FeatureFile
from biggan_cli.runtime.device import require
from biggan_cli.settings import ExtractorConfig


def usual(data: Optional[str]) -> str:
    """The network for pictures of these data, and of what was trained on them, where none is named."""
    return digit_classifier.NAME if data == "digits" else inception.NAME


class Extractor(NamedTuple):
    """A network that was chosen; ``open`` gives it in a session, as a context manager."""

    name: str
    sha256: str
    official: bool
    features: int
    """The length of a picture's features."""
    resolution: Optional[int]
    """The only size of pictures that it takes; None: it takes any."""
    open: Callable[[], Any]

    def title(self) -> str:
        """For tables and sentences."""
        short = f"sha256 {self.sha256[:12]}"
        if self.name == digit_classifier.NAME:
            return f"digit classifier, not Inception ({short})"
        return f"Inception 2015-12-05, official ({short})" if self.official else f"Inception, not official ({short})"

    def about(self) -> Dict[str, Any]:
        """For records."""
        return dict(name=self.name, sha256=self.sha256, official=self.official)

    def why_incomparable(self) -> Optional[str]:
        """Why its numbers compare with nobody's; None where they do."""
        if self.name == digit_classifier.NAME:
            return "the features are those of the shipped digit classifier, not of Inception"
        if not self.official:
            return f"this is not the Inception graph of 2015-12-05 (sha256 {self.sha256[:12]}…)"
        return None


def choose(settings: ExtractorConfig, default: str, report: Report) -> Extractor:
    """The network that is asked for, found and known by its digest; ``default`` where none is named.

    Nothing is computed yet: that it is not there is told before anything heavy is loaded.

    Raises:
        NotReady: there is no Inception graph.
        UsageError: the file is another network, or options do not go together.
        StepFailed: the file is damaged.
    """
    asked = expanded(settings.inception) if settings.inception else None
    if (settings.name or default) == digit_classifier.NAME:
        if asked or settings.fetch:
            flag = "--fetch-inception" if settings.fetch else "--inception"
            raise UsageError(f"{flag} does not go with the digit classifier", fix="--extractor inception")
        require(settings.device)
        network = digit_classifier.DigitClassifier
        return Extractor(digit_classifier.NAME, sha256(digit_classifier.GRAPH), False, 64, network.resolution, network)
    if settings.fetch and asked:
        raise UsageError("--inception names the file that --fetch-inception would bring", fix="leave one out")
    if settings.fetch:
        asked = published.fetch_inception(
            lambda done, total: report("advance", what="fetching Inception", done=done, total=total)
        )
    found = published.find_inception(asked)
    label = f"--inception {found.path}" if settings.inception else str(found.path)

    digest, official = found.sha256, found.official
    del found  # it is large
    require(settings.device)

    def open_it() -> inception.Inception:  # read again: a hundred megabytes are not kept in memory meanwhile
        again = published.find_inception(asked)
        if again.sha256 != digest:
            raise StepFailed(f"{label} changed meanwhile", fix="the same command again")
        return inception.Inception(again.data, label, settings.device)

    return Extractor(inception.NAME, digest, official, inception.FEATURES, None, open_it)


def of_file(file: FeatureFile, settings: ExtractorConfig, report: Report) -> Extractor:
    """The network that made a file of features; it need not be here unless something else is to be looked at.

    Raises:
        UsageError: the file does not say, or another network is asked for.
    """
    made_by = file.about.get("extractor")
    if made_by is None:
        raise UsageError(f"{file.path} does not say which network made its features", fix="biggan stats makes one")
    name, digest = made_by["name"], made_by["sha256"]
    if settings.name not in (None, name):
        raise UsageError(
            f"{file.path} has features of {name}, not of --extractor {settings.name}", fix="leave --extractor out"
        )

    def chosen() -> Extractor:
        found = choose(settings, name, report)
        if found.sha256 != digest:
            raise UsageError(
                f"{file.path} was made with another network: sha256 {digest[:12]}…, this one has {found.sha256[:12]}…",
                fix="--inception with the graph that made it",
            )
        return found

    if settings.inception or settings.fetch:
        chosen()
    resolution = digit_classifier.DigitClassifier.resolution if name == digit_classifier.NAME else None
    return Extractor(name, digest, digest == published.GRAPH_SHA256, file.size, resolution, lambda: chosen().open())
