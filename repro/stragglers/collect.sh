#!/bin/sh
# Copies what is kept of finished studies beside this file: repro/stragglers/collect.sh FOLDER (that of run.sh). Pages, movies of numbers and
# tables with a row per network and epoch are left out; the commands make them again.
set -eu
from=${1:?the folder of run.sh}
to=$(dirname "$0")
for folder in "$from"/*-*/; do
    name=$(basename "$folder")
    [ -f "$folder/report.html" ] && [ ! -d "$folder/parts" ] || continue
    mkdir -p "$to/$name"
    cp -R "$folder/figures" "$folder/summary.json" "$folder/run.json" "$to/$name/"
    for table in "$folder"/*.csv; do
        case $(basename "$table") in
        epochs.csv | pairs.csv) ;;
        *) cp "$table" "$to/$name/" ;;
        esac
    done
done
