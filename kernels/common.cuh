// What every kernel uses: names, the launch contract, 128-bit accesses, the two sums in fixed order.
//
// Products of floats are fused only where `fmaf` says so (the PTX is compiled with --fmad=false), and every elementary
// function of f32 is our own (math.cuh). So an element has the same bits on every device, and in the stand-in.
//
// Launches are one-dimensional: `blockIdx.x` counts all blocks, 64-bit indices count elements.
#pragma once

using u32 = unsigned int;
using u64 = unsigned long long;

// A kernel and the most threads that a block of it may have.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)

// The number of this thread in the grid.
__device__ inline u64 global_thread() { return static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x; }

// All threads of the grid: the step of a loop over elements.
__device__ inline u64 all_threads() { return static_cast<u64>(gridDim.x) * blockDim.x; }

// y = value, or y += value.
__device__ inline void put(float *y, float value, u32 add) { *y = add ? *y + value : value; }

#ifndef DISENTANGLE_STAND_IN
// Four numbers, or two of f64, in one access of 16 bytes, or two in one of 8; the address is a multiple of that.
__device__ inline float4 load4(const float *from) { return *reinterpret_cast<const float4 *>(from); }
__device__ inline void store4(float *to, float4 value) { *reinterpret_cast<float4 *>(to) = value; }
__device__ inline float2 load2(const float *from) { return *reinterpret_cast<const float2 *>(from); }
__device__ inline double2 load2(const double *from) { return *reinterpret_cast<const double2 *>(from); }
__device__ inline void store2(double *to, double2 value) { *reinterpret_cast<double2 *>(to) = value; }
#endif

// Part `part` of `parts` of `count` things: [first, last). Parts differ by at most one.
__device__ inline u64 part_start(u64 count, u32 part, u32 parts) { return count * part / parts; }

// The sum over a block of 256 threads, in f64, by a tree: (t, t + 128), then (t, t + 64), ...; the whole block calls it, every
// thread gets it. `room` has 256 places of shared memory.
__device__ inline double block_sum(double value, double *room) {
    const u32 t = threadIdx.x;
    room[t] = value;
    __syncthreads();
    for (u32 half = 128; half > 0; half /= 2) {
        if (t < half) room[t] += room[t + half];
        __syncthreads();
    }
    const double sum = room[0];
    __syncthreads();
    return sum;
}

// The sum over eight neighbouring lanes, in f64: (l, l ^ 4), (l, l ^ 2), (l, l ^ 1). The whole warp calls it.
__device__ inline double sum_of_eight(double value) {
    value += __shfl_xor_sync(0xffffffffu, value, 4);
    value += __shfl_xor_sync(0xffffffffu, value, 2);
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value;
}
