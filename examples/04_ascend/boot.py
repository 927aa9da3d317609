"""The boot file of a job on ModelArts: put it beside the folder biggan_cli; what the job is given comes after it."""

import sys

from biggan_cli.cli.app import main

sys.argv[1:1] = ["train", "--device", "npu", "--require-npu"]
main()
