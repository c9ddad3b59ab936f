// The k nearest of each row (reduction C), k up to 64: distances and indices, nearest first, ties to the lowest index.
//
// Tile: pairs.cuh in f64, so that order and distances are those of exact definitions. A block has 32 rows and a part of the columns. The sums
// of a tile go to shared memory, where a warp reads them for its 4 rows, 32 columns at a time. A row's list is in the registers of its warp,
// sorted: lane l has entries l and l + 32. A column that is nearer than the last entry is inserted: two ballots give its place, entries
// behind it move up by a lane. Columns come in the order of their indices, so whoever is there already wins a tie.
// Bytes moved: those of the tile, and 12 k per row and part. Arithmetic intensity: 8 operations of f64 per byte and more; insertions
// become rare: k log(columns / k) of a row's columns on average, if they come in any order.
//
// Deterministic: what is found is a function of the numbers; how columns are cut into parts changes nothing. No atomics.
#include "pairs.cuh"

namespace {

const u32 ALL = 0xffffffffu;
const u32 ROWS = 32;
const u32 OWN_ROWS = ROWS / 8;
const u32 SQUARE_STRIDE = TILE + 2;
using Pairs = Tile<double, ROWS>;
const double NOBODY = 1.7976931348623157e308;

// The nearest so far of one row, in a warp.
struct List {
    double key[2];
    u32 index[2];

    __device__ void clear() {
        key[0] = key[1] = NOBODY;
        index[0] = index[1] = ALL;
    }

    // The key of the last of k.
    __device__ double last(u32 k) const {
        const double low = __shfl_sync(ALL, key[0], (k - 1) % 32);
        const double high = __shfl_sync(ALL, key[1], (k - 1) % 32);
        return k > 32 ? high : low;
    }

    // Puts a number behind all that are at most as large. The whole warp calls it with the same number.
    __device__ void insert(double with, u32 number) {
        const u32 lane = threadIdx.x % 32;
        const u32 before = __popc(__ballot_sync(ALL, key[0] <= with));
        const u32 place = before + __popc(__ballot_sync(ALL, key[1] <= with));
        const double key_up = __shfl_up_sync(ALL, key[0], 1);
        const double key_over = __shfl_sync(ALL, key[0], 31);
        const double key_up_high = __shfl_up_sync(ALL, key[1], 1);
        const u32 index_up = __shfl_up_sync(ALL, index[0], 1);
        const u32 index_over = __shfl_sync(ALL, index[0], 31);
        const u32 index_up_high = __shfl_up_sync(ALL, index[1], 1);
        if (lane + 32 > place) {
            key[1] = lane == 0 ? key_over : key_up_high;
            index[1] = lane == 0 ? index_over : index_up_high;
        }
        if (lane > place) {
            key[0] = key_up;
            index[0] = index_up;
        }
        if (lane == place) {
            key[0] = with;
            index[0] = number;
        }
        if (lane + 32 == place) {
            key[1] = with;
            index[1] = number;
        }
    }

    // Offers a number of each lane, those of lower lanes first; `wanted` where there is one.
    __device__ void offer(bool wanted, double with, u32 number, u32 k) {
        double limit = last(k);
        u32 left = __ballot_sync(ALL, wanted && with < limit);
        while (left != 0) {
            const u32 lane = __ffs(left) - 1;
            left &= left - 1;
            const double of_lane = __shfl_sync(ALL, with, lane);
            const u32 number_of_lane = __shfl_sync(ALL, number, lane);
            if (of_lane >= limit) continue;
            insert(of_lane, number_of_lane);
            limit = last(k);
        }
    }

    __device__ void store(double *distances, u32 *indices, u32 k) const {
        const u32 lane = threadIdx.x % 32;
        for (u32 slot = 0; slot < 2; ++slot) {
            if (lane + 32 * slot >= k) continue;
            distances[lane + 32 * slot] = slot == 0 ? key[0] : key[1];
            indices[lane + 32 * slot] = slot == 0 ? index[0] : index[1];
        }
    }
};

} // namespace

// The k nearest of each row among a part's columns: distances[row, part, k], indices likewise. `same`: a row is not its own neighbour.
// Where a part has fewer, entries stay empty.
KERNEL(256) nearest_of_part(const double *rows, const double *columns, u32 stride, u64 row_count, u64 column_count, u32 part_tiles,
                            u32 parts, u32 k, u32 function, u32 same, double *distances, u32 *indices) {
    __shared__ __align__(16) double x_slice[8 * 36];
    __shared__ __align__(16) double y_slice[8 * 68];
    __shared__ __align__(16) double square[32 * 66];
    const u32 row_tile = blockIdx.x / parts, part = blockIdx.x % parts;
    const u32 lane = threadIdx.x % 32, own = threadIdx.x / 32 * OWN_ROWS;
    const u64 first = static_cast<u64>(row_tile) * ROWS;
    const u64 tiles = (column_count + TILE - 1) / TILE;
    const u64 end = static_cast<u64>(part + 1) * part_tiles < tiles ? static_cast<u64>(part + 1) * part_tiles : tiles;
    List lists[OWN_ROWS];
#pragma unroll
    for (u32 r = 0; r < OWN_ROWS; ++r) lists[r].clear();
    for (u64 tile = static_cast<u64>(part) * part_tiles; tile < end; ++tile) {
        double of_pairs[Pairs::OWN][4];
        Pairs::sums(rows + first * stride, columns + tile * TILE * stride, stride, function == ABSOLUTE, x_slice, y_slice, of_pairs);
#pragma unroll
        for (u32 n = 0; n < 4 * Pairs::OWN; n += 2) {
            double *to = square + Pairs::place(threadIdx.x / 16, n / 4) * SQUARE_STRIDE + Pairs::place(threadIdx.x % 16, n % 4);
            store2(to, double2{of_pairs[n / 4][n % 4], of_pairs[n / 4][n % 4 + 1]});
        }
        __syncthreads();
#pragma unroll
        for (u32 r = 0; r < OWN_ROWS; ++r) {
            const u64 i = first + own + r;
            for (u32 half = 0; half < TILE && i < row_count; half += 32) {
                const u64 j = tile * TILE + half + lane;
                const double sum = square[(own + r) * SQUARE_STRIDE + half + lane];
                const bool there = j < column_count && !(same && i == j);
                // The root is taken of sums that may be near enough; what the product rounds away is added to it.
                const double last = lists[r].last(k);
                const double most = function == ROOT ? last * last * 1.000000000000001 : function == DISTANCE ? 2.0 * last : last;
                const bool may = there && sum <= most;
                if (__ballot_sync(ALL, may) == 0) continue;
                // Of unit vectors half of the squared distance is the cosine distance.
                const double with = function == ROOT ? sqrt(sum) : function == DISTANCE ? 0.5 * sum : sum;
                lists[r].offer(there, with, static_cast<u32>(j), k);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (u32 r = 0; r < OWN_ROWS; ++r) {
        const u64 i = first + own + r;
        if (i < row_count) lists[r].store(distances + (i * parts + part) * k, indices + (i * parts + part) * k, k);
    }
}

// Second stage: the parts of a row in order, a warp for each row. 12 k bytes are read per row and part, once.
KERNEL(256) nearest_of_parts(const double *distances, const u32 *indices, u32 parts, u32 k, u64 row_count, double *nearest,
                             u32 *neighbors) {
    const u64 step = all_threads() / 32;
    const u32 lane = threadIdx.x % 32;
    for (u64 i = global_thread() / 32; i < row_count; i += step) {
        List list;
        list.clear();
        for (u32 part = 0; part < parts; ++part) {
            for (u32 at = 0; at < k; at += 32) {
                const u64 from = (i * parts + part) * k + at + lane;
                const bool there = at + lane < k;
                list.offer(there, there ? distances[from] : NOBODY, there ? indices[from] : ALL, k);
            }
        }
        list.store(nearest + i * k, neighbors + i * k, k);
    }
}
