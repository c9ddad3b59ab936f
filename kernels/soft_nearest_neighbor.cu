// The soft nearest neighbour loss of each row among all rows of its replica, and its gradient.
//
// Tile: a block has a row, its threads the partners 256 apart, whose rows come by way of shared memory, 32 columns at a time; in the gradient's
// second half they have a column each (or some have the same column, and every other partner). Bytes moved: a block reads all rows of a
// replica, from the cache of the device where they fit: 4 rows cols bytes, twice for the loss. Arithmetic intensity: 3 operations of f64 per number and pass, and an exponential
// per pair. All in f64, rounded once: what a pair weighs is as exact far away as near.
//
// Deterministic: squared distances are summed from left to right; sums over partners are strided sums of 256 threads and a tree,
// or, of a gradient, chunks of 256 partners in order. No atomics.
//
// Rows are numbered replica after replica, `count` in all, `rows` of each; labels and weights that the replicas share have `own` 0, else
// `own` is `rows`.
#include "common.cuh"

namespace {

__device__ inline bool is_present(const float *weights, u64 own, u64 r, u64 i) { return weights == nullptr || weights[r * own + i] != 0.0f; }

// Numbers of a row that are staged together, and from one row to the next in shared memory: threads that read a column meet 32 banks.
const u32 SLICE = 32;
const u32 STRIDE = SLICE + 1;
// Of the four slopes of partners, from one to the next in shared memory: four partners' four meet all banks.
const u32 SLOPES = 256 + 4;

// Squared distances of a row and up to 256 partners, one a thread, whose rows lie one after the other: a warp reads 32 numbers of one at a
// time. The whole block calls it; `slice` has 256 STRIDE places of shared memory.
__device__ inline double squared_distance(const float *own, const float *partners, u32 there, u32 cols, float *slice) {
    double sum = 0.0;
    for (u32 start = 0; start < cols; start += SLICE) {
        const u32 width = cols - start < SLICE ? cols - start : SLICE, k = threadIdx.x % SLICE;
        // Nobody reads the slice before.
        __syncthreads();
        for (u32 p = threadIdx.x / SLICE; p < there; p += 256 / SLICE) {
            if (k < width) slice[p * STRIDE + k] = partners[static_cast<u64>(p) * cols + start + k];
        }
        __syncthreads();
        for (u32 n = 0; threadIdx.x < there && n < width; ++n) {
            const double d = static_cast<double>(own[start + n]) - slice[threadIdx.x * STRIDE + n];
            sum += d * d;
        }
    }
    return sum;
}

// How many of 256 rows from `start` on are there.
__device__ inline u32 chunk(u64 rows, u64 start) { return rows - start < 256 ? static_cast<u32>(rows - start) : 256; }

// The smallest number of a block of 256 threads, none of them NaN; every thread gets it.
__device__ inline double block_min(double value, double *room) {
    const u32 t = threadIdx.x;
    room[t] = value;
    __syncthreads();
    for (u32 half = 128; half > 0; half /= 2) {
        if (t < half && room[t + half] < room[t]) room[t] = room[t + half];
        __syncthreads();
    }
    const double least = room[0];
    __syncthreads();
    return least;
}

} // namespace

// y_i = log((S_i + O_i) / S_i), counts_i, and slopes_i = (m, h / sum_own, m', h / sum_other) with m and m' the smallest squared distances.
KERNEL(256) soft_nearest_neighbor(const float *x, u32 cols, const u32 *labels, u64 label_own, const float *weights, u64 weight_own, u64 rows,
                                  double temperature, float *y, float *counts, double *slopes, u64 count) {
    __shared__ double room[256];
    __shared__ float slice[256 * STRIDE];
    const double most = 1.7976931348623157e308;
    for (u64 n = blockIdx.x; n < count; n += gridDim.x) {
        const u64 r = n / rows, i = n % rows;
        const bool present = is_present(weights, weight_own, r, i);
        const u32 label = labels[r * label_own + i];
        double near[2] = {most, most}, members[2] = {0.0, 0.0}, total = 0.0;
        for (u64 start = 0; present && start < rows; start += 256) {
            const u64 j = start + threadIdx.x;
            const double squared = squared_distance(x + n * cols, x + (r * rows + start) * cols, chunk(rows, start), cols, slice);
            if (j >= rows || !is_present(weights, weight_own, r, j)) continue;
            total += squared;
            if (j == i) continue;
            const u32 place = labels[r * label_own + j] == label ? 0 : 1;
            members[place] += 1.0;
            if (squared < near[place]) near[place] = squared;
        }
        // NaN where a number is not finite.
        const double no_number = 0.0 * block_sum(total, room);
        double sums[2] = {0.0, 0.0};
        for (u32 place = 0; place < 2; ++place) {
            near[place] = block_min(near[place], room);
            members[place] = block_sum(members[place], room);
        }
        for (u64 start = 0; present && start < rows; start += 256) {
            const u64 j = start + threadIdx.x;
            const double squared = squared_distance(x + n * cols, x + (r * rows + start) * cols, chunk(rows, start), cols, slice);
            if (j >= rows || j == i || !is_present(weights, weight_own, r, j)) continue;
            const u32 place = labels[r * label_own + j] == label ? 0 : 1;
            sums[place] += exp((near[place] - squared) / temperature);
        }
        const double own = block_sum(sums[0], room), other = block_sum(sums[1], room);
        if (threadIdx.x == 0) {
            double loss = 0.0, slope[4] = {0.0, 0.0, 0.0, 0.0};
            if (present) loss = no_number;
            if (present && members[0] > 0.0 && members[1] > 0.0) {
                const double z = (near[0] - near[1]) / temperature + log(other / own);
                const double small = exp(-fabs(z));
                const double h = (z < 0.0 ? small : 1.0) / (1.0 + small);
                loss += (z > 0.0 ? z : 0.0) + log1p(small);
                slope[0] = near[0] + no_number;
                slope[1] = h / own + no_number;
                slope[2] = near[1] + no_number;
                slope[3] = h / other + no_number;
            }
            y[n] = static_cast<float>(loss);
            counts[n] = members[0] > 0.0 ? 1.0f : 0.0f;
            for (u32 k = 0; k < 4; ++k) slopes[4 * n + k] = slope[k];
        }
    }
}

// dx_i (=, +=) sum_j (2 / T) s_ij (dy_i w_ij + dy_j w_ji) (x_i - x_j). A block has 256 columns of a row at most: `slabs` of them are a row.
KERNEL(256) soft_nearest_neighbor_grad(const float *x, u32 cols, const u32 *labels, u64 label_own, const float *weights, u64 weight_own,
                                       u64 rows, double temperature, const double *slopes, const float *dy, float *dx, u32 adds, u32 slabs,
                                       u64 count) {
    __shared__ double pulls[256];
    __shared__ double room[256];
    __shared__ float slice[256 * STRIDE];
    __shared__ double of_partners[4 * SLOPES];
    const u32 t = threadIdx.x;
    for (u64 block = blockIdx.x; block < count * slabs; block += gridDim.x) {
        const u64 n = block / slabs, r = n / rows, i = n % rows;
        const u32 first = static_cast<u32>(block % slabs) * 256;
        const u32 width = cols - first < 256 ? cols - first : 256;
        // Threads of a column, and which of them this is.
        const u32 groups = 256 / width, group = t / width, k = first + t % width;
        const bool present = is_present(weights, weight_own, r, i);
        const u32 label = labels[r * label_own + i];
        double sum = 0.0;
        for (u64 start = 0; present && start < rows; start += 256) {
            const u64 j = start + t, m = r * rows + j;
            const u32 met = chunk(rows, start);
            const double squared = squared_distance(x + n * cols, x + (r * rows + start) * cols, met, cols, slice);
            // The partners' slopes, by way of shared memory too; a warp reads them together.
            for (u32 p = t; p < 4 * met; p += 256) of_partners[p % 4 * SLOPES + p / 4] = slopes[4 * (r * rows + start) + p];
            __syncthreads();
            double pull = 0.0;
            if (j < rows && j != i && is_present(weights, weight_own, r, j)) {
                const u32 place = labels[r * label_own + j] == label ? 0 : 2;
                const float of_partner = dy[m];
                // All lanes read both classes' numbers: those of one would be in the way of those of the other.
                const double near = place == 0 ? of_partners[t] : of_partners[2 * SLOPES + t];
                double both = dy[n] * slopes[4 * n + place + 1] * exp((slopes[4 * n + place] - squared) / temperature);
                const double share = place == 0 ? of_partners[SLOPES + t] : of_partners[3 * SLOPES + t];
                both += of_partner * share * exp((near - squared) / temperature);
                pull = (place == 0 ? 2.0 : -2.0) / temperature * both;
            }
            pulls[t] = pull;
            __syncthreads();
            for (u32 p = group; group < groups && p < met; p += groups) {
                // Rows that are absent may hold anything.
                if (pulls[p] == 0.0) continue;
                sum += pulls[p] * (static_cast<double>(x[n * cols + k]) - x[(r * rows + start + p) * cols + k]);
            }
            __syncthreads();
        }
        room[t] = sum;
        __syncthreads();
        if (t < width) {
            double total = 0.0;
            for (u32 g = 0; g < groups; ++g) total += room[g * width + t];
            put(dx + n * cols + k, static_cast<float>(total), adds);
        }
        __syncthreads();
    }
}
