"""``make torture``: many kills, and a table of them."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.torture import harness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("train", nargs="*", help="options of biggan train, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        try:
            kills = harness.run_torture(Path(folder), given.kills, given.steps, given.seed, given.train)
        except AssertionError as error:
            sys.exit(f"different: {error}")
        print("\n".join(harness.table(kills)))
        seconds = time.perf_counter() - began
        print(f"{len(kills)} kills in {given.steps} steps, and the same run as without: {seconds:.0f} s")


main()
