#include "fibers.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <vector>

#include "device.hpp"
#include "trace.hpp"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef __x86_64__
#error "the stand-in switches fibers by x86-64 instructions"
#endif

Three threadIdx, blockIdx, blockDim, gridDim;

#ifndef __SANITIZE_ADDRESS__
// The linker's marks around the section of shared memory; null where no kernel has any.
extern "C" char __start_shared_memory[] __attribute__((weak));
extern "C" char __stop_shared_memory[] __attribute__((weak));
#endif

namespace stand_in {

uint64_t epoch = 0;

namespace {

constexpr size_t STACK = 128 << 10;
constexpr unsigned WARP = 32;

enum State { NEW, RUNNING, AT_BARRIER, AT_SHUFFLE, DONE };

// A stack and where it stopped. A fiber whose thread is done takes the next new one.
struct Fiber {
    void *stack = nullptr;
    void *at = nullptr;
    void *fake = nullptr;
};

struct Thread {
    State state = NEW;
    int line = 0;
    Fiber *fiber = nullptr;
    // Two places, used in turn, so that nobody overwrites what a slower lane has still to read.
    uint64_t bits[2] = {0, 0};
    unsigned turn = 0;
    std::vector<Copy> copies;
};

std::vector<Fiber *> idle;
std::vector<Thread> threads;
std::vector<unsigned> sequence;
size_t next_new = 0;
unsigned current = 0;
void *scheduler_at = nullptr;
#ifdef __SANITIZE_ADDRESS__
void *scheduler_fake = nullptr;
const void *scheduler_stack = nullptr;
size_t scheduler_stack_size = 0;
#endif
const std::function<void()> *body = nullptr;
Fault fault_code = NONE;
std::string fault_why;
uint64_t order = 0;

extern "C" void stand_in_switch(void **save, void *to);
// Saves what a called function must keep, and the stack; takes over the other's. It jumps back: a return would be foreseen to go to
// who called, and never does, while a jump is foreseen to go where the last thread went, and most do.
asm(R"(
.text
.globl stand_in_switch
.hidden stand_in_switch
.type stand_in_switch, @function
stand_in_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
.size stand_in_switch, .-stand_in_switch
)");

void to_scheduler() {
    Fiber *own = threads[current].fiber;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&own->fake, scheduler_stack, scheduler_stack_size);
#endif
    stand_in_switch(&own->at, scheduler_at);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(own->fake, &scheduler_stack, &scheduler_stack_size);
#endif
}

// Runs new threads one after the other as long as they end without waiting.
void fiber_main() {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_size);
#endif
    for (;;) {
        (*body)();
        if (!threads[current].copies.empty()) fault(LAUNCH_FAILED, "it ends and has not waited for its asynchronous copies");
        threads[current].state = DONE;
        Fiber *own = threads[current].fiber;
        if (next_new < sequence.size()) {
            current = sequence[next_new++];
            threads[current].state = RUNNING;
            threads[current].fiber = own;
            threadIdx = {current, 0, 0};
            continue;
        }
        to_scheduler();
        // Taken up again for a new thread of another block.
    }
}

Fiber *new_fiber() {
    auto *fiber = new Fiber;
    fiber->stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber->stack == MAP_FAILED) {
        std::perror("stand-in: a fiber's stack");
        std::abort();
    }
    return fiber;
}

void rewind(Fiber *fiber) {
    auto *top = reinterpret_cast<void **>(static_cast<char *>(fiber->stack) + STACK);
    // As if fiber_main had been called: its return address is never used, and keeps the stack aligned.
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(&fiber_main);
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    fiber->at = top;
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(fiber->stack, STACK);
    fiber->fake = nullptr;
#endif
}

// Lets thread `t` run until it waits or is done.
void resume(unsigned t) {
    current = t;
    threadIdx = {t, 0, 0};
    threads[t].state = RUNNING;
    Fiber *fiber = threads[t].fiber;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&scheduler_fake, fiber->stack, STACK);
#endif
    stand_in_switch(&scheduler_at, fiber->at);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

void poison_shared() {
#ifndef __SANITIZE_ADDRESS__
    // Every float and every double of all ones is a NaN.
    if (__start_shared_memory) std::memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    if (__start_shared_memory) trace::new_block(__start_shared_memory, __stop_shared_memory);
#endif
}

std::string place(unsigned t) {
    return "block " + std::to_string(blockIdx.x) + ", thread " + std::to_string(t) + ": ";
}

// Lets all who wait at the block's barrier go on, or those of a warp that wait for each other. False if nobody can.
bool release() {
    unsigned waiting = 0, done = 0;
    for (const Thread &thread : threads) {
        waiting += thread.state == AT_BARRIER;
        done += thread.state == DONE;
    }
    if (waiting == threads.size()) {
        for (unsigned t = 1; t < threads.size(); ++t) {
            if (threads[t].line != threads[0].line) {
                fault_code = LAUNCH_FAILED;
                fault_why = place(t) + "divergent barrier: it waits at line " + std::to_string(threads[t].line) +
                            ", thread 0 at line " + std::to_string(threads[0].line);
                return false;
            }
        }
        ++epoch;
        for (Thread &thread : threads) thread.state = RUNNING;
        return true;
    }
    bool any = false;
    for (size_t first = 0; first < threads.size(); first += WARP) {
        const size_t end = std::min(first + WARP, threads.size());
        bool all = end - first == WARP;
        for (size_t t = first; t < end; ++t) {
            all = all && threads[t].state == AT_SHUFFLE && threads[t].line == threads[first].line;
        }
        if (!all) continue;
        any = true;
        for (size_t t = first; t < end; ++t) threads[t].state = RUNNING;
    }
    if (any) return true;
    for (unsigned t = 0; t < threads.size(); ++t) {
        if (threads[t].state == AT_BARRIER || threads[t].state == AT_SHUFFLE) {
            fault_code = LAUNCH_FAILED;
            fault_why = place(t) + (threads[t].state == AT_BARRIER ? "divergent barrier: it waits at line " : "part of a warp shuffles at line ") +
                        std::to_string(threads[t].line) + ", and " + std::to_string(done) + " threads of the block have ended";
            return false;
        }
    }
    return false;
}

void run_block() {
    const size_t count = threads.size();
    std::fill(threads.begin(), threads.end(), Thread{});
    poison_shared();
    ++epoch;
    next_new = 0;
    std::vector<Fiber *> used;
    while (fault_code == NONE) {
        bool ran = false;
        for (size_t k = 0; k < count && fault_code == NONE; ++k) {
            const unsigned t = sequence[k];
            if (threads[t].state == RUNNING) {
                resume(t);
                ran = true;
            } else if (threads[t].state == NEW) {
                // Threads before this one in the sequence are under way or done.
                next_new = k + 1;
                if (idle.empty()) idle.push_back(new_fiber());
                threads[t].fiber = idle.back();
                idle.pop_back();
                used.push_back(threads[t].fiber);
                rewind(threads[t].fiber);
                resume(t);
                ran = true;
            }
        }
        if (fault_code != NONE) break;
        const bool ended = std::all_of(threads.begin(), threads.end(), [](const Thread &t) { return t.state == DONE; });
        if (ended) break;
        if (!release() && !ran) break;
        if (fault_code != NONE) break;
    }
    idle.insert(idle.end(), used.begin(), used.end());
}

} // namespace

void set_order(uint64_t wanted) { order = wanted; }

Fault run_grid(uint64_t blocks, unsigned count, const std::function<void()> &thread, std::string &why) {
    body = &thread;
    fault_code = NONE;
    fault_why.clear();
    threads.assign(count, Thread{});
    sequence.resize(count);
    std::iota(sequence.begin(), sequence.end(), 0u);
    std::mt19937_64 random(order);
    if (order == 1) std::reverse(sequence.begin(), sequence.end());
    for (uint64_t n = 0; n < blocks && fault_code == NONE; ++n) {
        if (order > 1) std::shuffle(sequence.begin(), sequence.end(), random);
        blockIdx = {static_cast<unsigned>(order == 1 ? blocks - 1 - n : n), 0, 0};
        run_block();
    }
    why = fault_why;
    return fault_code;
}

void fault(Fault code, const std::string &why) {
    fault_code = code;
    fault_why = place(current) + why;
    to_scheduler();
    // The scheduler drops the fibers of a launch that has failed.
    std::abort();
}

std::vector<Copy> &copies() { return threads[current].copies; }

void block_barrier(int line) {
    threads[current].state = AT_BARRIER;
    threads[current].line = line;
    to_scheduler();
}

namespace {

// Leaves 64 bits for the others of the warp and waits for theirs: the place of them all.
unsigned leave(uint64_t bits, int line) {
    Thread &own = threads[current];
    const unsigned turn = own.turn++ % 2;
    own.bits[turn] = bits;
    own.state = AT_SHUFFLE;
    own.line = line;
    to_scheduler();
    return turn;
}

} // namespace

uint64_t exchange(uint64_t bits, unsigned lane, int line) {
    const unsigned warp = current / WARP * WARP;
    const unsigned turn = leave(bits, line);
    return threads[warp + lane].bits[turn];
}

unsigned vote(bool holds, int line) {
    const unsigned warp = current / WARP * WARP;
    const unsigned turn = leave(holds, line);
    unsigned bits = 0;
    for (unsigned lane = 0; lane < WARP; ++lane) bits |= static_cast<unsigned>(threads[warp + lane].bits[turn]) << lane;
    return bits;
}

} // namespace stand_in
