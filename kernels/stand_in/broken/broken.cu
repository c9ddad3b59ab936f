// Kernels that reverse 64 numbers, y[n] = x[63 - n], each broken in one way but the first. They are for the stand-in's tests.
#include "async_copy.cuh"

// As it should be: through shared memory, with a barrier between.
KERNEL(64) good(const float *x, float *y, u32 count) {
    __shared__ float room[64];
    room[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = room[count - 1 - threadIdx.x];
}

KERNEL(64) no_barrier(const float *x, float *y, u32 count) {
    __shared__ float room[64];
    room[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = room[count - 1 - threadIdx.x];
}

// Additions do not race with each other; who reads the sum waits for all of them.
KERNEL(64) reads_before_others_have_added(const float *x, float *y, u32 count) {
    __shared__ u32 sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    atomicAdd(&sum, count);
    y[threadIdx.x] = x[threadIdx.x] + static_cast<float>(sum);
}

KERNEL(64) writes_before_others_have_read(const float *x, float *y, u32 count) {
    __shared__ float room[64];
    room[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = room[count - 1 - threadIdx.x];
    room[threadIdx.x] = 0.0f;
}

KERNEL(64) reads_what_nobody_wrote(const float *x, float *y, u32 count) {
    __shared__ float room[65];
    room[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = room[count - threadIdx.x];
}

KERNEL(64) past_shared_memory(const float *x, float *y, u32 count) {
    __shared__ float room[64];
    room[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = room[count - 1 - threadIdx.x + count];
}

KERNEL(64) writes_past_the_end(const float *x, float *y, u32 count) { y[threadIdx.x + 1] = x[count - 1 - threadIdx.x]; }

KERNEL(64) writes_before_the_start(const float *x, float *y, u32 count) { *(y + threadIdx.x - 1) = x[count - 1 - threadIdx.x]; }

KERNEL(64) reads_past_the_end(const float *x, float *y, u32 count) { y[threadIdx.x] = x[count - threadIdx.x]; }

KERNEL(64) all_write_one(const float *x, float *y, u32 count) { y[threadIdx.x / 2] = x[count - 1 - threadIdx.x]; }

KERNEL(64) divergent_barrier(const float *x, float *y, u32 count) {
    if (threadIdx.x < 40) __syncthreads();
    y[threadIdx.x] = x[count - 1 - threadIdx.x];
}

KERNEL(64) two_barriers(const float *x, float *y, u32 count) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    y[threadIdx.x] = x[count - 1 - threadIdx.x];
}

KERNEL(64) part_of_a_warp_shuffles(const float *x, float *y, u32 count) {
    float value = x[count - 1 - threadIdx.x];
    if (threadIdx.x % 32 < 16) value = __shfl_xor_sync(0xffffffffu, value, 1);
    y[threadIdx.x] = value;
}

KERNEL(64) misaligned(const float *x, float *y, u32 count) {
    if (threadIdx.x < 15) y[threadIdx.x] = load4(x + 4 * threadIdx.x + 1).x + count;
}

KERNEL(64) reads_before_the_copy(const float *x, float *y, u32 count) {
    __shared__ __align__(16) float room[64];
    if (threadIdx.x < 16) copy16_async(room + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
    __syncthreads();
    y[threadIdx.x] = room[count - 1 - threadIdx.x];
    wait_for_copies();
}

KERNEL(64) ends_before_the_copy(const float *x, float *y, u32 count) {
    __shared__ __align__(16) float room[64];
    if (threadIdx.x < 16) copy16_async(room + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
    y[threadIdx.x] = x[count - 1 - threadIdx.x];
}
