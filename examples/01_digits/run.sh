#!/bin/sh
# The life of a small BigGAN on the built-in digits: train, draw, morph, count what is recognised, and go all the way
# to the outputs of an offline model; its scores are compared with the checkpoint's, and a report shows all of it. CPU
# stand-ins take the place of atc and msame; BIGGAN_TOOLCHAIN=auto takes the real ones.
set -eu
runs=${BIGGAN_RUNS:-runs}
here=$(dirname "$0")

step() {
    printf '\n$ %s\n' "$*" >&2
    "$@"
}

command -v biggan >/dev/null || { echo "error: no biggan on PATH; make setup makes one and says how to have it there" >&2; exit 127; }
step biggan train --preset digits --outdir "$runs" "$@"
step biggan sample --num 1000 --outdir "$runs"
step biggan interpolate --from three --to eight --outdir "$runs"
step python "$here/recognize.py" --outdir "$runs"

BIGGAN_TOOLCHAIN=${BIGGAN_TOOLCHAIN:-emulator}
export BIGGAN_TOOLCHAIN
step biggan freeze --outdir "$runs"
step biggan to-bin --num 1000 --outdir "$runs"
step biggan atc --soc Ascend310 --outdir "$runs"
step biggan msame-run --outdir "$runs"
step biggan verify --outdir "$runs"
step biggan score --source checkpoint,pb,om --outdir "$runs"
step biggan report --outdir "$runs"
printf '\nopen it in a browser: %s\n' "$(ls -t "$runs"/*/report/report.html | head -n 1)" >&2
