// The functions of one number that networks and losses are made of, and their derivatives: y = f(x), f'(x). NaN stays NaN.
// Formulas and sources: one file each in src/autograd/ops. The numbers are those of src/backend/cuda/functions.rs.
#pragma once
#include "math.cuh"

enum Function : u32 {
    IDENTITY = 0,
    TANH = 1,
    RELU = 2,
    GELU = 3,
    SIGMOID = 4,
    SCALE = 5,
    SUBTRACT_CONSTANT = 6,
    LOGISTIC = 7,
    HINGE = 8,
    SQUARED_HINGE = 9,
};

// f(x), with the function's constant c.
__device__ inline float value_of(u32 function, float c, float x) {
    switch (function) {
    case TANH: return tanh_of(x);
    case RELU: return x <= 0.0f ? 0.0f : x;
    case GELU: return static_cast<float>(x * normal_cdf(x));
    case SIGMOID: return sigmoid(x);
    case SCALE: return c * x;
    case SUBTRACT_CONSTANT: return x - c;
    // log(1 + e^-x) without overflow for x << 0 and without loss of digits for x >> 0.
    case LOGISTIC: {
        const double d = x;
        return static_cast<float>((d < 0.0 ? -d : 0.0) + log1p(exp(-fabs(d))));
    }
    case HINGE: return x >= c ? 0.0f : c - x;
    case SQUARED_HINGE: return x >= c ? 0.0f : (c - x) * (c - x);
    default: return x;
    }
}

// f(x) of the functions that a product's last step may apply: those that take a few operations of f32.
__device__ inline float cheap_value_of(u32 function, float x) {
    switch (function) {
    case TANH: return tanh_of(x);
    case RELU: return x <= 0.0f ? 0.0f : x;
    case SIGMOID: return sigmoid(x);
    default: return x;
    }
}

// f'(x) of these functions from z, which is f(x) for tanh and else x; at a kink the derivative from the flat side.
__device__ inline float cheap_slope_of(u32 function, float z) {
    switch (function) {
    // 1 - y^2 as a product: 1 - y is exact near saturation.
    case TANH: return (1.0f - z) * (1.0f + z);
    case RELU: return z > 0.0f ? 1.0f : 0.0f;
    case SIGMOID: return sigmoid(z) * sigmoid(-z);
    default: return 1.0f;
    }
}

// f'(x), from x or from y = f(x), whichever is cheaper.
__device__ inline float slope_of(u32 function, float c, float x, float y) {
    switch (function) {
    case TANH: return cheap_slope_of(function, y);
    case RELU:
    case SIGMOID: return cheap_slope_of(function, x);
    case GELU: {
        const double d = x;
        return static_cast<float>(normal_cdf(d) + d * 0.39894228040143267794 * exp(-0.5 * d * d));
    }
    case SCALE: return c;
    case LOGISTIC: return -sigmoid(-x);
    case HINGE: return x < c ? -1.0f : 0.0f;
    case SQUARED_HINGE: return x >= c ? 0.0f : -2.0f * (c - x);
    default: return 1.0f;
    }
}
