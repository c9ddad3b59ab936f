// The threads of a block as fibers: each has a stack, one runs at a time, and a barrier is where it lets the others run.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace stand_in {

// The driver's numbers of what can end a launch.
enum Fault { NONE = 0, ILLEGAL_ADDRESS = 700, MISALIGNED = 716, LAUNCH_FAILED = 719 };

// In which order the threads of a block and the blocks of a grid get their turns: forward (0), backward (1), or shuffled by a seed.
void set_order(uint64_t order);

// Runs `thread` for each thread of each block; returns the first fault, with a sentence about it in `why`.
Fault run_grid(uint64_t blocks, unsigned threads, const std::function<void()> &thread, std::string &why);

// Ends the launch of the calling thread. Does not return.
[[noreturn]] void fault(Fault code, const std::string &why);

// __syncthreads() at a line of the source.
void block_barrier(int line);

// A shuffle: gives 64 bits, gets those of a lane of the same warp. The whole warp waits for itself.
uint64_t exchange(uint64_t bits, unsigned lane, int line);

// A vote: a bit for each lane of the warp, which waits for itself.
unsigned vote(bool holds, int line);

// Copies to shared memory that the calling thread has asked for and not yet waited for. Who ends before it waits fails.
struct Copy {
    void *to;
    char bytes[16];
};
std::vector<Copy> &copies();

// How often the block has passed a barrier, and the thread at hand: accesses of two threads in one epoch are not ordered.
extern uint64_t epoch;

} // namespace stand_in
