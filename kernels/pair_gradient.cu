// Gradients of weighed sums over pairs by the points, distances recomputed: backward of pair_log_sums, S = sum_ic w_ic L_ic with
// L_ic = log sum_{j in c} e^(-d_ij^2 / T), and of pair_sums, S = sum_ic w_ic sum_{j in c} f(d_ij).
//
//     dx_i = sum_j W_ij (x_i - x_j)
//     W_ij = -(2 / T) (w_ic e^(-d_ij^2 / T - L_ic) + w_ja e^(-d_ij^2 / T - L_ja)),  c of j, a of i      logarithms
//     W_ij = (w_ic + w_ja) k(d_ij),   k(d) (x_i - x_j) being the gradient of f up to a number, which the caller multiplies by      sums
//
// For distances of absolute values (L1) the signs of x_i - x_j are in the place of the differences.
//
// The first term is there if rows are the points that w belongs to (`own`), the second if columns are (`partner`): both for one set; of two
// sets, one for the gradient by the points and the other, with the sets exchanged, for that by the others.
//
// Tile: pairs.cuh. A block has ROWS rows, a slab of 32 coordinates and a part of the columns: d^2 of a tile of pairs is computed
// again, W goes to shared memory as [column][row], the columns' slab beside it, and a thread adds to its own rows and coordinates, 4 x 2 in
// f32, 2 x 2 in f64. L and w of a tile's rows and columns come by way of shared memory too, each read once. All of it lies there so that
// threads that go together meet different banks. Bytes moved: those of the tile, and 4 or 8 per column and coordinate once more. Arithmetic intensity: 3 operations
// for each pair and coordinate twice, 16 per byte and more.
//
// Deterministic: columns come in order; a tile's 64 are added in f32 and then in f64; parts are added in order by a second kernel. How columns
// are cut depends on the numbers of rows and coordinates alone. No atomics.
#include "pairs.cuh"

namespace {

__device__ inline float exponential(double x, float) { return exp_of_negative(static_cast<float>(x)); }
__device__ inline double exponential(double x, double) { return exp(x); }

// What a block is asked: points, tiles and their classes, and w as [class, position] of the points that it belongs to.
template <class T> struct Asked {
    const T *rows, *columns;
    u32 stride;
    const u32 *row_classes, *valid, *column_classes;
    u32 tiles, part_tiles, parts, slabs;
    const double *weights;
    u64 positions;
    u32 own, partner;
};

// How numbers of the columns, L and w, lie in shared memory: number n of those that thread `across` has is at n * STEP + across. A warp
// stores 8 threads' four (16 threads' two in f64): of 4 bytes they lie 24 banks apart, of 8 bytes 40.
template <class T, class W> struct Columns {
    static const u32 PER = 16 / sizeof(T);
    static const u32 STEP = sizeof(T) == 4 && sizeof(W) == 8 ? 20 : 24;

    __device__ static u32 place(u32 column) { return (column / (16 * PER) * PER + column % PER) * STEP + column % (16 * PER) / PER; }
};

// A number for each of the rows and, by `Columns`, of the columns that a tile compares.
template <class T> struct Beside {
    T rows[64], columns[96];
};

// What pairs contribute to the gradient of logarithms: L lies beside the weights.
template <class T> struct OfLogs {
    using Weight = double;
    static const bool NEEDS_DISTANCES = true;
    double temperature;
    const double *logs;
    Beside<double> &beside;

    __device__ void row(u32 row, u64 from) const { beside.rows[row] = logs[from]; }
    __device__ void column(u32 column, u64 from) const { beside.columns[Columns<T, double>::place(column)] = logs[from]; }
    // What both terms of a pair share.
    __device__ double shared(T sum) const { return -static_cast<double>(sum) / temperature; }
    __device__ double of_row(double shared, u32 row) const { return exponential(shared - beside.rows[row], T(0)); }
    __device__ double of_column(double shared, u32 n, u32 across) const {
        return exponential(shared - beside.columns[n * Columns<T, double>::STEP + across], T(0));
    }
    __device__ double factor() const { return -2.0 / temperature; }
    __device__ static bool signs() { return false; }
};

// To that of sums of a function whose k is one of the distance, ROOT or EXPONENTIAL: the same for both terms.
template <class T> struct OfSums {
    using Weight = T;
    static const bool NEEDS_DISTANCES = true;
    u32 function;
    double parameter;
    // 1 / parameter.
    float inverse;

    __device__ void row(u32, u64) const {}
    __device__ void column(u32, u64) const {}
    // k(d); a pair without a distance has the subgradient 0.
    __device__ T shared(T sum) const {
        if (function == EXPONENTIAL) return exponential(-sum, parameter, inverse);
        return sum > 0 ? 1 / root(sum) : T(0);
    }
    __device__ T of_row(T k, u32) const { return k; }
    __device__ T of_column(T k, u32, u32) const { return k; }
    __device__ T factor() const { return 1; }
    __device__ static bool signs() { return false; }
};

// And to that of sums of squared distances, or with `absolute` of L1 distances, whose k is 1.
template <class T> struct OfDifferences {
    using Weight = T;
    static const bool NEEDS_DISTANCES = false;
    u32 absolute;

    __device__ void row(u32, u64) const {}
    __device__ void column(u32, u64) const {}
    __device__ T shared(T) const { return 1; }
    __device__ T of_row(T k, u32) const { return k; }
    __device__ T of_column(T k, u32, u32) const { return k; }
    __device__ T factor() const { return 1; }
    __device__ bool signs() const { return absolute; }
};

// Two or four neighbours in one access of 16 bytes.
__device__ inline void put16(float *to, const float (&from)[4]) { store4(to, float4{from[0], from[1], from[2], from[3]}); }
__device__ inline void put16(double *to, const double (&from)[2]) { store2(to, double2{from[0], from[1]}); }

// Puts a thread's pulls as [column][row], its rows of a column in one access. Columns of neighbouring threads are four (two of f64) apart and
// would meet in few banks, so a thread begins with column `turn` of its own.
template <class T, u32 ROWS, u32 PULLS> __device__ inline void put_pulls(const T (&pull)[Tile<T, ROWS>::OWN][4], T *pulls) {
    using Pairs = Tile<T, ROWS>;
    const u32 up = threadIdx.x / 16, across = threadIdx.x % 16;
    const u32 turn = sizeof(T) == 4 ? across / 2 % 4 : across / 4 % 2;
#pragma unroll
    for (u32 n = 0; n < 4; ++n) {
        T of_column[Pairs::OWN];
#pragma unroll
        for (u32 i = 0; i < Pairs::OWN; ++i) {
            // Number (n + turn) % 4, or in f64 n ^ turn.
            if (sizeof(T) == 4) {
                const T even = turn & 2 ? pull[i][(n + 2) % 4] : pull[i][n], odd = turn & 2 ? pull[i][(n + 3) % 4] : pull[i][(n + 1) % 4];
                of_column[i] = turn & 1 ? odd : even;
            } else {
                of_column[i] = turn & 1 ? pull[i][n ^ 1] : pull[i][n];
            }
        }
        const u32 own = sizeof(T) == 4 ? (n + turn) % 4 : n ^ turn;
        put16(pulls + Pairs::place(across, own) * PULLS + Pairs::place(up, 0), of_column);
    }
}

template <class T, u32 ROWS, u32 COORDINATES, u32 PULLS, class Terms>
__device__ inline void gradient(const Asked<T> &p, const Terms &terms, double *slopes, u64 row_positions, T *x_slice, T *y_slice, T *pulls,
                                T *slab, Beside<typename Terms::Weight> &weights) {
    using Pairs = Tile<T, ROWS>;
    using W = typename Terms::Weight;
    using OfWeights = Columns<T, W>;
    const u32 WIDTH = COORDINATES / 16;
    u32 block = blockIdx.x;
    const u32 part = block % p.parts;
    block /= p.parts;
    const u32 first_coordinate = block % p.slabs * COORDINATES;
    const u64 first = static_cast<u64>(block / p.slabs) * ROWS;
    const u32 a = p.row_classes[first / TILE];
    const u32 up = threadIdx.x / 16, across = threadIdx.x % 16;
    // The sums of the thread's own rows and coordinates.
    double total[Pairs::OWN][WIDTH] = {};
    const u32 end = (part + 1) * p.part_tiles < p.tiles ? (part + 1) * p.part_tiles : p.tiles;
    for (u32 tile = part * p.part_tiles; tile < end; ++tile) {
        const u64 start = static_cast<u64>(tile) * TILE;
        const T *columns = p.columns + start * p.stride;
        const u32 there = p.valid[tile], c = p.column_classes[tile];
        // Positions are fewer than 2^32.
        const u32 apart = static_cast<u32>(first - start);
        // The barriers of the tile are between these and who reads them.
        if (p.own && threadIdx.x < ROWS) {
            const u64 from = c * p.positions + first + threadIdx.x;
            terms.row(threadIdx.x, from);
            weights.rows[threadIdx.x] = static_cast<W>(p.weights[from]);
        }
        if (p.partner && threadIdx.x >= 128 && threadIdx.x < 128 + TILE) {
            const u32 column = threadIdx.x - 128;
            const u64 from = a * p.positions + start + column;
            terms.column(column, from);
            weights.columns[OfWeights::place(column)] = static_cast<W>(p.weights[from]);
        }
        T sum[Pairs::OWN][4];
        if (Terms::NEEDS_DISTANCES) {
            Pairs::sums(p.rows + first * p.stride, columns, p.stride, false, x_slice, y_slice, sum);
        } else {
            __syncthreads();
        }
#pragma unroll
        for (u32 n = 0; n < 4 * Pairs::OWN; ++n) {
            const u32 column = Pairs::place(across, n % 4), row = Pairs::place(up, n / 4);
            T pull = 0;
            // A point of one set is no pair with itself.
            if (column < there && !(p.own && p.partner && apart + row == column)) {
                const auto shared = terms.shared(sum[n / 4][n % 4]);
                W both = 0;
                if (p.own) both += weights.rows[row] * terms.of_row(shared, row);
                if (p.partner) both += weights.columns[n % 4 * OfWeights::STEP + across] * terms.of_column(shared, n % 4, across);
                pull = static_cast<T>(terms.factor() * both);
            }
            sum[n / 4][n % 4] = pull;
        }
        put_pulls<T, ROWS, PULLS>(sum, pulls);
        for (u32 n = threadIdx.x; n < TILE * COORDINATES; n += 256) {
            const u32 k = first_coordinate + n % COORDINATES;
            slab[n] = k < p.stride ? columns[static_cast<u64>(n / COORDINATES) * p.stride + k] : T(0);
        }
        __syncthreads();
        // The own coordinates are read for each tile again: they would take registers from the sums of pairs.
        T x[Pairs::OWN][WIDTH], added[Pairs::OWN][WIDTH] = {};
#pragma unroll
        for (u32 n = 0; n < Pairs::OWN * WIDTH; ++n) {
            const u32 k = first_coordinate + across + 16 * (n % WIDTH);
            x[n / WIDTH][n % WIDTH] = k < p.stride ? p.rows[(first + Pairs::place(up, n / WIDTH)) * p.stride + k] : T(0);
        }
        for (u32 j = 0; j < there; ++j) {
            T pull[Pairs::OWN];
            Pairs::template numbers<Pairs::OWN>(pulls + j * PULLS, up, pull);
#pragma unroll
            for (u32 n = 0; n < Pairs::OWN * WIDTH; ++n) {
                T d = x[n / WIDTH][n % WIDTH] - slab[j * COORDINATES + across + 16 * (n % WIDTH)];
                if (terms.signs()) d = static_cast<T>((d > 0) - (d < 0));
                added[n / WIDTH][n % WIDTH] += pull[n / WIDTH] * d;
            }
        }
#pragma unroll
        for (u32 n = 0; n < Pairs::OWN * WIDTH; ++n) total[n / WIDTH][n % WIDTH] += added[n / WIDTH][n % WIDTH];
        __syncthreads();
    }
#pragma unroll
    for (u32 n = 0; n < Pairs::OWN * WIDTH; ++n) {
        const u32 k = first_coordinate + across + 16 * (n % WIDTH);
        const u64 i = part * row_positions + first + Pairs::place(up, n / WIDTH);
        if (k < p.stride) slopes[i * p.stride + k] = total[n / WIDTH][n % WIDTH];
    }
}

} // namespace

// First stage: slopes[part, position, stride] of the rows' positions. `valid` and `column_classes` are of the columns' tiles, `logs` and
// `weights` have `positions` numbers for each class.
KERNEL(256) pair_log_gradient_f32(const float *rows, const float *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, double temperature,
                                  const double *logs, const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) float x_slice[16 * 68];
    __shared__ __align__(16) float y_slice[16 * 68];
    __shared__ __align__(16) float pulls[64 * 68];
    __shared__ __align__(16) float slab[64 * 32];
    __shared__ Beside<double> of_weights;
    __shared__ Beside<double> beside;
    const OfLogs<float> of = {temperature, logs, beside};
    const Asked<float> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                (tiles + part_tiles - 1) / part_tiles, slabs, weights, positions, terms & 1, terms & 2};
    gradient<float, 64, 32, 68>(asked, of, slopes, row_positions, x_slice, y_slice, pulls, slab, of_weights);
}

// The same in f64 throughout: 32 rows and 32 coordinates.
KERNEL(256) pair_log_gradient_f64(const double *rows, const double *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, double temperature,
                                  const double *logs, const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) double x_slice[8 * 36];
    __shared__ __align__(16) double y_slice[8 * 68];
    __shared__ __align__(16) double pulls[64 * 34];
    __shared__ __align__(16) double slab[64 * 32];
    __shared__ Beside<double> of_weights;
    __shared__ Beside<double> beside;
    const OfLogs<double> of = {temperature, logs, beside};
    const Asked<double> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                 (tiles + part_tiles - 1) / part_tiles, slabs, weights, positions, terms & 1, terms & 2};
    gradient<double, 32, 32, 34>(asked, of, slopes, row_positions, x_slice, y_slice, pulls, slab, of_weights);
}

// First stage for sums of distances or exponentials.
KERNEL(256) pair_sum_gradient_f32(const float *rows, const float *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, u32 function,
                                  double parameter, const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) float x_slice[16 * 68];
    __shared__ __align__(16) float y_slice[16 * 68];
    __shared__ __align__(16) float pulls[64 * 68];
    __shared__ __align__(16) float slab[64 * 32];
    __shared__ Beside<float> of_weights;
    const OfSums<float> of = {function, parameter, static_cast<float>(1.0 / parameter)};
    const Asked<float> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                (tiles + part_tiles - 1) / part_tiles, slabs, weights, positions, terms & 1, terms & 2};
    gradient<float, 64, 32, 68>(asked, of, slopes, row_positions, x_slice, y_slice, pulls, slab, of_weights);
}

// The same in f64.
KERNEL(256) pair_sum_gradient_f64(const double *rows, const double *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, u32 function,
                                  double parameter, const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) double x_slice[8 * 36];
    __shared__ __align__(16) double y_slice[8 * 68];
    __shared__ __align__(16) double pulls[64 * 34];
    __shared__ __align__(16) double slab[64 * 32];
    __shared__ Beside<double> of_weights;
    const OfSums<double> of = {function, parameter, static_cast<float>(1.0 / parameter)};
    const Asked<double> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                 (tiles + part_tiles - 1) / part_tiles, slabs, weights, positions, terms & 1, terms & 2};
    gradient<double, 32, 32, 34>(asked, of, slopes, row_positions, x_slice, y_slice, pulls, slab, of_weights);
}

// First stage for sums of squared distances or L1 distances.
KERNEL(256) pair_difference_gradient_f32(const float *rows, const float *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, u32 absolute,
                                  const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) float pulls[64 * 68];
    __shared__ __align__(16) float slab[64 * 32];
    __shared__ Beside<float> of_weights;
    const OfDifferences<float> of = {absolute};
    const Asked<float> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                (tiles + part_tiles - 1) / part_tiles, slabs, weights, positions, terms & 1, terms & 2};
    gradient<float, 64, 32, 68>(asked, of, slopes, row_positions, nullptr, nullptr, pulls, slab, of_weights);
}

// The same in f64.
KERNEL(256) pair_difference_gradient_f64(const double *rows, const double *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, u32 absolute,
                                  const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) double pulls[64 * 34];
    __shared__ __align__(16) double slab[64 * 32];
    __shared__ Beside<double> of_weights;
    const OfDifferences<double> of = {absolute};
    const Asked<double> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                 (tiles + part_tiles - 1) / part_tiles, slabs, weights, positions, terms & 1, terms & 2};
    gradient<double, 32, 32, 34>(asked, of, slopes, row_positions, nullptr, nullptr, pulls, slab, of_weights);
}

// Second stage: the parts in order, into the first. A thread has a number; 8 bytes are read per part, once.
KERNEL(256) pair_gradient_total(double *slopes, u32 parts, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        double total = slopes[n];
        for (u32 part = 1; part < parts; ++part) total += slopes[part * count + n];
        slopes[n] = total;
    }
}
