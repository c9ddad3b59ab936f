"""Files by NumPy and safetensors for the Rust code to read, and a check of files that it wrote.

    python formats.py write DIR
    python formats.py check DIR

`write` makes, for every type, byte order, index order, version of the format and some shapes, an npy file, and beside
it `.f64`, the values as row-major little-endian float64, and `.i64` where all are integers. `index.txt` has a line for
each: name, then sizes. There is one file with all 65,536 half-precision numbers, and stored and deflated npz archives,
a safetensors and a CSV file. The folder `cifar` holds small batches of random records in the binary format of CIFAR-10,
and `grey.f64` their training images as the recipe of the inversion has them: pixels over 255, standardised with the
mean and the unbiased deviation of each position over the images and channels, channels added up.

`check` reads `written.txt` (lines `name type sizes...`): each npy file must hold the bytes of `name.raw` in that type
and shape, and be the very file that numpy.save writes; then it compares `written.safetensors` with the same raw files.
"""

import io
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

TYPES = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
SHAPES = [(), (7,), (3, 4), (4, 1, 3), (2, 3, 4), (0, 3)]
VERSIONS = [(1, 0), (2, 0), (3, 0)]


def values(kind, shape, generator):
    count = int(np.prod(shape))
    if kind == "b1":
        return generator.integers(0, 2, count).astype(bool).reshape(shape)
    if kind[0] == "f":
        # Any bits that are a finite number or an infinity, subnormal ones among them.
        bits = generator.integers(0, 256, count * int(kind[1]), dtype=np.uint8)
        drawn = bits.view("<" + kind).reshape(shape)
        return np.where(np.isnan(drawn), np.array(-0.0, kind), drawn).astype(kind)
    limits = np.iinfo(kind)
    return generator.integers(limits.min, limits.max, count, dtype=kind, endpoint=True).reshape(shape)


def put(folder, index, name, array, version):
    with open(folder / f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, array, version=version)
    (folder / f"{name}.f64").write_bytes(np.ascontiguousarray(array).astype("<f8").tobytes())
    if array.dtype.kind in "bi" or array.dtype.kind == "u" and array.dtype.itemsize < 8:
        (folder / f"{name}.i64").write_bytes(np.ascontiguousarray(array).astype("<i8").tobytes())
    index.append(" ".join([name, *map(str, array.shape)]))


def write(folder):
    generator = np.random.default_rng(1)
    index = []
    for kind in TYPES:
        for order in "<>":
            for layout in "CF":
                for version in VERSIONS:
                    for shape in SHAPES:
                        array = np.asarray(values(kind, shape, generator), dtype=order + kind, order=layout)
                        put(folder, index, f"a{len(index)}", array, version)
    put(folder, index, "half", np.arange(1 << 16, dtype=np.uint16).view("<f2").reshape(256, 256), (1, 0))
    (folder / "index.txt").write_text("\n".join(index) + "\n")

    images = {
        "x_train": generator.integers(0, 256, (5, 4, 3, 3), dtype=np.uint8),
        "y_train": generator.integers(0, 10, (5, 1), dtype=np.int64),
        "x_test": np.asfortranarray(generator.integers(0, 256, (2, 4, 3, 3), dtype=np.uint8)),
        "y_test": generator.integers(0, 10, 2, dtype=np.uint8),
        "features": generator.normal(size=(6, 5)),
    }
    np.savez(folder / "stored.npz", **images)
    np.savez_compressed(folder / "deflated.npz", **images)
    for split in ["train", "test"]:
        planes = np.ascontiguousarray(images[f"x_{split}"].transpose(0, 3, 1, 2))
        (folder / f"x_{split}.raw").write_bytes(planes.tobytes())
        (folder / f"y_{split}.raw").write_bytes(images[f"y_{split}"].astype(np.uint8).tobytes())
    (folder / "features.f64").write_bytes(images["features"].astype("<f8").tobytes())

    single = generator.normal(size=(3, 2)).astype(np.float32)
    save_file({"0.weight": single, "0.bias": images["features"]}, folder / "weights.safetensors")
    (folder / "weight.f64").write_bytes(single.astype("<f8").tobytes())

    table = np.column_stack([images["features"], np.arange(6) % 3])
    # 17 digits read back to the same bits.
    np.savetxt(folder / "table.csv", table, "%.17g", ",", header="a,b,c,d,e,label", comments="")

    (folder / "cifar").mkdir()
    records = generator.integers(0, 256, (6, 4, 3073), dtype=np.uint8)
    records[..., 0] %= 10
    for batch, name in zip(records, [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        (folder / "cifar" / f"{name}.bin").write_bytes(batch.tobytes())
    pixels = records[:5, :, 1:].reshape(20, 3, 1024) / 255
    samples = pixels.reshape(60, 1024)
    standardised = (pixels - samples.mean(axis=0)) / (samples.std(axis=0, ddof=1) + 1e-9)
    (folder / "grey.f64").write_bytes(standardised.sum(axis=1).astype("<f8").tobytes())


def check(folder):
    tensors = load_file(folder / "written.safetensors")
    lines = (folder / "written.txt").read_text().splitlines()
    for line in lines:
        name, kind, *sizes = line.split()
        shape = tuple(map(int, sizes))
        expected = np.frombuffer((folder / f"{name}.raw").read_bytes(), kind).reshape(shape)
        found = np.load(folder / f"{name}.npy")
        assert found.dtype == np.dtype(kind) and found.shape == shape, (name, found.dtype, found.shape)
        assert found.tobytes() == expected.tobytes(), name
        saved = io.BytesIO()
        np.save(saved, expected)
        assert saved.getvalue() == (folder / f"{name}.npy").read_bytes(), f"{name}: not the bytes of numpy.save"
        if kind == "<f4":
            tensor = tensors.pop(name)
            assert tensor.dtype == np.float32 and tensor.shape == shape and tensor.tobytes() == expected.tobytes(), name
    assert lines and not tensors, tensors.keys()
    print(f"{len(lines)} arrays are right")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]))
