// What is measured while training, in f64 and in two stages: class moments, misclassified rows, rows of norm zero.
//
// Deterministic: each number is summed by one thread over the rows of its part, from the first to the last; the parts are added in
// order. How many parts there are depends on the number of rows and on one replica's widths. No atomics.
#include "common.cuh"

// First stage of moments_c = (n_c, sum |x|^2, sum x) over the rows of class c. Rows of weight 0 are left out.
//
// Tile: a block has a part of a replica's rows and as many columns as it has threads. A thread adds its column's numbers to its
// own places of sums[r, part, class, 1 + 2 cols] = (rows, squares by column, sums by column), which stay in the first-level cache.
// Bytes moved: 4 per element and 4 or 8 per row, once. Arithmetic intensity: 3 operations of f64 on 4 bytes.
// `x_rows`, `label_rows`, `weight_rows` are 0 for an operand that the replicas share, else a replica's rows.
KERNEL(256) class_moments_parts(const float *x, u64 x_rows, u32 cols, const u32 *labels, u64 label_rows, const float *weights,
                                u64 weight_rows, u64 rows, u32 classes, u32 parts, u32 column_blocks, double *sums) {
    const u32 block = blockIdx.x / column_blocks;
    const u32 replica = block / parts, part = block % parts;
    const u32 j = blockIdx.x % column_blocks * blockDim.x + threadIdx.x;
    if (j >= cols) return;
    const u64 width = 1 + 2 * static_cast<u64>(cols);
    double *own = sums + block * classes * width;
    for (u32 c = 0; c < classes; ++c) {
        if (j == 0) own[c * width] = 0.0;
        own[c * width + 1 + j] = 0.0;
        own[c * width + 1 + cols + j] = 0.0;
    }
    const u64 last = part_start(rows, part + 1, parts);
    for (u64 i = part_start(rows, part, parts); i < last; ++i) {
        if (weights != nullptr && weights[replica * weight_rows + i] == 0.0f) continue;
        double *of_class = own + labels[replica * label_rows + i] * width;
        const double v = x[(replica * x_rows + i) * cols + j];
        if (j == 0) of_class[0] += 1.0;
        of_class[1 + j] += v * v;
        of_class[1 + cols + j] += v;
    }
}

// Second stage: a block has a class of a replica; the squares' columns meet in a tree.
KERNEL(256) class_moments_of_parts(const double *sums, u32 cols, u32 classes, u32 parts, double *moments) {
    __shared__ double room[256];
    const u64 width = 1 + 2 * static_cast<u64>(cols);
    const u32 replica = blockIdx.x / classes, c = blockIdx.x % classes;
    const double *own = sums + (static_cast<u64>(replica) * parts * classes + c) * width;
    double *to = moments + static_cast<u64>(blockIdx.x) * (2 + cols);
    double squares = 0.0;
    for (u32 j = threadIdx.x; j < cols; j += 256) {
        double sum = 0.0, square = 0.0;
        for (u32 part = 0; part < parts; ++part) {
            square += own[part * classes * width + 1 + j];
            sum += own[part * classes * width + 1 + cols + j];
        }
        to[2 + j] = sum;
        squares += square;
    }
    squares = block_sum(squares, room);
    if (threadIdx.x != 0) return;
    double rows = 0.0;
    for (u32 part = 0; part < parts; ++part) rows += own[part * classes * width];
    to[0] = rows;
    to[1] = squares;
}

// First stage of counts = (misclassified rows, rows): counts[r, part, 2], a block each; a row is one thread's. Lowest index wins
// ties; with one column label 1 is x > 0 and label 0 is x < 0. A row with NaN is misclassified, one of weight 0 is left out.
KERNEL(256) error_count_parts(const float *x, u64 x_rows, u32 cols, const u32 *labels, u64 label_rows, const float *weights,
                              u64 weight_rows, u64 rows, u32 parts, double *counts) {
    __shared__ double room[256];
    const u32 replica = blockIdx.x / parts, part = blockIdx.x % parts;
    const u64 last = part_start(rows, part + 1, parts);
    double wrong = 0.0, all = 0.0;
    for (u64 i = part_start(rows, part, parts) + threadIdx.x; i < last; i += 256) {
        if (weights != nullptr && weights[replica * weight_rows + i] == 0.0f) continue;
        const float *row = x + (replica * x_rows + i) * cols;
        const u32 label = labels[replica * label_rows + i];
        bool right = true;
        if (cols == 1) {
            right = label == 1 ? row[0] > 0.0f : row[0] < 0.0f;
        } else {
            // Above every class before it and not below any after it; a row with NaN has no right answer.
            for (u32 j = 0; j < label; ++j) right = right && row[label] > row[j];
            for (u32 j = label; j < cols; ++j) right = right && row[label] >= row[j];
        }
        wrong += right ? 0.0 : 1.0;
        all += 1.0;
    }
    wrong = block_sum(wrong, room);
    all = block_sum(all, room);
    if (threadIdx.x == 0) {
        counts[2 * static_cast<u64>(blockIdx.x)] = wrong;
        counts[2 * static_cast<u64>(blockIdx.x) + 1] = all;
    }
}

// First stage of the number of rows of norm 0: counts[r, part].
KERNEL(256) zero_rows_parts(const float *norms, u64 rows, u32 parts, double *counts) {
    __shared__ double room[256];
    const u32 replica = blockIdx.x / parts, part = blockIdx.x % parts;
    const u64 last = part_start(rows, part + 1, parts);
    double zeros = 0.0;
    for (u64 i = part_start(rows, part, parts) + threadIdx.x; i < last; i += 256) {
        zeros += norms[replica * rows + i] == 0.0f ? 1.0 : 0.0;
    }
    zeros = block_sum(zeros, room);
    if (threadIdx.x == 0) counts[blockIdx.x] = zeros;
}

// Second stage: out[r, k] = sum over the parts of counts[r, part, k], k below `width`.
KERNEL(256) counts_of_parts(const double *counts, u32 parts, u32 width, double *out, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const u64 r = n / width, k = n % width;
        double sum = 0.0;
        for (u32 part = 0; part < parts; ++part) sum += counts[(r * parts + part) * width + k];
        out[n] = sum;
    }
}
