// Element by element: y = value; y = a + f b; y (=, +=) f x; y = f(x); dx (=, +=) f'(x) dy.
//
// Tile: none, a thread has every grid-th element, neighbours have neighbours. Bytes moved: 4 per operand and element, each
// read and written once. Arithmetic intensity: 1 to 30 operations on 8 to 16 bytes, so the memory is the limit.
// Deterministic: an element depends on its own operands alone.
#include "functions.cuh"

// y = value
KERNEL(256) fill(float *y, float value, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) y[n] = value;
}

// y = a + factor b; an operand of `a_count` or `b_count` elements is repeated for every replica.
KERNEL(256) add(const float *a, u64 a_count, const float *b, u64 b_count, float factor, float *y, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        y[n] = a[a_count == count ? n : n % a_count] + factor * b[b_count == count ? n : n % b_count];
    }
}

// y (=, +=) factor x
KERNEL(256) accumulate(const float *x, float factor, float *y, u32 adds, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) put(y + n, factor * x[n], adds);
}

// y = f(x)
KERNEL(256) unary(u32 function, float c, const float *x, float *y, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) y[n] = value_of(function, c, x[n]);
}

// dx (=, +=) f'(x) dy
KERNEL(256) unary_grad(u32 function, float c, const float *x, const float *y, const float *dy, float *dx, u32 adds, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        put(dx + n, slope_of(function, c, x[n], y[n]) * dy[n], adds);
    }
}

// dx (=, +=) 2 dy_r x: the gradient of the sum of squares of a replica's `each` elements.
KERNEL(256) sum_squares_grad(const float *x, const float *dy, u64 each, float *dx, u32 adds, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) put(dx + n, 2.0f * dy[n / each] * x[n], adds);
}

// y_i = table[index_i] for rows of `cols` words of 4 bytes; the table is shared, `rows` rows of indices are one replica's, and
// an index without replicas (`index_rows` of them in all) is repeated.
KERNEL(256) gather(const u32 *table, const u32 *index, u64 index_rows, u32 cols, u32 *y, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const u64 row = n / cols;
        y[n] = table[static_cast<u64>(index[row % index_rows]) * cols + n % cols];
    }
}
