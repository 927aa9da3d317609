#!/bin/sh
# The life of a small BigGAN on the built-in digits: train, draw, morph, and count what is recognised.
set -eu
runs=${BIGGAN_RUNS:-runs}
here=$(dirname "$0")

command -v biggan >/dev/null || { echo "error: no biggan on PATH; make setup makes one and says how to have it there" >&2; exit 127; }
biggan train --preset digits --outdir "$runs" "$@"
biggan sample --num 1000 --outdir "$runs"
biggan interpolate --from three --to eight --outdir "$runs"
python "$here/recognize.py" --outdir "$runs"
