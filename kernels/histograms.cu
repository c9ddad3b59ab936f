// Histograms of distance per class pair: counts[a, b, n] = the pairs of a point of class a and one of class b with n width <= d < (n + 1) width,
// the last number those beyond all bins.
//
// Points lie class after class, each class padded to whole tiles, so that a tile of pairs is of one pair of classes. A block has a pair of
// classes, a window of 4096 bins, and every `splits`th of the pair's tiles: it counts in shared memory, adds what it has to 64-bit numbers of
// its own, and a second kernel adds the blocks' numbers. More bins than a window are windows of their own, which compute the distances
// again.
//
// Tile: pairs.cuh. Bytes moved: those of the tile; 8 per block and bin. Arithmetic intensity: that of the tile.
//
// Deterministic: threads meet in one number by atomic additions of integers in shared memory, the only atomics here: a sum of integers
// does not know in which order it was made. Blocks are added in order. What is compared with the edges is the distance in the precision of
// the points, times 1 / width in f32, divided by the width in f64 as the reference does.
#include "pairs.cuh"

namespace {

const u32 WINDOW = 4096;
// After so many tiles of 4096 pairs a 32-bit number might be full.
const u32 MOST_TILES = 1u << 19;

// In bins; compared with their number before it becomes an integer.
__device__ inline float in_bins(float distance, double, float rate) { return distance * rate; }
__device__ inline double in_bins(double distance, double width, float) { return distance / width; }

// Adds the window to the block's numbers and empties it. A thread has every 256th bin.
__device__ inline void empty(u32 *window, u32 size, u64 *counts, bool first) {
    __syncthreads();
    for (u32 n = threadIdx.x; n < size; n += 256) {
        counts[n] = (first ? 0 : counts[n]) + window[n];
        window[n] = 0;
    }
    __syncthreads();
}

template <class T>
__device__ inline void histogram(const T *rows, const T *columns, u32 stride, const u32 *row_firsts, const u32 *row_valid,
                                 const u32 *column_firsts, const u32 *column_valid, u32 classes, u32 splits, u32 windows, double width,
                                 u32 slots, u32 relation, u64 *found, T *x_slice, T *y_slice, u32 *window) {
    const u32 split = blockIdx.x % splits, first_slot = blockIdx.x / splits % windows * WINDOW;
    const u32 pair = blockIdx.x / splits / windows, a = pair / classes, b = pair % classes;
    const u32 size = slots - first_slot < WINDOW ? slots - first_slot : WINDOW;
    const float rate = static_cast<float>(1.0 / width);
    u64 *own = found + (static_cast<u64>(pair) * splits + split) * slots + first_slot;
    for (u32 n = threadIdx.x; n < size; n += 256) window[n] = 0;
    const u32 across = column_firsts[b + 1] - column_firsts[b];
    const u64 tiles = static_cast<u64>(row_firsts[a + 1] - row_firsts[a]) * across;
    bool first = true;
    u32 met = 0;
    for (u64 tile = split; tile < tiles; tile += splits) {
        const u32 row_tile = row_firsts[a] + static_cast<u32>(tile / across), column_tile = column_firsts[b] + static_cast<u32>(tile % across);
        if (relation == ONCE && column_tile < row_tile) continue;
        T sum[4][4];
        // Its barriers lie between the zeros of the window and the counts.
        Tile<T>::sums(rows + static_cast<u64>(row_tile) * TILE * stride, columns + static_cast<u64>(column_tile) * TILE * stride, stride,
                      false, x_slice, y_slice, sum);
        const u32 rows_there = row_valid[row_tile], columns_there = column_valid[column_tile];
#pragma unroll
        for (u32 n = 0; n < 16; ++n) {
            const u32 i = Tile<T>::place(threadIdx.x / 16, n / 4), j = Tile<T>::place(threadIdx.x % 16, n % 4);
            const bool there = i < rows_there && j < columns_there;
            if (there && counts(relation, static_cast<u64>(row_tile) * TILE + i, static_cast<u64>(column_tile) * TILE + j)) {
                const T bins = in_bins(root(sum[n / 4][n % 4]), width, rate);
                const u32 slot = bins < static_cast<T>(slots - 1) ? static_cast<u32>(bins) : slots - 1;
                if (slot - first_slot < size) atomicAdd(window + (slot - first_slot), 1u);
            }
        }
        if (++met % MOST_TILES == 0) {
            empty(window, size, own, first);
            first = false;
        }
    }
    empty(window, size, own, first);
}

} // namespace

// First stage: counts[pair of classes, split, slot], `slots` the number of bins and one more; class c has tiles firsts[c] to firsts[c + 1].
KERNEL(256) pair_histogram_f32(const float *rows, const float *columns, u32 stride, const u32 *row_firsts, const u32 *row_valid,
                               const u32 *column_firsts, const u32 *column_valid, u32 classes, u32 splits, u32 windows, double width,
                               u32 slots, u32 relation, u64 *counts) {
    __shared__ __align__(16) float x_slice[16 * 68];
    __shared__ __align__(16) float y_slice[16 * 68];
    __shared__ u32 window[WINDOW];
    histogram<float>(rows, columns, stride, row_firsts, row_valid, column_firsts, column_valid, classes, splits, windows, width, slots,
                     relation, counts, x_slice, y_slice, window);
}

// The same in f64.
KERNEL(256) pair_histogram_f64(const double *rows, const double *columns, u32 stride, const u32 *row_firsts, const u32 *row_valid,
                               const u32 *column_firsts, const u32 *column_valid, u32 classes, u32 splits, u32 windows, double width,
                               u32 slots, u32 relation, u64 *counts) {
    __shared__ __align__(16) double x_slice[8 * 68];
    __shared__ __align__(16) double y_slice[8 * 68];
    __shared__ u32 window[WINDOW];
    histogram<double>(rows, columns, stride, row_firsts, row_valid, column_firsts, column_valid, classes, splits, windows, width, slots,
                      relation, counts, x_slice, y_slice, window);
}

// Second stage: the splits of each number. A thread has a number; 8 bytes are read per split, once.
KERNEL(256) pair_histogram_totals(const u64 *counts, u32 slots, u32 splits, u64 *totals, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        u64 total = 0;
        for (u32 split = 0; split < splits; ++split) total += counts[(n / slots * splits + split) * slots + n % slots];
        totals[n] = total;
    }
}
