// Copies from device memory to shared memory that pass by the registers: a thread asks for some, goes on, and waits for all of its own
// before the barrier that shows them to its block. The only inline assembly of the kernels (PTX ISA, "cp.async"): 16 aligned bytes, kept
// in the second-level cache alone. The stand-in has both functions in device.hpp: there nothing arrives before the wait.
#pragma once
#include "common.cuh"

#ifndef DISENTANGLE_STAND_IN
// Asks for 16 bytes, or for zeros: `from` is not read then. A barrier is between it and who reads `to` before.
__device__ inline void copy16_async(void *to, const void *from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<u32>(__cvta_generic_to_shared(to))), "l"(from),
                 "r"(there ? 16 : 0));
}

// Waits for all copies that the thread has asked for.
__device__ inline void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#endif
