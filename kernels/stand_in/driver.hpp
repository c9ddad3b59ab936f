// What the files of the stand-in's driver share: its lock, its errors, and how a kernel is launched.
#pragma once
#include <cstddef>
#include <mutex>
#include <string>

#include "device.hpp"

#define API extern "C" __attribute__((visibility("default"))) int

namespace stand_in {

enum Code : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_PTX = 218,
    UNSUPPORTED_PTX_VERSION = 222,
    INVALID_HANDLE = 400,
    ILLEGAL_STATE = 401,
    NOT_FOUND = 500,
    NOT_READY = 600,
    STREAM_CAPTURE_UNSUPPORTED = 900,
    STREAM_CAPTURE_INVALIDATED = 901,
    STREAM_CAPTURE_MERGE = 902,
    STREAM_CAPTURE_UNMATCHED = 903,
    STREAM_CAPTURE_UNJOINED = 904,
    STREAM_CAPTURE_ISOLATION = 905,
    STREAM_CAPTURE_IMPLICIT = 906,
    CAPTURED_EVENT = 907,
    STREAM_CAPTURE_WRONG_THREAD = 908,
};

// A kernel as a module has it.
struct Function {
    const Kernel *kernel;
    unsigned most_threads;
};

// What a launch asks for beside its parameters.
struct Grid {
    Function *function;
    Three blocks, threads;
    unsigned shared_bytes;
    void **extra;
};

// Held by every call.
extern std::mutex door;

// What every call but the first few asks before it does anything.
int ready(bool needs_context = true);

// Whether a device could launch it: a code, and a line where it could not.
int fits(const Grid &of);

// Runs a grid that fits. A failure stays; it is the answer only with CUDA_LAUNCH_BLOCKING=1, as a driver's.
int launch(const Function &function, unsigned grid, unsigned block, void **parameters);

// A failure of what was sent: it stays, and is the answer only with CUDA_LAUNCH_BLOCKING=1.
int fail(int code, const std::string &why);

// A line on standard error.
void say(const std::string &line);

// Counts a call that sends work or copies.
void count(const char *call);

// Graphs that have been made, instantiated ones too, and not destroyed.
size_t live_graphs();

} // namespace stand_in
