// A tile of pairs: 64 (or 32) rows against 64 columns of points, the sums of their coordinates' differences in registers.
//
//     sum(i, j) = sum_k (x_ik - y_jk)^2     or     sum_k |x_ik - y_jk|
//
// Coordinates go by in slices of 64 bytes (16 of f32, 8 of f64) that are staged in shared memory as
// [k][point], with 4 numbers of padding, the next slice being on its way in registers meanwhile. Points lie as [position][stride], `stride`
// a multiple of 32 bytes, with zeros behind the last coordinate; positions are whole tiles of 64. So every access is of 16 aligned
// bytes and inside. Two neighbouring threads have the two halves of a sector; a warp that stores a slice has 16 points by 2 columns of
// k, apart by 16 banks: all 32 are met once.
//
// Bytes moved by a block and tile: 128 points, 512 d bytes of f32 from the second-level cache; operations: 3 d for each of 4096 pairs.
// Arithmetic intensity: 24 operations per byte in f32, 12 in f64 (8 of 32 rows).
//
// Deterministic: a sum's bits are a function of its two points: in f32 a chain of fused operations for each 128 coordinates, from the first
// on, and these chains in order; in f64 from the first coordinate to the last, nothing fused, which are the reference's roundings.
#pragma once
#include "math.cuh"

namespace {

// Points of a tile, on either side.
const u32 TILE = 64;

// f of a pair: of its sum over the coordinates the sum itself (squares or absolute values), the root, e^(-sum / T), or whether the root is below.
enum PairFunction : u32 { DISTANCE = 0, ROOT = 1, ABSOLUTE = 2, EXPONENTIAL = 3, BELOW = 4 };

// Who is compared: two sets; one with itself, i not j; one with itself, each pair once, from its earlier position.
enum Relation : u32 { TWO_SETS = 0, EACH_ORDER = 1, ONCE = 2 };

// Whether a pair counts.
__device__ inline bool counts(u32 relation, u64 row, u64 column) {
    return relation == TWO_SETS || (relation == EACH_ORDER ? row != column : row < column);
}

// e^(x / T) of x <= 0, with T and, rounded to f32, its inverse.
__device__ inline float exponential(float x, double, float inverse) { return exp_of_negative(x * inverse); }
__device__ inline double exponential(double x, double temperature, float) { return exp(x / temperature); }

__device__ inline float root(float x) { return sqrtf(x); }
__device__ inline double root(double x) { return sqrt(x); }

__device__ inline void load16(const float *from, float (&to)[4]) {
    const float4 four = load4(from);
    to[0] = four.x;
    to[1] = four.y;
    to[2] = four.z;
    to[3] = four.w;
}

__device__ inline void load16(const double *from, double (&to)[2]) {
    const double2 two = load2(from);
    to[0] = two.x;
    to[1] = two.y;
}

__device__ inline float with_square(float sum, float d) { return fmaf(d, d, sum); }
__device__ inline double with_square(double sum, double d) { return sum + d * d; }
__device__ inline float with_absolute(float sum, float d) { return sum + fabsf(d); }
__device__ inline double with_absolute(double sum, double d) { return sum + fabs(d); }

// A thread has ROWS / 16 rows by 4 columns of pairs.
template <class T, u32 ROWS = TILE> struct Tile {
    // Numbers in 16 bytes, coordinates of a slice, and a thread's rows.
    static const u32 PER = 16 / sizeof(T);
    static const u32 SLICE = 4 * PER;
    static const u32 OWN = ROWS / 16;
    // Coordinates of a slice that are compared without a jump: what registers allow.
    static const u32 STRAIGHT = sizeof(T) == 4 ? 8 : 2;
    // From one coordinate of a slice to the next.
    static const u32 ROW_STRIDE = ROWS + 4;
    static const u32 STRIDE = TILE + 4;
    // Coordinates of a chain in f32.
    static const u32 DEPTH = 128;

    // The place in the tile of number `e` of those that thread `thread` of 16 has on one side: pieces of 16 bytes side by side.
    __device__ static u32 place(u32 thread, u32 e) { return e / PER * (16 * PER) + thread * PER + e % PER; }

    // A thread's points at one coordinate of a slice.
    template <u32 COUNT> __device__ static void numbers(const T *line, u32 thread, T (&to)[COUNT]) {
#pragma unroll
        for (u32 e = 0; e < COUNT; e += PER) {
            T piece[PER];
            load16(line + place(thread, e), piece);
#pragma unroll
            for (u32 n = 0; n < PER; ++n) to[e + n] = piece[n];
        }
    }

    // The sums of a thread's pairs: rows place(threadIdx.x / 16, i), columns place(threadIdx.x % 16, j). The slices are shared memory of
    // SLICE * ROW_STRIDE and SLICE * STRIDE numbers. The whole block calls it; nobody reads the slices when it returns.
    __device__ static void sums(const T *rows, const T *columns, u32 stride, bool absolute, T *x_slice, T *y_slice, T (&sum)[OWN][4]) {
        const u32 half = threadIdx.x >> 1, x_point = half % ROWS, y_point = half % TILE;
        const u32 x_unit = (threadIdx.x & 1) + 2 * (half / ROWS), y_unit = (threadIdx.x & 1) + 2 * (half / TILE);
        // Fewer rows leave threads idle.
        const bool stages = x_unit < 4;
        const T *x_from = rows + static_cast<u64>(x_point) * stride, *y_from = columns + static_cast<u64>(y_point) * stride;
        T x_next[PER] = {}, y_next[PER] = {}, total[OWN][4] = {};
#pragma unroll
        for (u32 n = 0; n < 4 * OWN; ++n) sum[n / 4][n % 4] = 0;
        if (stages && x_unit * PER < stride) load16(x_from + x_unit * PER, x_next);
        if (y_unit * PER < stride) load16(y_from + y_unit * PER, y_next);
        for (u32 k = 0; k < stride; k += SLICE) {
#pragma unroll
            for (u32 e = 0; e < PER; ++e) {
                if (stages) x_slice[(x_unit * PER + e) * ROW_STRIDE + x_point] = x_next[e];
                y_slice[(y_unit * PER + e) * STRIDE + y_point] = y_next[e];
            }
            __syncthreads();
            const u32 x_at = k + SLICE + x_unit * PER, y_at = k + SLICE + y_unit * PER;
            if (stages && x_at < stride) load16(x_from + x_at, x_next);
            if (y_at < stride) load16(y_from + y_at, y_next);
            // The last slice may be a half.
            const u32 depth = stride - k < SLICE ? SLICE / 2 : SLICE;
            for (u32 start = 0; start < depth; start += STRAIGHT) {
#pragma unroll
                for (u32 kk = 0; kk < STRAIGHT; ++kk) {
                    T x[OWN], y[4];
                    numbers<OWN>(x_slice + (start + kk) * ROW_STRIDE, threadIdx.x / 16, x);
                    numbers<4>(y_slice + (start + kk) * STRIDE, threadIdx.x % 16, y);
#pragma unroll
                    for (u32 n = 0; n < 4 * OWN; ++n) {
                        const T d = x[n / 4] - y[n % 4];
                        sum[n / 4][n % 4] = absolute ? with_absolute(sum[n / 4][n % 4], d) : with_square(sum[n / 4][n % 4], d);
                    }
                }
            }
            if (sizeof(T) == 4 && (k + SLICE) % DEPTH == 0) {
#pragma unroll
                for (u32 n = 0; n < 4 * OWN; ++n) {
                    total[n / 4][n % 4] += sum[n / 4][n % 4];
                    sum[n / 4][n % 4] = 0;
                }
            }
            __syncthreads();
        }
        if (sizeof(T) == 4) {
#pragma unroll
            for (u32 n = 0; n < 4 * OWN; ++n) sum[n / 4][n % 4] += total[n / 4][n % 4];
        }
    }
};

} // namespace
