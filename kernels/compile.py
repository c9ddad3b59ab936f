#!/usr/bin/env python3
"""Compiles kernels/*.cu to PTX for compute_80 with a given libnvrtc, and writes the manifest.

    kernels/compile.py LIBNVRTC OUT     # OUT/*.ptx and OUT/MANIFEST

NVRTC needs no toolkit, no host compiler and no headers. Its output holds no paths, so the same sources, flags and version give
the same bytes, but for some registers' numbers in large kernels, which depend on where the compiler's memory lies
(tests/cuda_ptx.sh). The manifest has a line for each PTX: its name, its SHA-256, and that of what it was made from (the source, all
headers, in the order of their names); the compiler and its flags stand on top.
"""

import ctypes
import hashlib
import pathlib
import sys

# No fused operations but those that the source names; no -lineinfo, which would embed paths.
FLAGS = ["--gpu-architecture=compute_80", "--std=c++17", "--fmad=false"]


def sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


class Nvrtc:
    """The few functions of libnvrtc that are needed."""

    def __init__(self, library: str):
        self.library = ctypes.CDLL(library)

    def call(self, name: str, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code != 0:
            self.library.nvrtcGetErrorString.restype = ctypes.c_char_p
            raise RuntimeError(f"{name}: {self.library.nvrtcGetErrorString(code).decode()}")

    def version(self) -> str:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def ptx(self, source: pathlib.Path, headers: list[pathlib.Path]) -> bytes:
        program = ctypes.c_void_p()
        texts = (ctypes.c_char_p * len(headers))(*[header.read_bytes() for header in headers])
        names = (ctypes.c_char_p * len(headers))(*[header.name.encode() for header in headers])
        self.call("nvrtcCreateProgram", ctypes.byref(program), source.read_bytes(), source.name.encode(), len(headers), texts, names)
        flags = (ctypes.c_char_p * len(FLAGS))(*[flag.encode() for flag in FLAGS])
        failed = self.library.nvrtcCompileProgram(program, len(FLAGS), flags)
        size = ctypes.c_size_t()
        self.call("nvrtcGetProgramLogSize", program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self.call("nvrtcGetProgramLog", program, log)
        if failed or log.value.strip():
            raise RuntimeError(f"{source.name}:\n{log.value.decode()}")
        self.call("nvrtcGetPTXSize", program, ctypes.byref(size))
        ptx = ctypes.create_string_buffer(size.value)
        self.call("nvrtcGetPTX", program, ptx)
        self.call("nvrtcDestroyProgram", ctypes.byref(program))
        return ptx.value


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, out = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[2])
    nvrtc = Nvrtc(sys.argv[1])
    headers = sorted(folder.glob("*.cuh"))
    texts = [header.read_bytes() for header in headers]
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"compiler nvrtc {nvrtc.version()}", f"flags {' '.join(FLAGS)}"]
    for source in sorted(folder.glob("*.cu")):
        try:
            ptx = nvrtc.ptx(source, headers)
        except RuntimeError as error:
            sys.exit(f"compile.py: {error}")
        (out / source.with_suffix(".ptx").name).write_bytes(ptx)
        lines.append(f"{source.stem} ptx {sha256(ptx)} source {sha256(source.read_bytes(), *texts)}")
    (out / "MANIFEST").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
