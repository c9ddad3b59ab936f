// The gradient of sum_ic w_ic L_ic, L_ic = log sum_{j in c} e^(-d_ij^2 / T), by the points: backward of pair_log_sums by recomputation.
//
//     dx_i = sum_j W_ij (x_i - x_j)     W_ij = -(2 / T) (w_ic e^(-d_ij^2 / T - L_ic) + w_ja e^(-d_ij^2 / T - L_ja)),  c of j, a of i
//
// The first term is there if rows are the points that L belongs to (`own`), the second if columns are (`partner`): both for one set; of two
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

// What a block is asked: points, tiles and their classes, and L and w as [class, position] of the points that they belong to.
template <class T> struct Asked {
    const T *rows, *columns;
    u32 stride;
    const u32 *row_classes, *valid, *column_classes;
    u32 tiles, part_tiles, parts, slabs;
    double temperature;
    const double *logs, *weights;
    u64 positions;
    u32 own, partner;
};

// How L and w of the columns lie in shared memory: number n of those that thread `across` has is at n * COLUMN_STEP + across.
template <class T> struct Columns {
    static const u32 PER = 16 / sizeof(T);
    static const u32 COLUMN_STEP = sizeof(T) == 4 ? 20 : 24;

    __device__ static u32 place(u32 column) {
        return (column / (16 * PER) * PER + column % PER) * COLUMN_STEP + column % (16 * PER) / PER;
    }
};

// L and w of what a tile compares: [rows] and, by `Columns`, [columns].
struct Weighed {
    double row_logs[64], row_weights[64], column_logs[96], column_weights[96];
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

template <class T, u32 ROWS, u32 COORDINATES, u32 PULLS>
__device__ inline void gradient(const Asked<T> &p, double *slopes, u64 row_positions, T *x_slice, T *y_slice, T *pulls, T *slab,
                                Weighed &weighed) {
    using Pairs = Tile<T, ROWS>;
    const u32 WIDTH = COORDINATES / 16, STEP = Columns<T>::COLUMN_STEP;
    u32 block = blockIdx.x;
    const u32 part = block % p.parts;
    block /= p.parts;
    const u32 first_coordinate = block % p.slabs * COORDINATES;
    const u64 first = static_cast<u64>(block / p.slabs) * ROWS;
    const u32 a = p.row_classes[first / TILE];
    const u32 up = threadIdx.x / 16, across = threadIdx.x % 16;
    // The thread's own rows and coordinates.
    T x[Pairs::OWN][WIDTH];
    double total[Pairs::OWN][WIDTH] = {};
#pragma unroll
    for (u32 n = 0; n < Pairs::OWN * WIDTH; ++n) {
        const u32 k = first_coordinate + across + 16 * (n % WIDTH);
        x[n / WIDTH][n % WIDTH] = k < p.stride ? p.rows[(first + Pairs::place(up, n / WIDTH)) * p.stride + k] : T(0);
    }
    const u32 end = (part + 1) * p.part_tiles < p.tiles ? (part + 1) * p.part_tiles : p.tiles;
    for (u32 tile = part * p.part_tiles; tile < end; ++tile) {
        const u64 start = static_cast<u64>(tile) * TILE;
        const T *columns = p.columns + start * p.stride;
        const u32 there = p.valid[tile], c = p.column_classes[tile];
        // Positions are fewer than 2^32.
        const u32 apart = static_cast<u32>(first - start);
        // The barriers of the tile are between these and who reads them.
        if (p.own && threadIdx.x < ROWS) {
            weighed.row_logs[threadIdx.x] = p.logs[c * p.positions + first + threadIdx.x];
            weighed.row_weights[threadIdx.x] = p.weights[c * p.positions + first + threadIdx.x];
        }
        if (p.partner && threadIdx.x >= 128 && threadIdx.x < 128 + TILE) {
            const u32 column = threadIdx.x - 128;
            weighed.column_logs[Columns<T>::place(column)] = p.logs[a * p.positions + start + column];
            weighed.column_weights[Columns<T>::place(column)] = p.weights[a * p.positions + start + column];
        }
        T sum[Pairs::OWN][4];
        Pairs::sums(p.rows + first * p.stride, columns, p.stride, false, x_slice, y_slice, sum);
#pragma unroll
        for (u32 n = 0; n < 4 * Pairs::OWN; ++n) {
            const u32 column = Pairs::place(across, n % 4), row = Pairs::place(up, n / 4);
            T pull = 0;
            // A point of one set is no pair with itself.
            if (column < there && !(p.own && p.partner && apart + row == column)) {
                const double exponent = -static_cast<double>(sum[n / 4][n % 4]) / p.temperature;
                double both = 0.0;
                if (p.own) both += weighed.row_weights[row] * exponential(exponent - weighed.row_logs[row], T(0));
                if (p.partner) {
                    const u32 at = n % 4 * STEP + across;
                    both += weighed.column_weights[at] * exponential(exponent - weighed.column_logs[at], T(0));
                }
                pull = static_cast<T>(-2.0 / p.temperature * both);
            }
            sum[n / 4][n % 4] = pull;
        }
        put_pulls<T, ROWS, PULLS>(sum, pulls);
        for (u32 n = threadIdx.x; n < TILE * COORDINATES; n += 256) {
            const u32 k = first_coordinate + n % COORDINATES;
            slab[n] = k < p.stride ? columns[static_cast<u64>(n / COORDINATES) * p.stride + k] : T(0);
        }
        __syncthreads();
        T added[Pairs::OWN][WIDTH] = {};
        for (u32 j = 0; j < there; ++j) {
            T pull[Pairs::OWN];
            Pairs::template numbers<Pairs::OWN>(pulls + j * PULLS, up, pull);
#pragma unroll
            for (u32 n = 0; n < Pairs::OWN * WIDTH; ++n) {
                const T d = x[n / WIDTH][n % WIDTH] - slab[j * COORDINATES + across + 16 * (n % WIDTH)];
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
    __shared__ Weighed weighed;
    const Asked<float> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                (tiles + part_tiles - 1) / part_tiles, slabs, temperature, logs, weights, positions, terms & 1, terms & 2};
    gradient<float, 64, 32, 68>(asked, slopes, row_positions, x_slice, y_slice, pulls, slab, weighed);
}

// The same in f64 throughout: 32 rows and 32 coordinates.
KERNEL(256) pair_log_gradient_f64(const double *rows, const double *columns, u32 stride, const u32 *row_classes, const u32 *valid,
                                  const u32 *column_classes, u32 tiles, u32 part_tiles, u32 slabs, double temperature,
                                  const double *logs, const double *weights, u64 positions, u32 terms, double *slopes, u64 row_positions) {
    __shared__ __align__(16) double x_slice[8 * 36];
    __shared__ __align__(16) double y_slice[8 * 68];
    __shared__ __align__(16) double pulls[64 * 34];
    __shared__ __align__(16) double slab[64 * 32];
    __shared__ Weighed weighed;
    const Asked<double> asked = {rows, columns, stride, row_classes, valid, column_classes, tiles, part_tiles,
                                 (tiles + part_tiles - 1) / part_tiles, slabs, temperature, logs, weights, positions, terms & 1, terms & 2};
    gradient<double, 32, 32, 34>(asked, slopes, row_positions, x_slice, y_slice, pulls, slab, weighed);
}

// Second stage: the parts in order, into the first. A thread has a number; 8 bytes are read per part, once.
KERNEL(256) pair_gradient_total(double *slopes, u32 parts, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        double total = slopes[n];
        for (u32 part = 1; part < parts; ++part) total += slopes[part * count + n];
        slopes[n] = total;
    }
}
