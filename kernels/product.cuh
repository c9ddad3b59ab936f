// C = A B for every replica, one text for the three transpositions of a dense layer.
//
//     C(m, n) = sum_k A(m, k) B(k, n) + bias(n)     and f(C) beside it, or the sum of A over k
//
// Tile: a block has BM x BN elements of C, a thread 4 x 4 of them in registers; k goes by in slices of 16 that are staged in shared
// memory, the next slice being on its way meanwhile: of an operand that is read along m by asynchronous copies to a second place, of one
// along k in registers. A slice is read in pieces of 16 bytes where addresses allow it.
// Both operands lie there as [k][m] and [k][n]. One that is read along k has 4 floats of padding: a warp that stores a slice of it meets
// 32 banks (16 rows apart by one, two columns of k apart by 4 x (BM + 4) = 16 modulo 32); along m it is stored as it is read. Reads are of
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
// `group` is m's range, except where the replicas' units are one wide matrix. `together` is 4, 2 or 1: so many neighbours from a multiple
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
    // f(C), at the same places; null if only C is wanted.
    float *activated;
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
const u32 THREADS = 256;

// How one thread stages its part of a slice of an operand of `WIDE` rows of C: where its fours start, and, along k, the numbers on their
// way. Shared memory has PLACES for slices of SIZE floats: along m `fetch` fills the one that is not read, along k `store` does when nobody reads.
template <u32 WIDE, bool ALONG_K> struct Stage {
    // Fours of floats of a slice, and those of a thread; narrow operands leave threads idle.
    static const u32 FOURS = WIDE * SLICE / 4;
    static const u32 OWN = (FOURS + THREADS - 1) / THREADS;
    static const u32 STRIDE = ALONG_K ? WIDE + 4 : WIDE;
    static const u32 PLACES = ALONG_K ? 1 : 2;
    static const u32 SIZE = SLICE * STRIDE;

    const float *from[OWN];
    // Rows of m that are there, 0 to 4 (along m), or 0 and 1 (along k).
    u32 there[OWN];
    float4 fours[OWN];

    // Which four: m (of the tile) and k (of the slice). Two neighbouring threads have the two halves of a sector.
    __device__ static u32 row(u32 four) { return ALONG_K ? (four >> 1) % WIDE : four % (WIDE / 4) * 4; }
    __device__ static u32 column(u32 four) { return ALONG_K ? 4 * ((four & 1) + 2 * ((four >> 1) / WIDE)) : four / (WIDE / 4); }

    __device__ void start(const Operand &o, u32 replica, u32 first, u32 range) {
#pragma unroll
        for (u32 i = 0; i < OWN; ++i) {
            const u32 four = threadIdx.x + i * THREADS;
            const u32 m = first + row(four);
            const bool mine = four < FOURS && m < range;
            there[i] = !mine ? 0 : ALONG_K ? 1 : range - m < 4 ? range - m : 4;
            const u64 group = mine ? m / o.group : 0, inside = mine ? m % o.group : 0;
            from[i] = o.data + replica * o.batch + group * o.outer + inside * (ALONG_K ? o.leading : 1);
        }
    }

    // Number `e` of the four at (first row m, column k), when fours are not aligned. Along m it may lie in the next group.
    __device__ float single(const Operand &o, u32 i, u32 first, u32 k, u32 e) const {
        if (ALONG_K) return from[i][k + e];
        const u32 inside = (first + row(threadIdx.x + i * THREADS)) % o.group;
        const u32 groups = (inside + e) / o.group;
        const float *other = from[i] + groups * o.outer - static_cast<u64>(groups) * o.group + e;
        return other[static_cast<u64>(k) * o.leading];
    }

    // Fetches columns k0.. below k_end for `slice`; what is not there is 0.
    __device__ void fetch(const Operand &o, u32 first, u32 k0, u32 k_end, float *slice) {
#pragma unroll
        for (u32 i = 0; i < OWN; ++i) {
            const u32 mine = threadIdx.x + i * THREADS;
            const u32 k = k0 + column(mine);
            const u32 columns = k < k_end ? k_end - k : 0;
            const u32 numbers = there[i] == 0 ? 0 : ALONG_K ? (columns < 4 ? columns : 4) : columns > 0 ? there[i] : 0;
            float4 four = {0.0f, 0.0f, 0.0f, 0.0f};
            const float *at = ALONG_K ? from[i] + k : from[i] + static_cast<u64>(k) * o.leading;
            float *to = slice + column(mine) * STRIDE + row(mine);
            if (!ALONG_K && numbers == 4 && o.together == 4) {
                copy16_async(to, at, true);
                continue;
            }
            if (numbers == 4 && o.together == 4) {
                four = load4(at);
            } else if (numbers == 2 && o.together >= 2) {
                // Rows of two numbers, which are two classes' logits, lie without gaps.
                const float2 two = load2(at);
                four.x = two.x;
                four.y = two.y;
            } else {
                if (numbers > 0) four.x = single(o, i, first, k, 0);
                if (numbers > 1) four.y = single(o, i, first, k, 1);
                if (numbers > 2) four.z = single(o, i, first, k, 2);
                if (numbers > 3) four.w = single(o, i, first, k, 3);
            }
            if (ALONG_K) {
                fours[i] = four;
            } else if (mine < FOURS) {
                store4(to, four);
            }
        }
    }

    // After it, and a barrier, all of the slice is there.
    __device__ void store(float *slice) const {
        if (!ALONG_K) wait_for_copies();
#pragma unroll
        for (u32 i = 0; ALONG_K && i < OWN; ++i) {
            const u32 mine = threadIdx.x + i * THREADS;
            if (mine >= FOURS) continue;
            float *to = slice + column(mine) * STRIDE + row(mine);
            to[0] = fours[i].x;
            to[STRIDE] = fours[i].y;
            to[2 * STRIDE] = fours[i].z;
            to[3 * STRIDE] = fours[i].w;
        }
    }
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

// One block of the product; a `FORWARD` one has bias and function, another may meet what is there. `a_slices` and `b_slices` are shared memory
// for slices of 16 rows of BM and BN floats: one with 4 floats of padding where it is read along k, else two without.
template <u32 BM, u32 BN, bool A_ALONG_K, bool B_ALONG_K, bool FORWARD>
__device__ inline void product(const Product &p, float *a_slices, float *b_slices) {
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
    a.start(p.a, replica, first_m, p.m);
    b.start(p.b, replica, first_n, p.n);
    u32 block_end = k_end - k_begin < p.depth ? k_end : k_begin + p.depth;
    if (k_begin < k_end) {
        a.fetch(p.a, first_m, k_begin, block_end, a_slices);
        b.fetch(p.b, first_n, k_begin, block_end, b_slices);
    }
    // Columns of a slice without a jump: what leaves registers for most blocks.
    [[maybe_unused]] const u32 STRAIGHT = FORWARD ? SLICE : SLICE / 2;
    u32 turn = 0;
    for (u32 k = k_begin; k < k_end; turn ^= 1) {
        float *a_slice = a_slices + turn % OfA::PLACES * OfA::SIZE, *b_slice = b_slices + turn % OfB::PLACES * OfB::SIZE;
        a.store(a_slice);
        b.store(b_slice);
        // From here on nobody reads the slices before.
        __syncthreads();
        const bool ends = block_end - k <= SLICE;
        k = ends ? block_end : k + SLICE;
        if (ends) block_end = k_end - block_end < p.depth ? k_end : block_end + p.depth;
        if (k < k_end) {
            a.fetch(p.a, first_m, k, block_end, a_slices + (turn + 1) % OfA::PLACES * OfA::SIZE);
            b.fetch(p.b, first_n, k, block_end, b_slices + (turn + 1) % OfB::PLACES * OfB::SIZE);
        }
#pragma unroll STRAIGHT
        for (u32 kk = 0; kk < SLICE; ++kk) {
            const float4 x = load4(a_slice + kk * OfA::STRIDE + at_m), y = load4(b_slice + kk * OfB::STRIDE + at_n);
            const float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
#pragma unroll
                for (u32 j = 0; j < 4; ++j) sum[i][j] = fmaf(xs[i], ys[j], sum[i][j]);
            }
        }
        if (sums_a) {
            for (u32 kk = 0; kk < SLICE; ++kk) a_sum += a_slice[kk * OfA::STRIDE + threadIdx.x];
        }
        if (ends) {
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
    // Few columns are stored directly only where they are a sector of each row.
    if (p.c_aligned && (width == 8 || (width >= 16 && width % 4 == 0))) {
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
#pragma unroll 1
        for (u32 place = threadIdx.x; place < rows * staged.stride(); place += THREADS) {
            const u32 row = place / staged.stride(), n = first_n + place % staged.stride();
            if (n >= p.n) continue;
            const u64 at = tile + static_cast<u64>(first_m + piece + row) * p.c_leading + (n / p.c_group) * p.c_outer + n % p.c_group;
            const float value = staged.room[place];
            put(p.c + at, value, !FORWARD && p.adds);
            if (FORWARD && p.activated != nullptr) p.activated[at] = cheap_value_of(p.function, value);
        }
        __syncthreads();
    }
}

} // namespace
