// The dense layer and its gradients: three views of one product (product.cuh has tile, bytes, intensity and the order of sums).
//
//     dense_forward      Y = X W^T + b, f(Y)         A = X along k      B = W along k
//     dense_input_grad   dX (=, +=) dY W, f'(z) dX   A = dY along k     B = W along n
//     dense_weight_grad  dW (=, +=) dY^T X, and      A = dY along m     B = X along n
//                        db (=, +=) sum_i dY_i       summed in the same pass
//
// `..._narrow` are the same on another tile, for layers of few units. Gradients of weights sum over rows: these are cut into
// lanes of whole tiles of 256 rows, at most 16 lanes, each a grid of blocks of its own, so that few units and many rows fill the
// device; `lanes_total` is the second stage.
#include "product.cuh"

KERNEL(256) dense_forward(Product p) {
    __shared__ __align__(16) float a[32 * 68], b[32 * 68];
    product<64, 64, true, true, true>(p, a, b);
}

KERNEL(256) dense_forward_narrow(Product p) {
    __shared__ __align__(16) float a[32 * 260], b[32 * 20];
    product<256, 16, true, true, true>(p, a, b);
}

KERNEL(256) dense_input_grad(Product p) {
    __shared__ __align__(16) float a[32 * 68], b[32 * 64];
    product<64, 64, true, false, false>(p, a, b);
}

KERNEL(256) dense_input_grad_narrow(Product p) {
    __shared__ __align__(16) float a[32 * 260], b[32 * 16];
    product<256, 16, true, false, false>(p, a, b);
}

KERNEL(256) dense_weight_grad(Product p) {
    __shared__ __align__(16) float a[32 * 64], b[32 * 64];
    product<64, 64, false, false, false>(p, a, b);
}

KERNEL(256) dense_weight_grad_narrow(Product p) {
    __shared__ __align__(16) float a[32 * 16], b[32 * 256];
    product<16, 256, false, false, false>(p, a, b);
}

// y (=, +=) the sum of the lanes: sums[lane * stride + n], 2 to 16 lanes, by the tree (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1).
// A thread has an element. Bytes moved: 4 per lane and element, and 4 or 8 for y; intensity below 1. Deterministic: a fixed tree.
KERNEL(256) lanes_total(const float *sums, u32 lanes, u64 stride, float *y, u32 adds, u64 count) {
    for (u64 n = global_thread(); n < count; n += all_threads()) {
        float parts[16];
#pragma unroll
        for (u32 lane = 0; lane < 16; ++lane) parts[lane] = lane < lanes ? sums[lane * stride + n] : 0.0f;
#pragma unroll
        for (u32 half = 8; half > 0; half /= 2) {
#pragma unroll
            for (u32 lane = 0; lane < half; ++lane) parts[lane] += parts[lane + half];
        }
        put(y + n, parts[0], adds);
    }
}
