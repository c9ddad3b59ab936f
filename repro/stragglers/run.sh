#!/bin/sh
# The straggler studies at the size of the released recipe. One folder per study and data set in runs/stragglers (or in
# the folder given); what is there already is gone on with or left alone, so this can be stopped and started again.
#
#   repro/stragglers/run.sh [FOLDER] [STUDY ...]        data sets: DATA="mnist fashion-mnist cifar-10"
#
# CIFAR-10 (tests/fetch_data.sh cifar-10) is grey as in the recipe, and has fewer networks: few of its inputs are equal, so that
# none can be skipped. The embedded digits have the commands' own defaults. What came out is beside this file (README.md).
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
        [ "$data" = digits ] || set -- --data "data/$data" --train-samples 8192 --seed 1 "$@"
        "$bin" stragglers "$name" --out "$folder" "$@"
    fi
}

for name in $studies; do
    for data in ${DATA:-mnist fashion-mnist cifar-10 digits}; do
        # Networks of find and of removal, pairs, networks of generalisation.
        case $data in
        digits) set -- ;;
        cifar-10) set -- 4 4 20 1 ;;
        fashion-mnist) set -- 16 10 100 3 ;;
        *) set -- 16 10 500 10 ;;
        esac
        case $name-$data in
        find-digits | removal-digits) study "$name" digits ;;
        stability-digits) study stability digits --pairs 100 ;;
        generalisation-digits) study generalisation digits --replicas 10 ;;
        find-*) study find "$data" --lr 0.1 --epochs 500 --replicas "$1" ;;
        removal-*) study removal "$data" --lr 0.1 --epochs 300 --replicas "$2" --draws 3 ;;
        stability-*) study stability "$data" --lr 0.2 --pairs "$3" ;;
        generalisation-*) study generalisation "$data" --lr 0.2 --epochs 500 --replicas "$4" --arms removed,random ;;
        *)
            echo "$name: expected find, removal, stability or generalisation" >&2
            exit 2
            ;;
        esac
    done
done
