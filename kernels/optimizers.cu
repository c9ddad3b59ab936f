// One optimiser step of one parameter in one pass. Formulas and sources: src/nn/optimizer.rs.
//
// Tile: none, a thread has every grid-th element. Bytes moved: 4 per element for each of parameter, gradient and states, read
// once, and written once but the gradient: 12 (plain gradient descent) to 28 (Adam). Arithmetic intensity: 2 to 15 operations on
// them, so the memory is the limit. Deterministic: an element depends on its own operands alone.
#include "common.cuh"

// g += decay w; v = momentum v + g; w -= lr (nesterov: g + momentum v, else v). Without momentum `velocity` is null.
KERNEL(256) sgd(float *w, const float *gradient, float *velocity, float lr, float momentum, u32 nesterov, float decay, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float g = gradient[n] + decay * w[n];
        if (velocity == nullptr) {
            w[n] = w[n] - lr * g;
            continue;
        }
        const float v = momentum * velocity[n] + g;
        velocity[n] = v;
        w[n] = w[n] - lr * (nesterov ? g + momentum * v : v);
    }
}

// m = b1 m + n1 g; v = b2 v + n2 g^2; w -= lr (m / c1) / (sqrt(v / c2) + epsilon), with n = 1 - b, c = 1 - b^t from the host in
// f64. Decoupled decay (AdamW) shrinks w first; else it is added to g.
KERNEL(256) adam(float *w, const float *gradient, float *first, float *second, float lr, float b1, float n1, float b2, float n2,
                 float c1, float c2, float epsilon, float decay, u32 decoupled, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float g = decoupled ? gradient[n] : gradient[n] + decay * w[n];
        const float shrunk = decoupled ? w[n] - lr * decay * w[n] : w[n];
        const float m = b1 * first[n] + n1 * g;
        const float v = b2 * second[n] + n2 * g * g;
        first[n] = m;
        second[n] = v;
        w[n] = shrunk - lr * (m / c1) / (sqrtf(v / c2) + epsilon);
    }
}

// v = a v + n g^2; s = g / (sqrt v + epsilon); w -= lr s, or b = momentum b + s and w -= lr b (`buffer` is null without momentum).
KERNEL(256) rms_prop(float *w, const float *gradient, float *square, float *buffer, float lr, float a, float n1, float epsilon,
                     float momentum, float decay, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        const float g = gradient[n] + decay * w[n];
        const float v = a * square[n] + n1 * g * g;
        square[n] = v;
        float step = g / (sqrtf(v) + epsilon);
        if (buffer != nullptr) {
            step = momentum * buffer[n] + step;
            buffer[n] = step;
        }
        w[n] = w[n] - lr * step;
    }
}
