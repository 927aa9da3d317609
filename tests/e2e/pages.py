"""What the tests of pages share: the blocks of a page, the commands in them, and running them at a small size."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import biggan_cli

ROOT = Path(biggan_cli.__file__).parent.parent
READMES = ROOT / "README.md", ROOT / "README.zh-CN.md"
EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page, *languages):
    """The text of the fenced blocks of these languages, all if none is named, in order."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for language, text in found if not languages or language in languages]


def commands(page, *languages):
    """The arguments of every ``biggan …`` line, without its comment, of blocks of these languages, else of ``sh``."""
    for block in blocks(page, *(languages or ("sh",))):
        for line in block.splitlines():
            if line.startswith("biggan "):
                yield from _arguments(line)


def _arguments(line):
    for command in line.split(" | ")[0].split("&&"):
        yield shlex.split(command, comments=True)[1:]


def prose(page):
    """The page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page):
    """(target as written, the file, the anchor) of every link that stays in the project."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page)):
        name, _, anchor = target.partition("#")
        yield target, (page.parent / name).resolve() if name else page, anchor


def anchors(page):
    """Of all headings, as GitHub makes them."""
    headings = re.findall("^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run_page(page, clone, smaller, **variables):
    """Run the lines of a page's ``sh`` blocks but ``make``, in order, in a folder; the names of biggan's commands.

    Args:
        clone: :class:`tests.e2e.scoring.Bench`, its folder; there are ``examples`` and ``tests`` as in a clone.
        smaller: arguments of a command as they stand there → those to run.
        variables: of the environment.
    """
    for name in ("examples", "tests"):
        (clone.folder / name).symlink_to(ROOT / name)
    done, waiting = [], []
    for line in "".join(blocks(page, "sh")).splitlines():
        if line.startswith("biggan ") and " | " not in line:
            waiting += [smaller(arguments) for arguments in _arguments(line)]
        elif not line.startswith(("make ", "export ")):
            done += _run(clone, waiting, variables)
            waiting = []
            path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
            environment = clone.environment(PATH=path, **variables)
            environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(ROOT)])
            subprocess.run(line, shell=True, cwd=str(clone.folder), env=environment, check=True)
    return done + _run(clone, waiting, variables)


def _run(clone, waiting, variables):
    if waiting:
        clone.together(*waiting, **variables)
    return [arguments[0] for arguments in waiting]
