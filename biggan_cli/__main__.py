"""``python -m biggan_cli`` is the same as ``biggan``."""

from biggan_cli.cli.app import main

main()
