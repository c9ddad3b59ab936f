// Losses per row and their gradients: softmax cross-entropy, the margin of the label, squared error, penalty on the outputs.
//
// Tile: a thread has a row of outputs (2 to 10 numbers, up to some hundred), neighbours have neighbouring rows. Bytes moved: each
// row once from memory, a few times from the first-level cache. Arithmetic intensity: an exponential and some sums for each 4
// bytes: the memory is the limit. Sums over a row are in f64 and rounded once, as on the CPU. Deterministic: a row depends on
// itself alone, summed from left to right.
//
// Rows are numbered replica after replica, `count` in all; an operand without replicas has `own` rows, which are repeated.
#include "math.cuh"

namespace {

// A row of an operand that has `own` rows: all of them, or one replica's.
__device__ inline u64 row_of(u64 n, u64 own, u64 count) { return own == count ? n : n % own; }

__device__ inline float largest(const float *row, u32 cols) {
    float top = -__int_as_float(0x7f800000);
    // A NaN is not larger than anything: it shows in the sums.
    for (u32 j = 0; j < cols; ++j) top = row[j] > top ? row[j] : top;
    return top;
}

// Index of the largest element but one, lowest index on ties, `cols` if there is none. NaN counts as largest, so that a margin
// over it is NaN.
__device__ inline u32 best_other(const float *row, u32 cols, u32 skip) {
    u32 best = cols;
    for (u32 j = 0; j < cols; ++j) {
        if (j != skip && (best == cols || row[j] > row[best] || row[j] != row[j])) best = j;
    }
    return best;
}

// Label 1 wants a positive output, label 0 a negative one.
__device__ inline float sign(u32 label) { return label == 1 ? 1.0f : -1.0f; }

} // namespace

// y_i = log sum_j exp x_ij - x_i,label
KERNEL(256) softmax_cross_entropy(const float *x, u64 x_rows, u32 cols, const u32 *labels, u64 label_rows, float *y, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float *row = x + row_of(n, x_rows, count) * cols;
        const float top = largest(row, cols);
        // The largest term is exactly 1: taking it out keeps the digits of a small loss (log1p).
        u32 at_top = 0;
        while (at_top < cols && row[at_top] != top) ++at_top;
        if (at_top == cols) at_top = 0;
        double rest = 0.0;
        for (u32 j = 0; j < cols; ++j) {
            if (j != at_top) rest += exp_of_negative(row[j] - top);
        }
        const float label = row[labels[row_of(n, label_rows, count)]];
        y[n] = static_cast<float>(log1p(rest) + (static_cast<double>(top) - label));
    }
}

// dx_ij (=, +=) dy_i (softmax(x_i)_j - [j = label])
KERNEL(256) softmax_cross_entropy_grad(const float *x, u32 cols, const u32 *labels, u64 label_rows, const float *dy, float *dx,
                                       u32 adds, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float *row = x + n * cols;
        const u32 label = labels[row_of(n, label_rows, count)];
        const float top = largest(row, cols);
        double others = 0.0;
        for (u32 j = 0; j < cols; ++j) {
            if (j != label) others += exp_of_negative(row[j] - top);
        }
        const double total = others + exp_of_negative(row[label] - top);
        for (u32 j = 0; j < cols; ++j) {
            // softmax - 1 as minus the sum of the others: no cancellation when the row is learnt.
            const double slope = j == label ? -others / total : exp_of_negative(row[j] - top) / total;
            put(dx + n * cols + j, static_cast<float>(dy[n] * slope), adds);
        }
    }
}

// One column: y_i = x_i for label 1, -x_i for label 0. More: y_i = x_i,label - max over the others.
KERNEL(256) margin(const float *x, u64 x_rows, u32 cols, const u32 *labels, u64 label_rows, float *y, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float *row = x + row_of(n, x_rows, count) * cols;
        const u32 label = labels[row_of(n, label_rows, count)];
        y[n] = cols == 1 ? row[0] * sign(label) : row[label] - row[best_other(row, cols, label)];
    }
}

// dx (=, +=) dy on the label's column, -dy on the best other one's.
KERNEL(256) margin_grad(const float *x, u32 cols, const u32 *labels, u64 label_rows, const float *dy, float *dx, u32 adds,
                        u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float *row = x + n * cols;
        const u32 label = labels[row_of(n, label_rows, count)];
        const u32 other = cols == 1 ? 0 : best_other(row, cols, label);
        for (u32 j = 0; j < cols; ++j) {
            float slope = 0.0f;
            if (cols == 1) {
                slope = dy[n] * sign(label);
            } else if (j == label) {
                slope = dy[n];
            } else if (j == other) {
                slope = -dy[n];
            }
            put(dx + n * cols + j, slope, adds);
        }
    }
}

// y_i = sum_j (x_ij - t_ij)^2 / cols
KERNEL(256) squared_error(const float *x, u64 x_rows, const float *target, u64 target_rows, u32 cols, float *y, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float *row = x + row_of(n, x_rows, count) * cols;
        const float *wanted = target + row_of(n, target_rows, count) * cols;
        double sum = 0.0;
        for (u32 j = 0; j < cols; ++j) {
            const double difference = static_cast<double>(row[j]) - wanted[j];
            sum += difference * difference;
        }
        y[n] = static_cast<float>(sum / cols);
    }
}

// dx_ij (=, +=) 2 dy_i (x_ij - t_ij) / cols; a thread has an element.
KERNEL(256) squared_error_grad(const float *x, const float *target, u64 target_rows, u32 cols, const float *dy, float *dx, u32 adds,
                               u64 rows) {
    for (u64 n = global_thread(); n < rows * cols; n += all_threads()) {
        const u64 row = n / cols;
        const double difference = static_cast<double>(x[n]) - target[row_of(row, target_rows, rows) * cols + n % cols];
        put(dx + n, static_cast<float>(2.0 * dy[row] / cols * difference), adds);
    }
}

// y_i = sum_j (x_ij - centre_label,j)^2
KERNEL(256) logit_penalty(const float *x, u64 x_rows, const u32 *labels, u64 label_rows, const double *centres, u32 cols, float *y,
                          u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float *row = x + row_of(n, x_rows, count) * cols;
        const double *centre = centres + static_cast<u64>(labels[row_of(n, label_rows, count)]) * cols;
        double sum = 0.0;
        for (u32 j = 0; j < cols; ++j) {
            const double difference = row[j] - centre[j];
            sum += difference * difference;
        }
        y[n] = static_cast<float>(sum);
    }
}

// dx_ij (=, +=) 2 dy_i (x_ij - centre_label,j); a thread has an element.
KERNEL(256) logit_penalty_grad(const float *x, const u32 *labels, u64 label_rows, const double *centres, u32 cols, const float *dy,
                               float *dx, u32 adds, u64 rows) {
    for (u64 n = global_thread(); n < rows * cols; n += all_threads()) {
        const u64 row = n / cols;
        const double *centre = centres + static_cast<u64>(labels[row_of(row, label_rows, rows)]) * cols;
        put(dx + n, static_cast<float>(2.0 * dy[row] * (x[n] - centre[n % cols])), adds);
    }
}
