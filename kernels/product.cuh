// C = A B for every replica, one text for the three transpositions of a dense layer.
//
//     C(m, n) = sum_k A(m, k) B(k, n) + bias(n)     and f(C) beside it, or the sum of A over k
//
// Tile: a block has BM x BN elements of C, a thread 4 x 4 of them in registers; k goes by in slices of 16 that are staged in shared
// memory, the next slice being on its way in registers meanwhile. A slice is read with 128-bit loads where addresses allow it.
// Both operands lie there as [k][m] and [k][n], with 4 floats of padding: a warp that stores a slice read along k meets 32
// banks (16 rows apart by one, two columns of k apart by 4 x (BM + 4) = 16 modulo 32), and reads are of 16 bytes, broadcast
// or next to each other.
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
#include "functions.cuh"

// A matrix that is read; m is its long index (of C), k the summed one. Elements lie along k or along m:
//     along k: data[replica * batch + (m / group) * outer + (m % group) * leading + k]
//     along m: data[replica * batch + (m / group) * outer + (m % group) + k * leading]
// `group` is m's range, except where the replicas' units are one wide matrix. `aligned`: four neighbours from a multiple of four
// on are 16 aligned bytes.
struct Operand {
    const float *data;
    u64 batch, outer;
    u32 group, leading;
    u64 aligned;
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
    // Whether four neighbours of n from a multiple of four on are 16 aligned bytes of C.
    u32 c_aligned;
};

namespace {

const u32 SLICE = 16;
const u32 THREADS = 256;

// How one thread stages its part of a slice of an operand of `WIDE` rows of C: where its fours start, and the numbers on their way.
template <u32 WIDE, bool ALONG_K> struct Stage {
    // Fours of floats of a slice, and those of a thread; narrow operands leave threads idle.
    static const u32 FOURS = WIDE * SLICE / 4;
    static const u32 OWN = (FOURS + THREADS - 1) / THREADS;
    static const u32 STRIDE = WIDE + 4;

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

    // Reads columns k0.. below k_end; what is not there is 0.
    __device__ void fetch(const Operand &o, u32 first, u32 k0, u32 k_end) {
#pragma unroll
        for (u32 i = 0; i < OWN; ++i) {
            const u32 k = k0 + column(threadIdx.x + i * THREADS);
            const u32 columns = k < k_end ? k_end - k : 0;
            const u32 numbers = there[i] == 0 ? 0 : ALONG_K ? (columns < 4 ? columns : 4) : columns > 0 ? there[i] : 0;
            float4 four = {0.0f, 0.0f, 0.0f, 0.0f};
            if (numbers == 4 && o.aligned) {
                four = load4(ALONG_K ? from[i] + k : from[i] + static_cast<u64>(k) * o.leading);
            } else {
                if (numbers > 0) four.x = single(o, i, first, k, 0);
                if (numbers > 1) four.y = single(o, i, first, k, 1);
                if (numbers > 2) four.z = single(o, i, first, k, 2);
                if (numbers > 3) four.w = single(o, i, first, k, 3);
            }
            fours[i] = four;
        }
    }

    __device__ void store(float *slice) const {
#pragma unroll
        for (u32 i = 0; i < OWN; ++i) {
            const u32 four = threadIdx.x + i * THREADS;
            if (four >= FOURS) continue;
            float *to = slice + column(four) * STRIDE + row(four);
            if (ALONG_K) {
                to[0] = fours[i].x;
                to[STRIDE] = fours[i].y;
                to[2 * STRIDE] = fours[i].z;
                to[3 * STRIDE] = fours[i].w;
            } else {
                store4(to, fours[i]);
            }
        }
    }
};

// One block of the product; a `FORWARD` one has bias and function, another may meet what is there. `a_slice` and `b_slice` are shared memory: 16 rows of BM + 4 and BN + 4 floats.
template <u32 BM, u32 BN, bool A_ALONG_K, bool B_ALONG_K, bool FORWARD>
__device__ inline void product(const Product &p, float *a_slice, float *b_slice) {
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

    Stage<BM, A_ALONG_K> a;
    Stage<BN, B_ALONG_K> b;
    a.start(p.a, replica, first_m, p.m);
    b.start(p.b, replica, first_n, p.n);
    u32 block_end = k_end - k_begin < p.depth ? k_end : k_begin + p.depth;
    if (k_begin < k_end) {
        a.fetch(p.a, first_m, k_begin, block_end);
        b.fetch(p.b, first_n, k_begin, block_end);
    }
    for (u32 k = k_begin; k < k_end;) {
        a.store(a_slice);
        b.store(b_slice);
        __syncthreads();
        const bool ends = block_end - k <= SLICE;
        k = ends ? block_end : k + SLICE;
        if (ends) block_end = k_end - block_end < p.depth ? k_end : block_end + p.depth;
        if (k < k_end) {
            a.fetch(p.a, first_m, k, block_end);
            b.fetch(p.b, first_n, k, block_end);
        }
#pragma unroll
        for (u32 kk = 0; kk < SLICE; ++kk) {
            const float4 x = load4(a_slice + kk * (BM + 4) + at_m), y = load4(b_slice + kk * (BN + 4) + at_n);
            const float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
#pragma unroll
                for (u32 j = 0; j < 4; ++j) sum[i][j] = fmaf(xs[i], ys[j], sum[i][j]);
            }
        }
        if (sums_a) {
            for (u32 kk = 0; kk < SLICE; ++kk) a_sum += a_slice[kk * (BM + 4) + threadIdx.x];
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
        __syncthreads();
    }

    if (sums_a && first_m + threadIdx.x < p.m) {
        put(p.a_sums + (static_cast<u64>(lane) * p.replicas + replica) * p.m + first_m + threadIdx.x, a_total, p.a_sums_add);
    }
    if (p.c == nullptr) return;
    const u32 n = first_n + at_n;
#pragma unroll
    for (u32 i = 0; i < 4; ++i) {
        const u32 m = first_m + at_m + i;
        if (m >= p.m || n >= p.n) break;
        const u64 row = lane * p.lane_stride + replica * p.c_batch + static_cast<u64>(m) * p.c_leading;
        float values[4], activated[4];
#pragma unroll
        for (u32 j = 0; j < 4; ++j) {
            values[j] = total[i][j];
            if (FORWARD && p.bias != nullptr && n + j < p.n) values[j] += p.bias[static_cast<u64>(replica) * p.n + n + j];
        }
        // Four neighbours of n lie side by side, or (narrow layers) each has its own place.
        if (p.c_aligned && n + 4 <= p.n) {
            const u64 at = row + (n / p.c_group) * p.c_outer + n % p.c_group;
            float4 four = {values[0], values[1], values[2], values[3]};
            if (!FORWARD && p.adds) {
                const float4 old = load4(p.c + at);
                four = {old.x + four.x, old.y + four.y, old.z + four.z, old.w + four.w};
            }
            store4(p.c + at, four);
            if (FORWARD && p.activated != nullptr) {
#pragma unroll
                for (u32 j = 0; j < 4; ++j) activated[j] = cheap_value_of(p.function, values[j]);
                store4(p.activated + at, float4{activated[0], activated[1], activated[2], activated[3]});
            }
            continue;
        }
#pragma unroll
        for (u32 j = 0; j < 4; ++j) {
            if (n + j >= p.n) break;
            const u64 at = row + ((n + j) / p.c_group) * p.c_outer + (n + j) % p.c_group;
            put(p.c + at, values[j], !FORWARD && p.adds);
            if (FORWARD && p.activated != nullptr) p.activated[at] = cheap_value_of(p.function, values[j]);
        }
    }
}

} // namespace
