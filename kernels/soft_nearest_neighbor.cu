// The soft nearest neighbour loss of each row among all rows of its replica, and its gradient.
//
// Tile: a block has a row, its threads the partners 256 apart; in the gradient's second half they have a column each (or some have
// the same column, and every other partner). Bytes moved: a block reads all rows of a replica, from the cache of the device where they
// fit: 4 rows cols bytes, twice for the loss. Arithmetic intensity: 3 operations of f64 per number and pass, and an exponential
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

__device__ inline double squared_distance(const float *a, const float *b, u32 cols) {
    double sum = 0.0;
    for (u32 k = 0; k < cols; ++k) {
        const double d = static_cast<double>(a[k]) - b[k];
        sum += d * d;
    }
    return sum;
}

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
    const double most = 1.7976931348623157e308;
    for (u64 n = blockIdx.x; n < count; n += gridDim.x) {
        const u64 r = n / rows, i = n % rows;
        const bool present = is_present(weights, weight_own, r, i);
        const u32 label = labels[r * label_own + i];
        double near[2] = {most, most}, members[2] = {0.0, 0.0}, total = 0.0;
        for (u64 j = threadIdx.x; present && j < rows; j += 256) {
            if (!is_present(weights, weight_own, r, j)) continue;
            const double squared = squared_distance(x + n * cols, x + (r * rows + j) * cols, cols);
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
        for (u64 j = threadIdx.x; present && j < rows; j += 256) {
            if (j == i || !is_present(weights, weight_own, r, j)) continue;
            const double squared = squared_distance(x + n * cols, x + (r * rows + j) * cols, cols);
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
            double pull = 0.0;
            if (j < rows && j != i && is_present(weights, weight_own, r, j)) {
                const double squared = squared_distance(x + n * cols, x + m * cols, cols);
                const u32 place = labels[r * label_own + j] == label ? 0 : 2;
                const double own = dy[n] * slopes[4 * n + place + 1] * exp((slopes[4 * n + place] - squared) / temperature);
                const double partner = dy[m] * slopes[4 * m + place + 1] * exp((slopes[4 * m + place] - squared) / temperature);
                pull = (place == 0 ? 2.0 : -2.0) / temperature * (own + partner);
            }
            pulls[t] = pull;
            __syncthreads();
            const u32 met = rows - start < 256 ? static_cast<u32>(rows - start) : 256;
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
