// Reductions over pairs of points: sums per row and class (B), their logarithms, and from them sums per class pair (A).
//
//     S_ic = sum_{j in c} f(d_ij)     L_ic = log sum_{j in c} e^(-d_ij^2 / T)     S_ab = sum_{i in a} S_ib
//
// Points lie class after class, each class padded to whole tiles, so that a tile of columns is of one class: `valid[tile]` columns of it
// are there. The tiles of a class are cut into parts: part p has tiles firsts[p] to firsts[p + 1].
//
// Tile: pairs.cuh. A block has 64 rows and a part of the columns; f of a pair never leaves the thread's registers, sums go to memory once
// per row and part: 8 bytes per up to 4096 pairs. Bytes moved and arithmetic intensity are therefore those of the tile: 24 operations of
// f32 per byte and more, past the ridge of an A100 (10) and an H100 (20).
//
// Deterministic: a thread adds its columns in order (in f32 at most 16 tiles of 4, then in f64), 16 threads of a row meet in a
// fixed tree of f64, parts are added in order by a second kernel. How columns are cut depends on the sizes of the classes alone. No atomics.
#include "pairs.cuh"

namespace {

// Tiles whose f are summed in f32 before they are added in f64: 64 roundings.
const u32 TILES_IN_F32 = 16;

// f of a sum over coordinates; the parameter is a temperature or a radius.
template <class T> __device__ inline T value_of_pair(u32 function, T sum, double parameter, float inverse) {
    switch (function) {
    case ROOT: return root(sum);
    case EXPONENTIAL: return exponential(-sum, parameter, inverse);
    case BELOW: return root(sum) < parameter ? T(1) : T(0);
    default: return sum;
    }
}

// Puts the four numbers of a row's thread where they belong: thread i of the row has the sum of row i.
template <class T> __device__ inline void put_rows(double *to, const double (&numbers)[4]) {
    const u32 i = threadIdx.x % 16;
    const double own = i == 0 ? numbers[0] : i == 1 ? numbers[1] : i == 2 ? numbers[2] : numbers[3];
    if (i < 4) to[Tile<T>::place(threadIdx.x / 16, i)] = own;
}

template <class T>
__device__ inline void sums_of_parts(const T *rows, const T *columns, u32 stride, const u32 *valid, const u32 *firsts, u32 parts,
                                     u32 function, double parameter, u32 relation, double *sums, u64 positions, T *x_slice, T *y_slice) {
    const u32 row_tile = blockIdx.x / parts, part = blockIdx.x % parts;
    const float inverse = static_cast<float>(1.0 / parameter);
    double total[4] = {};
    T sum[4] = {};
    u32 met = 0;
    for (u32 tile = firsts[part]; tile < firsts[part + 1]; ++tile) {
        if (relation == ONCE && tile < row_tile) continue;
        T of_pairs[4][4];
        Tile<T>::sums(rows + static_cast<u64>(row_tile) * TILE * stride, columns + static_cast<u64>(tile) * TILE * stride, stride,
                      function == ABSOLUTE, x_slice, y_slice, of_pairs);
        const u32 there = valid[tile];
#pragma unroll
        for (u32 n = 0; n < 16; ++n) {
            const u32 i = Tile<T>::place(threadIdx.x / 16, n / 4), j = Tile<T>::place(threadIdx.x % 16, n % 4);
            const bool wanted = j < there && counts(relation, static_cast<u64>(row_tile) * TILE + i, static_cast<u64>(tile) * TILE + j);
            if (wanted) sum[n / 4] += value_of_pair<T>(function, of_pairs[n / 4][n % 4], parameter, inverse);
        }
        if (++met % TILES_IN_F32 == 0) {
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
                total[i] += sum[i];
                sum[i] = 0;
            }
        }
    }
#pragma unroll
    for (u32 i = 0; i < 4; ++i) {
        total[i] += sum[i];
#pragma unroll
        for (u32 lanes = 8; lanes > 0; lanes /= 2) total[i] += __shfl_xor_sync(0xffffffffu, total[i], lanes);
    }
    put_rows<T>(sums + part * positions + static_cast<u64>(row_tile) * TILE, total);
}

// The sum of e^((least - d^2) / T) and `least`, the smallest d^2 there: a running log-sum-exp.
struct LogSum {
    double least, sum;

    // What two of them are together; the same bits in either order.
    __device__ void meet(double other_least, double other_sum, double temperature) {
        const double smaller = other_least < least ? other_least : least;
        sum = (sum > 0.0 ? sum * exp((smaller - least) / temperature) : 0.0) +
              (other_sum > 0.0 ? other_sum * exp((smaller - other_least) / temperature) : 0.0);
        least = smaller;
    }
};

template <class T>
__device__ inline void log_sums_of_parts(const T *rows, const T *columns, u32 stride, const u32 *valid, const u32 *firsts, u32 parts,
                                         double temperature, u32 relation, T most, double *leasts, double *sums, u64 positions, T *x_slice,
                                         T *y_slice) {
    const u32 row_tile = blockIdx.x / parts, part = blockIdx.x % parts;
    const float inverse = static_cast<float>(1.0 / temperature);
    T least[4] = {most, most, most, most};
    double sum[4] = {};
    for (u32 tile = firsts[part]; tile < firsts[part + 1]; ++tile) {
        T of_pairs[4][4];
        Tile<T>::sums(rows + static_cast<u64>(row_tile) * TILE * stride, columns + static_cast<u64>(tile) * TILE * stride, stride, false,
                      x_slice, y_slice, of_pairs);
        const u32 there = valid[tile];
        bool wanted[4][4];
#pragma unroll
        for (u32 n = 0; n < 16; ++n) {
            const u32 i = Tile<T>::place(threadIdx.x / 16, n / 4), j = Tile<T>::place(threadIdx.x % 16, n % 4);
            wanted[n / 4][n % 4] =
                j < there && counts(relation, static_cast<u64>(row_tile) * TILE + i, static_cast<u64>(tile) * TILE + j);
        }
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            T smallest = least[i], terms = 0;
#pragma unroll
            for (u32 j = 0; j < 4; ++j) {
                if (wanted[i][j] && of_pairs[i][j] < smallest) smallest = of_pairs[i][j];
            }
            if (smallest < least[i] && sum[i] > 0.0) {
                sum[i] *= exp((static_cast<double>(smallest) - static_cast<double>(least[i])) / temperature);
            }
            least[i] = smallest;
#pragma unroll
            for (u32 j = 0; j < 4; ++j) {
                if (wanted[i][j]) terms += exponential(smallest - of_pairs[i][j], temperature, inverse);
            }
            sum[i] += terms;
        }
    }
    double smallest[4];
#pragma unroll
    for (u32 i = 0; i < 4; ++i) {
        LogSum own = {static_cast<double>(least[i]), sum[i]};
#pragma unroll
        for (u32 lanes = 8; lanes > 0; lanes /= 2) {
            const double other_least = __shfl_xor_sync(0xffffffffu, own.least, lanes);
            const double other_sum = __shfl_xor_sync(0xffffffffu, own.sum, lanes);
            own.meet(other_least, other_sum, temperature);
        }
        smallest[i] = own.least;
        sum[i] = own.sum;
    }
    const u64 at = part * positions + static_cast<u64>(row_tile) * TILE;
    put_rows<T>(leasts + at, smallest);
    put_rows<T>(sums + at, sum);
}

} // namespace

// First stage of B: sums[part, position].
KERNEL(256) pair_sums_f32(const float *rows, const float *columns, u32 stride, const u32 *valid, const u32 *firsts, u32 parts,
                          u32 function, double parameter, u32 relation, double *sums, u64 positions) {
    __shared__ __align__(16) float x_slice[16 * 68];
    __shared__ __align__(16) float y_slice[16 * 68];
    sums_of_parts<float>(rows, columns, stride, valid, firsts, parts, function, parameter, relation, sums, positions, x_slice, y_slice);
}

// The same in f64 throughout.
KERNEL(256) pair_sums_f64(const double *rows, const double *columns, u32 stride, const u32 *valid, const u32 *firsts, u32 parts,
                          u32 function, double parameter, u32 relation, double *sums, u64 positions) {
    __shared__ __align__(16) double x_slice[8 * 68];
    __shared__ __align__(16) double y_slice[8 * 68];
    sums_of_parts<double>(rows, columns, stride, valid, firsts, parts, function, parameter, relation, sums, positions, x_slice, y_slice);
}

// First stage of L: leasts[part, position] and sums[part, position]; where there is no pair a sum is 0.
KERNEL(256) pair_log_sums_f32(const float *rows, const float *columns, u32 stride, const u32 *valid, const u32 *firsts, u32 parts,
                              double temperature, u32 relation, double *leasts, double *sums, u64 positions) {
    __shared__ __align__(16) float x_slice[16 * 68];
    __shared__ __align__(16) float y_slice[16 * 68];
    log_sums_of_parts<float>(rows, columns, stride, valid, firsts, parts, temperature, relation, 3.40282347e38f, leasts, sums, positions,
                             x_slice, y_slice);
}

// The same in f64 throughout.
KERNEL(256) pair_log_sums_f64(const double *rows, const double *columns, u32 stride, const u32 *valid, const u32 *firsts, u32 parts,
                              double temperature, u32 relation, double *leasts, double *sums, u64 positions) {
    __shared__ __align__(16) double x_slice[8 * 68];
    __shared__ __align__(16) double y_slice[8 * 68];
    log_sums_of_parts<double>(rows, columns, stride, valid, firsts, parts, temperature, relation, 1.7976931348623157e308, leasts, sums,
                              positions, x_slice, y_slice);
}

// Second stage of B: totals[class, position] = the class' parts in order, parts of_class[c] to of_class[c + 1]. A thread has a number;
// 8 bytes are read per part and position, each once.
KERNEL(256) pair_row_totals(const double *sums, const u32 *of_class, u64 positions, double *totals, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const u64 c = n / positions, position = n % positions;
        double total = 0.0;
        for (u32 part = of_class[c]; part < of_class[c + 1]; ++part) total += sums[part * positions + position];
        totals[n] = total;
    }
}

// Second stage of L, minus infinity where there is no pair; as above, 16 bytes.
KERNEL(256) pair_log_totals(const double *leasts, const double *sums, const u32 *of_class, u64 positions, double temperature,
                            double *logs, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const u64 c = n / positions, position = n % positions;
        LogSum total = {1.7976931348623157e308, 0.0};
        for (u32 part = of_class[c]; part < of_class[c + 1]; ++part) {
            total.meet(leasts[part * positions + position], sums[part * positions + position], temperature);
        }
        logs[n] = total.sum > 0.0 ? log(total.sum) - total.least / temperature : log(0.0);
    }
}

// A from B: pairs[a, b] = the sum of totals[b, position] over the rows of class a, sizes[a] of them from starts[a] on. A block has a
// number of the result: strided sums of 256 threads and a tree; 8 bytes are read per row and class, once.
KERNEL(256) pair_class_totals(const double *totals, const u32 *starts, const u32 *sizes, u32 classes, u64 positions, double *pairs) {
    __shared__ double room[256];
    const u32 a = blockIdx.x / classes, b = blockIdx.x % classes;
    const double *of_class = totals + b * positions + starts[a];
    double sum = 0.0;
    for (u32 n = threadIdx.x; n < sizes[a]; n += 256) sum += of_class[n];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) pairs[blockIdx.x] = sum;
}
