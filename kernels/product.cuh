// C = A B for every replica, one text for the three transpositions of a dense layer.
//
//     C(m, n) = sum_k A(m, k) B(k, n) + bias(n)     and f(C) beside it, or f'(z) C, or the sum of A over k
//
// Tile: a block has BM x BN elements of C, a thread 4 x 4 of them in registers; k goes by in slices of 16 that are staged in shared
// memory, in two places by turns, the next slice being on its way meanwhile: of an operand that is read along m by asynchronous copies to
// the other place, of one along k in registers. Pieces of 16 bytes are read where addresses allow it; in either case a warp's request
// is whole sectors, wherever rows begin (`Stage`).
// Both operands lie there as [k][m] and [k][n]. One that is read along k has 4 floats of padding: a warp that stores a slice of it meets
// 32 banks (16 rows apart by one, two columns of k apart by 4 x (BM + 4) = 16 modulo 32; or 4 rows and 8 columns of k); along m it is
// stored as it is read. Reads are of
// 16 bytes, broadcast or next to each other. The bias comes by way of shared memory, and so does a tile of C whose rows are no whole
// sectors (`Staged`): neighbouring threads read and write neighbouring floats.
//
// Bytes moved by a block and slice: 64 (BM + BN); operations: 32 BM BN. Arithmetic intensity of 64 x 64: 16 operations per byte
// from the second-level cache; from memory K / 4 and more for wide layers, which is past the ridge of an A100 (10) and an H100 (20).
//
// Deterministic: the bits of C(m, n) are a function of k, `depth`, the lane's rows, A(m, .) and B(., n):
//     s_b = fma(A(m, k), B(k, n), s_b)  for k in block b of `depth`, in order, from 0
//     s   = ((s_0 + s_1) + s_2) + ...
// which are the roundings of src/backend/cpu/gemm. Which tile, thread, replica or vector width serves it is no part of that. With
// several lanes (split k) each has its own s in `c`, and `lanes_total` adds them in a fixed tree.
#pragma once
#include "async_copy.cuh"
#include "functions.cuh"

// A matrix that is read; m is its long index (of C), k the summed one. Elements lie along k or along m:
//     along k: data[replica * batch + (m / group) * outer + (m % group) * leading + k]
//     along m: data[replica * batch + (m / group) * outer + (m % group) + k * leading]
// `group` is m's range, except where the replicas' units are one wide matrix. `together` is 4 or 1: so many neighbours from a multiple
// of it on are in one group and aligned to their size.
struct Operand {
    const float *data;
    u64 batch, outer;
    u32 group, leading;
    u64 together;
};

// What a product is; sizes as src/backend/cuda/product.rs fills them in. Element (m, n) of a replica's C is at
// c[lane * lane_stride + replica * c_batch + (n / c_group) * c_outer + m * c_leading + n % c_group].
struct Product {
    Operand a, b;
    float *c;
    // f(C), or of an input gradient f'(z) C, at the same places; null if only C is wanted.
    float *activated;
    // What f' is taken of, at the same places (functions.cuh).
    const float *z;
    // [replicas, n], or null.
    const float *bias;
    // [lanes, replicas, m]: the sum of A over k; null if it is not wanted.
    float *a_sums;
    u64 c_batch, c_outer, lane_stride;
    u32 c_group, c_leading;
    u32 m, n, k, depth;
    // Rows of k that make a tile of lanes, lanes, replicas.
    u32 lane_tile, lanes, replicas;
    // Whether C and the sums of A meet what is there.
    u32 adds, a_sums_add;
    u32 function;
    // Whether four neighbours of n from a multiple of four on are 16 aligned bytes of C, and its groups whole sectors.
    u32 c_aligned;
};

namespace {

const u32 SLICE = 16;
const u32 HALF = SLICE / 2;
const u32 THREADS = 256;

// How one thread stages its part of slices of an operand that is read along k, of `WIDE` rows of C: registers have the numbers on their way.
//
// A request of a warp reads whole sectors, wherever rows begin: 16 rows' sectors in fours or 4 rows' number by number. So a row's part of
// a slice is the 16 columns from its first whole sector on, `turned` columns later than the slice's: the last of them belong to the next slice,
// whose place in shared memory they go to, and a round before the first slice brings what rows have before their first whole sector.
// Rows of up to 32 columns are read round their ends instead: the end of a row and the start of the next, which are often one
// sector, are one request. Rows of up to 8 numbers are not turned: four of them are one piece.
template <u32 WIDE, bool ALONG_K> struct Stage;

template <u32 WIDE> struct Stage<WIDE, true> {
    static const u32 FOURS = WIDE * SLICE / 4;
    // Fours of a thread; narrow operands leave threads idle.
    static const u32 OWN = (FOURS + THREADS - 1) / THREADS;
    static const u32 STRIDE = WIDE + 4;
    static const u32 SIZE = SLICE * STRIDE;

    // Of the row of the thread's first sector.
    const float *from;
    // How much later than the slice's the columns of the thread's first sector are.
    u32 turned;
    float numbers[4 * OWN] = {};

    // Sectors go one row after the other, then those of the second half of the slice. A thread has a part of every `APART`th.
    static const u32 APART_OF_FOURS = THREADS / 2, APART = THREADS / 8;
    __device__ static u32 sector(const Operand &o) { return o.together == 4 ? threadIdx.x / 2 : threadIdx.x / 8; }
    __device__ static u32 row(const Operand &o) { return sector(o) % WIDE; }

    // Whether there is a round before the first slice; `columns` is a row's length, which is k's range.
    __device__ static bool ahead(const Operand &o, u32 columns) { return columns > SLICE && (o.batch % 8 != 0 || o.leading % 8 != 0); }
    __device__ static bool in_one_round(const Operand &o, u32 columns) { return ahead(o, columns) && columns <= 2 * SLICE; }
    // Whether the slice at k0 lacks nothing.
    __device__ static bool nothing(const Operand &o, u32 columns, u32 k0) {
        return k0 == 0 - SLICE ? !ahead(o, columns) : k0 == SLICE && in_one_round(o, columns);
    }
    // The column of a thread's number `later` than its first one. Of rows that are read round their ends the first round has what is left, in
    // as many sectors as it takes: where that is one, the second goes to columns that nobody reads. Tiles of 64 rows have no registers
    // left for it, and read halves of 17 to 24 columns' last sectors twice.
    __device__ u32 k_of(const Operand &o, u32 columns, u32 k0, u32 later) const {
        const u32 k = k0 + turned + later;
        if (columns <= SLICE) return k % SLICE;
        if (!in_one_round(o, columns)) return k;
        const u32 around = k % (2 * SLICE), end = SLICE + HALF;
        if (WIDE == 64 || k0 == 0 || columns > end) return around;
        return sector(o) / WIDE * HALF + later >= HALF ? around | end : around % end;
    }

    __device__ void start(const Operand &o, u32 replica, u32 first, u32, u32 columns) {
        const u64 at = replica * o.batch + static_cast<u64>(first + row(o)) * o.leading;
        from = o.data + at;
        turned = (columns <= 8 ? 0 : (0 - static_cast<u32>(at)) % 8) + sector(o) / WIDE * 8 + (o.together == 4 ? threadIdx.x % 2 * 4 : threadIdx.x % 8);
    }

    // Fetches what the slice at k0 lacks; the round before the first has k0 = -16. What is not there is 0.
    __device__ void fetch(const Operand &o, u32 first, u32 range, u32 k0, u32 columns, float *) {
        if (nothing(o, columns, k0)) return;
        const u32 m = first + row(o);
        if (o.together == 4) {
#pragma unroll
            for (u32 i = 0; i < OWN; ++i) {
                const u32 k = k_of(o, columns, k0, i * APART_OF_FOURS / WIDE * 8), below = i * APART_OF_FOURS % WIDE;
                float4 four = {0.0f, 0.0f, 0.0f, 0.0f};
                if (threadIdx.x + i * THREADS < FOURS && m + below < range && k < columns) four = load4(from + below * static_cast<u64>(o.leading) + k);
                numbers[4 * i] = four.x;
                numbers[4 * i + 1] = four.y;
                numbers[4 * i + 2] = four.z;
                numbers[4 * i + 3] = four.w;
            }
            return;
        }
#pragma unroll
        for (u32 i = 0; i < WIDE / 16; ++i) {
            const u32 k = k_of(o, columns, k0, i * APART / WIDE * 8), below = i * APART % WIDE;
            numbers[i] = m + below < range && k < columns ? from[below * static_cast<u64>(o.leading) + k] : 0.0f;
        }
    }

    // After it, and a barrier, all of the slice at k0 is there. Nobody reads `slices` meanwhile.
    __device__ void store(const Operand &o, u32 k0, u32 columns, float *slices) const {
        if (nothing(o, columns, k0)) return;
        if (o.together == 4) {
#pragma unroll
            for (u32 i = 0; i < OWN; ++i) {
                const u32 k = k_of(o, columns, k0, i * APART_OF_FOURS / WIDE * 8);
                if (threadIdx.x + i * THREADS >= FOURS) continue;
                float *to = place(slices, k) + row(o) + i * APART_OF_FOURS % WIDE;
                to[0] = numbers[4 * i];
                to[STRIDE] = numbers[4 * i + 1];
                to[2 * STRIDE] = numbers[4 * i + 2];
                to[3 * STRIDE] = numbers[4 * i + 3];
            }
            return;
        }
#pragma unroll
        for (u32 i = 0; i < WIDE / 16; ++i) {
            const u32 k = k_of(o, columns, k0, i * APART / WIDE * 8);
            place(slices, k)[row(o) + i * APART % WIDE] = numbers[i];
        }
    }

    __device__ static float *place(float *slices, u32 k) { return slices + k % (2 * SLICE) / SLICE * SIZE + k % SLICE * STRIDE; }
};

// The same of one that is read along m: a fetch fills the slice that nobody reads.
//
// Fours are copied in the background. Number by number, a warp reads 32 neighbours: of rows that are longer from their first
// whole sector on, and round their end.
template <u32 WIDE> struct Stage<WIDE, false> {
    static const u32 FOURS = WIDE * SLICE / 4;
    static const u32 OWN = (FOURS + THREADS - 1) / THREADS;
    static const u32 STRIDE = WIDE;
    static const u32 SIZE = SLICE * STRIDE;

    // Of k = 0: the thread's four or number, or the tile's first where rows are read from a sector on.
    const float *from;

    __device__ static bool in_fours(const Operand &o, u32 range) { return o.together == 4 && range % 4 == 0; }
    // Numbers of a row are counted modulo so many, a power of two; 0: as they lie.
    __device__ static u32 round(const Operand &o, u32 first, u32 range) {
        const u32 rows = range - first;
        if (WIDE < 64 || o.group < range || rows <= 32) return 0;
        return WIDE == 64 || rows <= 64 ? 64 : rows <= 128 ? 128 : 256;
    }

    __device__ void start(const Operand &o, u32 replica, u32 first, u32 range, u32) {
        const u32 m = first + (in_fours(o, range) ? threadIdx.x % (WIDE / 4) * 4 : round(o, first, range) > 0 ? 0 : threadIdx.x % WIDE);
        const u32 group = o.group < range ? m / o.group : 0;
        from = o.data + replica * o.batch + group * o.outer + (m - group * o.group);
    }

    __device__ void fetch(const Operand &o, u32 first, u32 range, u32 k0, u32 k_end, float *slices) {
        if (k0 == 0 - SLICE) return;
        float *slice = slices + k0 / SLICE % 2 * SIZE;
        const u32 rows = range - first < WIDE ? range - first : WIDE;
        if (in_fours(o, range)) {
#pragma unroll
            for (u32 i = 0; i < OWN; ++i) {
                const u32 mine = threadIdx.x + i * THREADS;
                const u32 m = mine % (WIDE / 4) * 4, column = mine / (WIDE / 4), k = k0 + column;
                float *to = slice + column * STRIDE + m;
                if (mine >= FOURS) continue;
                if (k < k_end && m < rows) {
                    copy16_async(to, from + static_cast<u64>(k) * o.leading, true);
                } else {
                    store4(to, float4{0.0f, 0.0f, 0.0f, 0.0f});
                }
            }
            return;
        }
        const u32 turns = round(o, first, range), mine = threadIdx.x % WIDE;
        float numbers[WIDE / 16];
        u32 to[WIDE / 16];
#pragma unroll
        for (u32 i = 0; i < WIDE / 16; ++i) {
            const u32 column = threadIdx.x / WIDE + i * (THREADS / WIDE), k = k0 + column;
            const float *at = from + static_cast<u64>(k) * o.leading;
            u32 m = mine;
            if (mine < turns) m = (mine - static_cast<u32>(reinterpret_cast<u64>(at) / 4) % 8) & (turns - 1);
            to[i] = column * STRIDE + m;
            numbers[i] = k < k_end && m < rows ? at[turns > 0 ? m : 0] : 0.0f;
        }
#pragma unroll
        for (u32 i = 0; i < WIDE / 16; ++i) slice[to[i]] = numbers[i];
    }

    // After it, and a barrier, all of the slice is there.
    __device__ void store(const Operand &, u32, u32, float *) const { wait_for_copies(); }
};

// A tile of C on its way through shared memory; `width` columns of it are there. It goes in pieces of ROWS rows, which is what the operands'
// slices have room for.
//
// A narrow tile lies there as [row][width] without gaps, so that neighbouring threads read neighbouring floats of several rows. Were number (i, j)
// of the 4 x 4 put by all threads at once, threads four columns apart would meet in few banks: so a thread begins with column
// `turn`, which makes addresses differ modulo 4, and with row `flip` where rows of 2 (or 6, 10, 14) numbers repeat after 16. Then 32
// threads meet 32 banks, whatever the width. In a wide tile a warp reads one row.
template <u32 BM, u32 BN> struct Staged {
    static const u32 ROWS = BN == 64 ? 16 : BM;
    static const bool NARROW = BN == 16;

    float *room;
    u32 width;

    // From a row to the next.
    __device__ u32 stride() const { return NARROW ? width : BN; }

    // Puts a thread's numbers where they belong in their piece, at row `at_m` and column `at_n` of it.
    __device__ void place(const float (&numbers)[4][4], u32 at_m, u32 at_n) const {
        if (!NARROW || width % 4 == 0) {
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
                if (at_n < width) store4(room + (at_m + i) * stride() + at_n, float4{numbers[i][0], numbers[i][1], numbers[i][2], numbers[i][3]});
            }
            return;
        }
        const u32 turn = threadIdx.x % 4, flip = width % 4 == 2 ? threadIdx.x / 16 % 2 * 2 : 0;
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            // Turned by one and by two: number j is that of column (j + turn) % 4.
            float four[4], once[4], twice[4];
#pragma unroll
            for (u32 j = 0; j < 4; ++j) four[j] = flip == 0 ? numbers[i][j] : numbers[i ^ 2][j];
#pragma unroll
            for (u32 j = 0; j < 4; ++j) once[j] = turn & 1 ? four[(j + 1) % 4] : four[j];
#pragma unroll
            for (u32 j = 0; j < 4; ++j) twice[j] = turn & 2 ? once[(j + 2) % 4] : once[j];
#pragma unroll
            for (u32 j = 0; j < 4; ++j) {
                const u32 n = at_n + (j + turn) % 4;
                if (n < width) room[(at_m + (i ^ flip)) * width + n] = twice[j];
            }
        }
    }
};

// One block of the product; a `FORWARD` one has bias and function, another may meet what is there, and one along k a derivative. `a_slices` and `b_slices` are shared memory
// for two slices each, of 16 rows of BM and BN floats and, where they are read along k, 4 floats of padding.
template <u32 BM, u32 BN, bool A_ALONG_K, bool B_ALONG_K, bool FORWARD>
__device__ inline void product(const Product &p, float *a_slices, float *b_slices) {
    const bool DERIVATIVE = A_ALONG_K && !FORWARD;
    const u32 n_tiles = (p.n + BN - 1) / BN > 0 ? (p.n + BN - 1) / BN : 1;
    const u32 m_tiles = (p.m + BM - 1) / BM;
    u32 block = blockIdx.x;
    const u32 n_tile = block % n_tiles;
    block /= n_tiles;
    const u32 m_tile = block % m_tiles;
    block /= m_tiles;
    const u32 lane = block % p.lanes, replica = block / p.lanes;
    const u32 first_m = m_tile * BM, first_n = n_tile * BN;

    // The lane's k: whole tiles of them.
    const u32 k_tiles = (p.k + p.lane_tile - 1) / p.lane_tile;
    const u32 k_begin = static_cast<u32>(part_start(k_tiles, lane, p.lanes)) * p.lane_tile;
    const u64 lane_end = part_start(k_tiles, lane + 1, p.lanes) * p.lane_tile;
    const u32 k_end = lane_end < p.k ? static_cast<u32>(lane_end) : p.k;

    const u32 at_m = threadIdx.x / (BN / 4) * 4, at_n = threadIdx.x % (BN / 4) * 4;
    float total[4][4] = {}, sum[4][4] = {};
    // The first tile of columns sums A itself over k: a thread has a row of the tile.
    const bool sums_a = p.a_sums != nullptr && n_tile == 0 && threadIdx.x < BM;
    float a_total = 0.0f, a_sum = 0.0f;

    using OfA = Stage<BM, A_ALONG_K>;
    using OfB = Stage<BN, B_ALONG_K>;
    OfA a;
    OfB b;
    a.start(p.a, replica, first_m, p.m, k_end);
    b.start(p.b, replica, first_n, p.n, k_end);
    u32 block_end = k_end - k_begin < p.depth ? k_end : k_begin + p.depth;
    // The first slice is fetched two rounds before it is used, when only what rows have before it is there to be stored.
    const u32 rounds = k_begin < k_end ? (k_end - k_begin + SLICE - 1) / SLICE + 2 : 0;
    u32 k = k_begin - 2 * SLICE;
#pragma unroll 1
    for (u32 round = 0; round < rounds; ++round, k += SLICE) {
        if (round > 0) {
            a.store(p.a, k, k_end, a_slices);
            b.store(p.b, k, k_end, b_slices);
        }
        // From here on nobody reads the slices before.
        __syncthreads();
        if (round + 1 < rounds) {
            a.fetch(p.a, first_m, p.m, k + SLICE, k_end, a_slices);
            b.fetch(p.b, first_n, p.n, k + SLICE, k_end, b_slices);
        }
        if (round < 2) continue;
        const float *a_slice = a_slices + k / SLICE % 2 * OfA::SIZE, *b_slice = b_slices + k / SLICE % 2 * OfB::SIZE;
        // Blocks of k are whole halves of a slice. Without a jump where registers last.
        [[maybe_unused]] const u32 HALVES = BM == 256 ? 1 : 2;
#pragma unroll HALVES
        for (u32 half = 0; half < SLICE && half < k_end - k; half += HALF) {
#pragma unroll
            for (u32 kk = half; kk < half + HALF; ++kk) {
                const float4 x = load4(a_slice + kk * OfA::STRIDE + at_m), y = load4(b_slice + kk * OfB::STRIDE + at_n);
                const float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
                for (u32 i = 0; i < 4; ++i) {
#pragma unroll
                    for (u32 j = 0; j < 4; ++j) sum[i][j] = fmaf(xs[i], ys[j], sum[i][j]);
                }
            }
            if (sums_a) {
                for (u32 kk = half; kk < half + HALF; ++kk) a_sum += a_slice[kk * OfA::STRIDE + threadIdx.x];
            }
            if (block_end - k > half + HALF) continue;
            block_end = k_end - block_end < p.depth ? k_end : block_end + p.depth;
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
#pragma unroll
                for (u32 j = 0; j < 4; ++j) {
                    total[i][j] += sum[i][j];
                    sum[i][j] = 0.0f;
                }
            }
            a_total += a_sum;
            a_sum = 0.0f;
        }
        if (A_ALONG_K || B_ALONG_K) __syncthreads();
    }
    // The slices' room is used anew.
    if (!A_ALONG_K && !B_ALONG_K) __syncthreads();

    if (sums_a && first_m + threadIdx.x < p.m) {
        put(p.a_sums + (static_cast<u64>(lane) * p.replicas + replica) * p.m + first_m + threadIdx.x, a_total, p.a_sums_add);
    }
    if (p.c == nullptr) return;
    const u32 width = p.n - first_n < BN ? p.n - first_n : BN;
    if (FORWARD && p.bias != nullptr) {
        if (threadIdx.x < BN) {
            b_slices[threadIdx.x] = threadIdx.x < width ? p.bias[static_cast<u64>(replica) * p.n + first_n + threadIdx.x] : 0.0f;
        }
        __syncthreads();
        const float4 bias = load4(b_slices + at_n);
        const float four[4] = {bias.x, bias.y, bias.z, bias.w};
#pragma unroll
        for (u32 n = 0; n < 16; ++n) total[n / 4][n % 4] += four[n % 4];
    }
    const u64 tile = lane * p.lane_stride + replica * p.c_batch;
    // Columns are stored directly where they are whole sectors of each row, or many.
    if (p.c_aligned && (p.c_leading % 8 == 0 ? width == 8 || (width >= 16 && width % 4 == 0) : width >= 32 && width % 4 == 0)) {
        const u32 n = first_n + at_n;
        const u64 column = (n / p.c_group) * p.c_outer + n % p.c_group;
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            const u32 m = first_m + at_m + i;
            if (m >= p.m || at_n >= width) break;
            const u64 at = tile + static_cast<u64>(m) * p.c_leading + column;
            float4 four = {total[i][0], total[i][1], total[i][2], total[i][3]};
            if (!FORWARD && p.adds) {
                const float4 old = load4(p.c + at);
                four = {old.x + four.x, old.y + four.y, old.z + four.z, old.w + four.w};
            }
            store4(p.c + at, four);
            if (DERIVATIVE && p.activated != nullptr) {
                const float4 z = load4(p.z + at);
                store4(p.activated + at, float4{cheap_slope_of(p.function, z.x) * four.x, cheap_slope_of(p.function, z.y) * four.y,
                                                cheap_slope_of(p.function, z.z) * four.z, cheap_slope_of(p.function, z.w) * four.w});
            }
            if (FORWARD && p.activated != nullptr) {
                store4(p.activated + at, float4{cheap_value_of(p.function, four.x), cheap_value_of(p.function, four.y),
                                                cheap_value_of(p.function, four.z), cheap_value_of(p.function, four.w)});
            }
        }
        return;
    }
    using OfC = Staged<BM, BN>;
    const OfC staged = {BM >= BN ? a_slices : b_slices, width};
#pragma unroll 1
    for (u32 piece = 0; piece < BM && first_m + piece < p.m; piece += OfC::ROWS) {
        if (at_m / OfC::ROWS * OfC::ROWS == piece) staged.place(total, at_m % OfC::ROWS, at_n);
        __syncthreads();
        const u32 rows = p.m - first_m - piece < OfC::ROWS ? p.m - first_m - piece : OfC::ROWS;
        // A warp stores neighbours of one group: in a wide tile those of the next begin with the next warp.
#pragma unroll 1
        for (u32 from = first_n, to; from < first_n + width; from = to) {
            to = first_n + width;
            if (!OfC::NARROW && to - from > p.c_group - from % p.c_group) to = from + p.c_group - from % p.c_group;
            const u32 slots = OfC::NARROW ? width : (to - from + 31) / 32 * 32;
#pragma unroll 1
            for (u32 place = threadIdx.x; place < rows * slots; place += THREADS) {
                const u32 row = place / slots, n = from + place % slots;
                if (n >= to) continue;
                const u64 at = tile + static_cast<u64>(first_m + piece + row) * p.c_leading + (n / p.c_group) * p.c_outer + n % p.c_group;
                float value = staged.room[row * staged.stride() + n - first_n];
                if (!FORWARD && p.adds) value = p.c[at] + value;
                p.c[at] = value;
                if (FORWARD && p.activated != nullptr) p.activated[at] = cheap_value_of(p.function, value);
                if (DERIVATIVE && p.activated != nullptr) p.activated[at] = cheap_slope_of(p.function, p.z[at]) * value;
            }
        }
        __syncthreads();
    }
}

} // namespace
