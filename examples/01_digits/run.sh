#!/bin/sh
# The life of a small BigGAN on the built-in digits: train, draw, morph, count what is recognised, and go all the way
# to the outputs of an offline model; its scores are compared with the checkpoint's, and a report shows all of it. CPU
# stand-ins take the place of atc and msame; BIGGAN_TOOLCHAIN=auto takes the real ones.
set -eu
runs=${BIGGAN_RUNS:-runs}
here=$(dirname "$0")

command -v biggan >/dev/null || { echo "error: no biggan on PATH; make setup makes one and says how to have it there" >&2; exit 127; }
biggan train --preset digits --outdir "$runs" "$@"
biggan sample --num 1000 --outdir "$runs"
biggan interpolate --from three --to eight --outdir "$runs"
python "$here/recognize.py" --outdir "$runs"

BIGGAN_TOOLCHAIN=${BIGGAN_TOOLCHAIN:-emulator}
export BIGGAN_TOOLCHAIN
biggan freeze --outdir "$runs"
biggan to-bin --num 1000 --outdir "$runs"
biggan atc --soc Ascend310 --outdir "$runs"
biggan msame-run --outdir "$runs"
biggan verify --outdir "$runs"
biggan score --source checkpoint,pb,om --outdir "$runs"
biggan report --outdir "$runs"
