"""``python -m biggan_cli`` is the same as ``biggan``."""

from biggan_cli.cli.app import main

if __name__ == "__main__":  # a worker process imports it too
    main()
