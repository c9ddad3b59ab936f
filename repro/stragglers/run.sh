#!/bin/sh
# The straggler studies at the size of the released recipe. One folder per study and data set in runs/stragglers (or in
# the folder given); what is there already is gone on with or left alone, so this can be stopped and started again.
#
#   repro/stragglers/run.sh [FOLDER] [STUDY ...]
#
# It has not been run to the end yet, so nothing is committed beside this file.
set -eu
cd "$(dirname "$0")/../.."
out=${1:-runs/stragglers}
[ $# -gt 0 ] && shift
studies=${*:-find removal stability generalisation}
bin=${DISENTANGLE:-target/release/disentangle}
mkdir -p "$out"

study() {
    name=$1
    data=$2
    shift 2
    folder=$out/$name-$data
    if [ -f "$folder/report.html" ] && [ ! -d "$folder/parts" ]; then
        echo "$folder is complete"
    elif [ -f "$folder/config.toml" ]; then
        "$bin" stragglers "$name" --resume --out "$folder"
    else
        "$bin" stragglers "$name" --data "data/$data" --train-samples 8192 --seed 1 --out "$folder" "$@"
    fi
}

for name in $studies; do
    for data in mnist fashion-mnist; do
        case $name in
        find) study find $data --lr 0.1 --epochs 500 --replicas 16 ;;
        removal) study removal $data --lr 0.1 --epochs 300 --replicas 10 --draws 3 ;;
        stability) study stability $data --lr 0.2 --pairs 500 ;;
        generalisation) study generalisation $data --lr 0.2 --epochs 500 --replicas 10 --arms removed,random ;;
        *)
            echo "$name: expected find, removal, stability or generalisation" >&2
            exit 2
            ;;
        esac
    done
done
