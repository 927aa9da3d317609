"""What ModelArts adds to the command line of a job: its two folders, and arguments that are not ours."""

from typing import List, NamedTuple, Optional, Tuple

from biggan_cli.cli.help import Command
from biggan_cli.cli.parsing import too_many
from biggan_cli.runtime import storage

PANEL = "ModelArts"
DATA_URL = "--data_url"
TRAIN_URL = "--train_url"


class JobCommand(Command):
    """A command that, as a job of ModelArts and only there, takes arguments that it does not know."""

    stray_flag = "--data"

    def parse_args(self, ctx, args):
        if storage.on_modelarts() or any(word.partition("=")[0] in (DATA_URL, TRAIN_URL) for word in args):
            ctx.ignore_unknown_options = ctx.allow_extra_args = True
        return super().parse_args(ctx, args)


class Places(NamedTuple):
    """Where the data are and the runs go; ``notes`` are what must be said of the arguments."""

    data: Optional[str]
    outdir: str
    notes: Tuple[str, ...]


def places(
    unknown: List[str], data: Optional[str], outdir: Optional[str], data_url: Optional[str], train_url: Optional[str]
) -> Places:
    """The platform's folders where there are none of ours.

    Args:
        unknown: the words that the parser left.

    Raises:
        UsageError: one of them is not an option.
    """
    notes = []
    if unknown:
        notes.append("not options of biggan, taken for the platform's and ignored: " + ", ".join(_options(unknown)))
    for flag, url, own_flag, own in ((DATA_URL, data_url, "--data", data), (TRAIN_URL, train_url, "--outdir", outdir)):
        if url and own is not None:
            notes.append(f"{flag} {url} is not used: {own_flag} {own} is")
    if data is None and data_url:
        data = f"cifar10:{data_url}"
    return Places(data, outdir or train_url or "runs", tuple(notes))


def _options(words: List[str]) -> List[str]:
    """``--x=y`` and ``--x y``, each as one; ``--x`` alone."""
    options: List[str] = []
    takes_value = False
    for word in words:
        if word.startswith("--") and len(word) > 2:
            options.append(word)
            takes_value = "=" not in word
        elif takes_value:
            options[-1] += " " + word
            takes_value = False
        else:
            raise too_many("biggan train", [word], JobCommand.stray_flag)
    return options
