// libcuda.so.1 on the CPU: the driver functions that src/backend/cuda calls. Modules are the committed PTX; what runs is the C++
// source of the same names, compiled by g++. Errors have a driver's numbers, and like a driver's a failed launch stays: every later
// call answers with it. What a driver would not say stands on standard error, one line each.
//
//     DISENTANGLE_STAND_IN_ORDER    forward (default), backward, or a seed: the order of threads and blocks
//     DISENTANGLE_STAND_IN_MEMORY   bytes that the device has (4 GiB)
//     DISENTANGLE_STAND_IN_DEVICES  how many devices there are (1)
//     DISENTANGLE_STAND_IN_DRIVER   the driver's version (12000)
//     DISENTANGLE_STAND_IN_LOG      a file that gets the name of each kernel that is launched, once per process
//     DISENTANGLE_STAND_IN_CALLS    a file that gets, when the context is released, how often work was sent and numbers were copied
//     DISENTANGLE_STAND_IN_MODEL    (build `trace`) a file that gets the model of memory accesses (model.hpp)
//     CUDA_LAUNCH_BLOCKING          1: a launch answers with its own error, as a driver's does

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "device.hpp"
#include "driver.hpp"
#include "memory.hpp"
#include "ptx.hpp"
#include "streams.hpp"
#include "trace.hpp"

namespace stand_in {

std::vector<Kernel> &kernels() {
    static std::vector<Kernel> list;
    return list;
}

std::mutex door;

namespace {

const struct {
    int code;
    const char *name, *words;
} ERRORS[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {STREAM_CAPTURE_MERGE, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
    {STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
    {STREAM_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
    {STREAM_CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {STREAM_CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
    {CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {STREAM_CAPTURE_WRONG_THREAD, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {MISALIGNED, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
};

struct Module {
    PtxModule ptx;
    std::map<std::string, Function> functions;
};

bool initialized = false;
int sticky = SUCCESS;
int retained = 0;
// The context of each thread: there is one, of device 0.
thread_local void *current_context = nullptr;
char primary;

int from_environment(const char *name, int otherwise) {
    const char *given = std::getenv(name);
    return given ? std::atoi(given) : otherwise;
}

int devices() { return from_environment("DISENTANGLE_STAND_IN_DEVICES", 1); }
int driver_version() { return from_environment("DISENTANGLE_STAND_IN_DRIVER", 12000); }

const Kernel *find_kernel(const std::string &name) {
    for (const Kernel &kernel : kernels()) {
        if (kernel.name == name) return &kernel;
    }
    return nullptr;
}

// Source and PTX must agree on the kernels' parameters: else one of them is stale.
bool agrees(const std::string &name, const PtxEntry &entry, const Kernel *kernel) {
    if (kernel == nullptr) {
        say("PTX has a kernel '" + name + "' that the sources do not have");
        return false;
    }
    std::vector<size_t> bytes;
    for (const Parameter &parameter : kernel->parameters) bytes.push_back(parameter.bytes);
    if (bytes != entry.parameter_bytes) {
        say("kernel '" + name + "' has other parameters in the PTX than in the source: compile the PTX again");
        return false;
    }
    return true;
}

void log_launch(const std::string &name) {
    static std::set<std::string> seen;
    const char *path = std::getenv("DISENTANGLE_STAND_IN_LOG");
    if (path == nullptr || !seen.insert(name).second) return;
    if (FILE *file = std::fopen(path, "a")) {
        std::fprintf(file, "%s\n", name.c_str());
        std::fclose(file);
    }
}

std::map<std::string, uint64_t> calls;

void write_calls() {
    const char *path = std::getenv("DISENTANGLE_STAND_IN_CALLS");
    FILE *file = path == nullptr ? nullptr : std::fopen(path, "w");
    if (file == nullptr) return;
    for (const auto &[name, times] : calls) std::fprintf(file, "%s %llu\n", name.c_str(), static_cast<unsigned long long>(times));
    std::fclose(file);
}

uint64_t order() {
    const char *given = std::getenv("DISENTANGLE_STAND_IN_ORDER");
    if (given == nullptr || std::strcmp(given, "forward") == 0) return 0;
    return std::strcmp(given, "backward") == 0 ? 1 : 2 + std::strtoull(given, nullptr, 10);
}

} // namespace

void count(const char *call) { ++calls[call]; }

void say(const std::string &line) { std::fprintf(stderr, "stand-in: %s\n", line.c_str()); }

int ready(bool needs_context) {
    if (!initialized) return NOT_INITIALIZED;
    if (sticky != SUCCESS) return sticky;
    return needs_context && (current_context == nullptr || retained == 0) ? INVALID_CONTEXT : SUCCESS;
}

int fits(const Grid &of) {
    if (of.function == nullptr) return INVALID_HANDLE;
    const auto [grid_x, grid_y, grid_z] = of.blocks;
    const auto [block_x, block_y, block_z] = of.threads;
    if (grid_x >= 1 && grid_x <= 0x7fffffffu && grid_y == 1 && grid_z == 1 && block_x >= 1 && block_x <= of.function->most_threads &&
        block_y == 1 && block_z == 1 && of.shared_bytes == 0 && of.extra == nullptr) {
        return SUCCESS;
    }
    say("kernel '" + of.function->kernel->name + "': a grid of " + std::to_string(grid_x) + " blocks of " + std::to_string(block_x) +
        " threads is refused");
    return INVALID_VALUE;
}

int fail(int code, const std::string &why) {
    say(why);
    sticky = code;
    return std::getenv("CUDA_LAUNCH_BLOCKING") ? code : static_cast<int>(SUCCESS);
}

int launch(const Function &function, unsigned grid, unsigned block, void **parameters) {
    const Kernel &kernel = *function.kernel;
    auto failed = [&](int code, const std::string &why) { return fail(code, "kernel '" + kernel.name + "', " + why); };
    std::string why;
    for (size_t n = 0; n < kernel.parameters.size(); ++n) {
        kernel.parameters[n].pointers(parameters[n], [&](const void *pointer) {
            if (pointer != nullptr && !memory::holds(pointer, 1)) why = "parameter " + std::to_string(n) + ": no live allocation is there";
        });
    }
    if (!why.empty()) return failed(ILLEGAL_ADDRESS, why);
    log_launch(kernel.name);
    blockDim = {block, 1, 1};
    gridDim = {grid, 1, 1};
    set_order(order());
    trace::new_launch(kernel.name);
    const Fault fault = run_grid(grid, block, [&] { kernel.thread(parameters); }, why);
    trace::end_launch();
    if (fault != NONE) return failed(fault, why);
    if (!memory::intact(why)) return failed(ILLEGAL_ADDRESS, why);
    return SUCCESS;
}

} // namespace stand_in

using namespace stand_in;

API cuInit(unsigned flags) {
    std::lock_guard lock(door);
    if (flags != 0) return INVALID_VALUE;
    if (devices() == 0) return NO_DEVICE;
    initialized = true;
    return SUCCESS;
}

API cuDriverGetVersion(int *version) {
    *version = driver_version();
    return SUCCESS;
}

API cuDeviceGetCount(int *count) {
    std::lock_guard lock(door);
    if (!initialized) return NOT_INITIALIZED;
    *count = devices();
    return SUCCESS;
}

API cuDeviceGet(int *device, int ordinal) {
    std::lock_guard lock(door);
    if (!initialized) return NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= devices()) return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}

API cuDeviceGetName(char *name, int length, int) {
    std::snprintf(name, length, "CPU stand-in");
    return SUCCESS;
}

API cuDeviceTotalMem_v2(size_t *bytes, int) {
    *bytes = memory::limit();
    return SUCCESS;
}

// Of the attributes that are asked for: compute capability 8.0 (75 and 76) and the multiprocessors (16) of an A100; a tenth of its
// second-level cache (38), as what overwrites it is the host here; whatever else, as a device that can do nothing special.
API cuDeviceGetAttribute(int *value, int attribute, int) {
    *value = attribute == 75 ? 8 : attribute == 16 ? 108 : attribute == 38 ? 4 << 20 : 0;
    return SUCCESS;
}

API cuDevicePrimaryCtxRetain(void **context, int device) {
    std::lock_guard lock(door);
    if (const int code = ready(false)) return code;
    if (device < 0 || device >= devices()) return INVALID_DEVICE;
    ++retained;
    *context = &primary;
    return SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(int) {
    std::lock_guard lock(door);
    if (retained == 0) return INVALID_CONTEXT;
    if (--retained > 0) return SUCCESS;
    // A driver frees what is left; here it is a leak, and said to be one.
    if (memory::live() > 0) say(std::to_string(memory::live()) + " allocations of " + std::to_string(memory::used()) + " bytes were never freed");
    if (live_graphs() > 0) say(std::to_string(live_graphs()) + " graphs were never destroyed");
    if (live_streams() > 0) say(std::to_string(live_streams()) + " streams were never destroyed");
    if (live_events() > 0) say(std::to_string(live_events()) + " events were never destroyed");
    write_calls();
    return SUCCESS;
}

API cuCtxSetCurrent(void *context) {
    if (context != nullptr && context != &primary) return INVALID_CONTEXT;
    current_context = context;
    return SUCCESS;
}

API cuCtxGetCurrent(void **context) {
    *context = current_context;
    return SUCCESS;
}

API cuCtxSynchronize() {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (const int code = nothing_is_captured()) return code;
    drain_all();
    return ready();
}

API cuModuleLoadData(void **module, const void *image) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    auto made = std::make_unique<Module>();
    std::string why;
    if (!read_ptx(static_cast<const char *>(image), made->ptx, why)) {
        say("no PTX: " + why);
        return INVALID_PTX;
    }
    // PTX 8.0 is what a driver of CUDA 12.0 reads, and so on.
    const int wanted = (made->ptx.major + 4) * 1000 + made->ptx.minor * 10;
    if (wanted > driver_version()) return UNSUPPORTED_PTX_VERSION;
    for (const auto &[name, entry] : made->ptx.entries) {
        const Kernel *kernel = find_kernel(name);
        if (!agrees(name, entry, kernel)) return INVALID_PTX;
        made->functions[name] = {kernel, entry.most_threads};
    }
    *module = made.release();
    return SUCCESS;
}

API cuModuleUnload(void *module) {
    std::lock_guard lock(door);
    delete static_cast<Module *>(module);
    return sticky;
}

API cuModuleGetFunction(void **function, void *module, const char *name) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    auto &functions = static_cast<Module *>(module)->functions;
    const auto found = functions.find(name);
    if (found == functions.end()) return NOT_FOUND;
    *function = &found->second;
    return SUCCESS;
}

API cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                   unsigned block_z, unsigned shared_bytes, void *stream, void **parameters, void **extra) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    const Grid of{static_cast<Function *>(function), {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, extra};
    if (const int code = fits(of)) return code;
    if (parameters == nullptr && !of.function->kernel->parameters.empty()) return INVALID_VALUE;
    count("cuLaunchKernel");
    return send(stream, {Node::kernel(of, parameters)});
}

API cuGetErrorName(int code, const char **name) {
    for (const auto &error : ERRORS) {
        if (error.code == code) {
            *name = error.name;
            return SUCCESS;
        }
    }
    *name = nullptr;
    return INVALID_VALUE;
}

API cuGetErrorString(int code, const char **words) {
    for (const auto &error : ERRORS) {
        if (error.code == code) {
            *words = error.words;
            return SUCCESS;
        }
    }
    *words = nullptr;
    return INVALID_VALUE;
}
