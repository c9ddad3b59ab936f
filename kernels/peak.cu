// What a device can do, for `disentangle bench` to compare with: multiply-adds in registers, and a copy in device memory.
//
// Tile: none. The first kernel reads nothing: a thread has eight chains that do not wait for each other, so that its multiply-adds
// hide their own latency; it writes 4 bytes per thread, after 16 operations per round: no arithmetic intensity that matters. The second
// moves 32 bytes per four numbers, 16 read and 16 written, with two reads under way, and computes nothing: the memory is the limit.
// Deterministic: an element depends on its own thread's numbers alone.
#include "common.cuh"

// Eight chains x = a x + b, from t, t + 1, ..., t + 7 on in thread t of a block, `rounds` times; y is their sum, which keeps them from
// being left out. Chains that were the same in all threads would be done once per warp, by a device that can (compute capability 12.0).
KERNEL(256) peak_multiply_adds(float a, float b, u32 rounds, float *y) {
    float x[8];
#pragma unroll
    for (int chain = 0; chain < 8; ++chain) x[chain] = static_cast<float>(threadIdx.x + chain);
#pragma unroll 8
    for (u32 round = 0; round < rounds; ++round) {
#pragma unroll
        for (int chain = 0; chain < 8; ++chain) x[chain] = fmaf(x[chain], a, b);
    }
    float sum = 0.0f;
#pragma unroll
    for (int chain = 0; chain < 8; ++chain) sum += x[chain];
    y[global_thread()] = sum;
}

// y = x, for `fours` times four numbers on addresses that are multiples of 16.
KERNEL(256) peak_copy(const float *x, float *y, u64 fours) {
    const u64 step = all_threads();
    u64 n = global_thread();
    for (; n + step < fours; n += 2 * step) {
        const float4 first = load4(x + 4 * n), second = load4(x + 4 * (n + step));
        store4(y + 4 * n, first);
        store4(y + 4 * (n + step), second);
    }
    if (n < fours) store4(y + 4 * n, load4(x + 4 * n));
}
