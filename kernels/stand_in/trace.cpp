// Two accesses to the same four bytes race if one writes, two threads do them, and no barrier of the block lies between: within
// a block that is the same epoch, across blocks it is the whole launch. No order of execution is needed to see it. Atomic additions
// do not race with each other.
#include "trace.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "device.hpp"
#include "memory.hpp"
#include "model.hpp"

namespace stand_in::trace {

namespace {

// Who touched a cell: a thread of a block, in an epoch. Epochs never repeat, so they tell blocks apart.
struct Touch {
    uint64_t epoch = 0;
    unsigned block = 0, thread = 0;
};

struct Cell {
    Touch writer, reader;
    bool written = false, read = false, readers_differ = false;
    // Written last by an atomic addition, and by more than one thread in that epoch.
    bool added = false, adders_differ = false;
};

std::vector<Cell> shared;
const char *shared_start = nullptr, *shared_stop = nullptr;
std::unordered_map<uintptr_t, Cell> global;

bool ordered(const Touch &before, bool across_blocks) {
    if (before.block == blockIdx.x) return before.thread == threadIdx.x || before.epoch != epoch;
    return !across_blocks;
}

void race(const char *memory, const char *what, const Touch &other, uintptr_t cell) {
    fault(LAUNCH_FAILED, std::string("race in ") + memory + " memory: it " + what + " what block " + std::to_string(other.block) +
                             ", thread " + std::to_string(other.thread) + " touches without a barrier between (address ..." +
                             std::to_string(cell * 4 % 65536) + ")");
}

void touch(Cell &cell, bool write, bool across_blocks, const char *memory, uintptr_t number, bool adds = false) {
    const Touch now{epoch, blockIdx.x, threadIdx.x};
    const bool both_add = adds && cell.added, same_epoch = cell.writer.epoch == now.epoch;
    if (cell.written && !both_add && (!ordered(cell.writer, across_blocks) || (cell.adders_differ && same_epoch))) {
        race(memory, write ? "writes" : "reads", cell.writer, number);
    }
    if (!write) {
        if (cell.read && cell.reader.epoch == now.epoch && cell.reader.thread != now.thread) cell.readers_differ = true;
        if (cell.read && across_blocks && cell.reader.block != now.block) cell.readers_differ = true;
        if (!cell.read || cell.reader.epoch != now.epoch) {
            if (!(across_blocks && cell.read && cell.reader.block != now.block)) cell.readers_differ = false;
            cell.reader = now;
        }
        cell.read = true;
        return;
    }
    if (cell.read && (!ordered(cell.reader, across_blocks) || (cell.readers_differ && (across_blocks || cell.reader.epoch == now.epoch)))) {
        race(memory, "writes", cell.reader, number);
    }
    cell.adders_differ = both_add && same_epoch && (cell.adders_differ || cell.writer.thread != now.thread);
    cell.added = adds;
    cell.written = true;
    cell.writer = now;
    cell.read = false;
    cell.readers_differ = false;
}

void access(const void *address, size_t bytes, bool write, const void *code) {
    const auto at = reinterpret_cast<uintptr_t>(address);
    const auto *from = static_cast<const char *>(address);
    if (from >= shared_start && from < shared_stop) {
        model::access(code, from - shared_start, bytes, write, true);
        for (size_t byte = 0; byte < bytes; byte += 4) {
            const size_t cell = (from + byte - shared_start) / 4;
            if (cell >= shared.size()) fault(ILLEGAL_ADDRESS, "an access past shared memory");
            if (!write && !shared[cell].written) fault(LAUNCH_FAILED, "it reads shared memory that nobody has written");
            touch(shared[cell], write, false, "shared", cell);
        }
        return;
    }
    if (!memory::is_device(address)) return;
    if (!memory::holds(address, bytes)) fault(ILLEGAL_ADDRESS, "an access of device memory outside every allocation");
    model::access(code, at, bytes, write, false);
    for (size_t byte = 0; byte < bytes; byte += 4) touch(global[(at + byte) / 4], write, true, "global", (at + byte) / 4);
}

} // namespace

void new_block(const char *start, const char *stop) {
    shared_start = start;
    shared_stop = stop;
    shared.assign((stop - start) / 4 + 1, Cell{});
    model::end_block();
}

void new_launch(const std::string &kernel) {
    global.clear();
    model::new_launch(kernel);
}

void end_launch() { model::end_launch(); }

__attribute__((noinline)) void read(const void *from, void *to, size_t bytes) {
    access(from, bytes, false, __builtin_return_address(0));
    std::memcpy(to, from, bytes);
}

__attribute__((noinline)) void write(void *to, const void *from, size_t bytes) {
    access(to, bytes, true, __builtin_return_address(0));
    std::memcpy(to, from, bytes);
}

void add(unsigned *to, unsigned value) {
    const auto *at = reinterpret_cast<const char *>(to);
    if (at < shared_start || at >= shared_stop) fault(LAUNCH_FAILED, "an atomic addition outside of shared memory");
    Cell &cell = shared[(at - shared_start) / 4];
    if (!cell.written) fault(LAUNCH_FAILED, "it adds to shared memory that nobody has written");
    touch(cell, true, false, "shared", (at - shared_start) / 4, true);
    *to += value;
}

} // namespace stand_in::trace

#define HOOK(name, bytes, write)                                                                                                  \
    extern "C" void name(void *address) { stand_in::trace::access(address, bytes, write, __builtin_return_address(0)); }
HOOK(__tsan_read1, 1, false)
HOOK(__tsan_read2, 2, false)
HOOK(__tsan_read4, 4, false)
HOOK(__tsan_read8, 8, false)
HOOK(__tsan_read16, 16, false)
HOOK(__tsan_write1, 1, true)
HOOK(__tsan_write2, 2, true)
HOOK(__tsan_write4, 4, true)
HOOK(__tsan_write8, 8, true)
HOOK(__tsan_write16, 16, true)
#define RANGE(name, write)                                                                                                        \
    extern "C" void name(void *address, unsigned long bytes) { stand_in::trace::access(address, bytes, write, __builtin_return_address(0)); }
RANGE(__tsan_read_range, false)
RANGE(__tsan_write_range, true)
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void *) {}
extern "C" void __tsan_func_exit() {}
