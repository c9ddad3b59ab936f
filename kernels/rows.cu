// Rows to the unit sphere; sums over rows in two stages.
//
// Deterministic: eight lanes, then a tree over them; or the strided sums of 256 threads, a tree over them, and the parts in order.
// How many parts there are depends on the number of rows alone. No atomics. All sums are in f64.
#include "common.cuh"

// norms_i = |x_i|, y_i = x_i / |x_i|, and 0 where x_i = 0.
//
// Tile: eight lanes have a row (one sector of 32 bytes at a time), 32 rows a block. Bytes moved: a row is read twice, the second
// time from the cache, and written once: 8 bytes per element. Arithmetic intensity: 3 operations of f64 on them.
KERNEL(256) row_normalize(const float *x, u32 cols, float *y, float *norms, u64 count) {
    const u64 step = all_threads() / 8;
    const u32 lane = threadIdx.x % 8;
    // The whole warp takes part in the sums, so the loop is over its first row.
    for (u64 row = global_thread() / 8; row - (threadIdx.x % 32) / 8 < count; row += step) {
        const bool live = row < count;
        double sum = 0.0;
        for (u32 j = lane; live && j < cols; j += 8) {
            const double v = x[row * cols + j];
            sum += v * v;
        }
        const double length = sqrt(sum_of_eight(sum));
        const double inverse = length == 0.0 ? 0.0 : 1.0 / length;
        for (u32 j = lane; live && j < cols; j += 8) y[row * cols + j] = static_cast<float>(x[row * cols + j] * inverse);
        if (live && lane == 0) norms[row] = static_cast<float>(length);
    }
}

// dx_i (=, +=) (dy_i - y_i (y_i . dy_i)) / norms_i, and 0 where norms_i = 0. Tile and bytes as above: 12 bytes per element.
KERNEL(256) row_normalize_grad(const float *y, const float *norms, const float *dy, u32 cols, float *dx, u32 adds, u64 count) {
    const u64 step = all_threads() / 8;
    const u32 lane = threadIdx.x % 8;
    for (u64 row = global_thread() / 8; row - (threadIdx.x % 32) / 8 < count; row += step) {
        const bool live = row < count;
        double sum = 0.0;
        for (u32 j = lane; live && j < cols; j += 8) {
            sum += static_cast<double>(y[row * cols + j]) * dy[row * cols + j];
        }
        const double along = sum_of_eight(sum);
        for (u32 j = lane; live && j < cols; j += 8) {
            const u64 n = row * cols + j;
            const double value = norms[row] == 0.0f ? 0.0 : (dy[n] - y[n] * along) / norms[row];
            put(dx + n, static_cast<float>(value), adds);
        }
    }
}

// First stage of y_r = sum_i w_i x_i: parts[r, part], a block each. A row of weight 0 is masked: it may hold anything.
// Tile: a block has a part of a replica's rows. Bytes moved: 4 per row, 4 more for a weight, once. `x_rows` and `weight_rows` are
// 0 for an operand that the replicas share, else a replica's rows; without weights `weights` is null.
KERNEL(256) row_sum_parts(const float *x, u64 x_rows, const float *weights, u64 weight_rows, u64 rows, u32 parts, double *sums) {
    __shared__ double room[256];
    const u32 replica = blockIdx.x / parts, part = blockIdx.x % parts;
    const u64 last = part_start(rows, part + 1, parts);
    double sum = 0.0;
    for (u64 i = part_start(rows, part, parts) + threadIdx.x; i < last; i += 256) {
        const double weight = weights == nullptr ? 1.0f : weights[replica * weight_rows + i];
        if (weight != 0.0) sum += weight * x[replica * x_rows + i];
    }
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// First stage of y_r = sum of the squares of a replica's `each` elements; as above.
KERNEL(256) sum_squares_parts(const float *x, u64 each, u32 parts, double *sums) {
    __shared__ double room[256];
    const u32 replica = blockIdx.x / parts, part = blockIdx.x % parts;
    const u64 last = part_start(each, part + 1, parts);
    double sum = 0.0;
    for (u64 i = part_start(each, part, parts) + threadIdx.x; i < last; i += 256) {
        const double v = x[replica * each + i];
        sum += v * v;
    }
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Second stage: y_r = (sum of the parts, in order) / divisor, rounded once; 0 where the divisor is 0. The divisor is `total[r]`
// (`total[0]` where `shared`), or `number` without `total`. A thread has a replica.
KERNEL(256) sum_of_parts(const double *sums, u32 parts, double number, const float *total, u32 shared, float *y, u64 count) {
    for (u64 r = global_thread(); r < count; r += all_threads()) {
        double sum = 0.0;
        for (u32 part = 0; part < parts; ++part) sum += sums[r * parts + part];
        const double divisor = total == nullptr ? number : total[shared ? 0 : r];
        y[r] = divisor == 0.0 ? 0.0f : static_cast<float>(sum / divisor);
    }
}

// dx_i (=, +=) w_i dy_r / divisor, 0 where the divisor is 0; in f64, since weights that are small beside each other's sum may be
// small beside everything. A thread has a row; 4 to 12 bytes each.
KERNEL(256) row_sum_grad(const float *dy, u32 dy_shared, const float *weights, u64 weight_rows, double number, const float *total,
                         u32 total_shared, u64 rows, float *dx, u32 adds, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const u64 r = n / rows;
        const double divisor = total == nullptr ? number : total[total_shared ? 0 : r];
        const double weight = weights == nullptr ? 1.0f : weights[weight_rows == 0 ? n % rows : n];
        const double share = divisor == 0.0 ? 0.0 : weight / divisor;
        put(dx + n, static_cast<float>(dy[dy_shared ? 0 : r] * share), adds);
    }
}
