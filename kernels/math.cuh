// Elementary functions of f32: products and sums in a fixed order, no fused operation, so the same bits everywhere. They are
// the text of src/backend/cpu/math.rs, which states and tests their errors (TANH_ULP, EXP_ULP: 2.5 units in the last place).
// What takes f64 (erfc, log1p, exp of f64) is rounded to f32 once: the device's f64 functions err by less than 10 units of f64.
#pragma once
#include "common.cuh"

// e^x = m 2^n, relative error of m below 2 u; for |x| up to 2^20, a NaN gives a NaN.
__device__ inline float exp_parts(float x, int &n) {
    const float shift = 12582912.0f; // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer
    const float shifted = x * 1.44269504f + shift;
    const float whole = shifted - shift;
    const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    float p = 1.9875691e-4f;
    p = p * r + 1.3981999e-3f;
    p = p * r + 8.333452e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 0.5f;
    // The low bits of `shifted` are n.
    n = static_cast<int>(static_cast<u32>(__float_as_int(shifted)) - static_cast<u32>(__float_as_int(shift)));
    return p * r * r + r + 1.0f;
}

// 2^n for n in -126..=127, by its exponent.
__device__ inline float power_of_two(int n) { return __int_as_float(static_cast<int>(static_cast<u32>(n + 127) << 23)); }

// tanh x: below 0.625 x + x^3 P(x^2), above 1 - 2 / (e^2x + 1) (the split and P of Cephes' tanhf, S. Moshier).
__device__ inline float tanh_of(float x) {
    const float a = fabsf(x);
    const float z = x * x;
    float p = -5.7049887e-3f;
    p = p * z + 2.063909e-2f;
    p = p * z + -5.3739716e-2f;
    p = p * z + 1.3331442e-1f;
    p = p * z + -3.333328e-1f;
    const float small = p * z * x + x;
    int n = 0;
    // tanh rounds to 1 from 9.02 on, so 2a can stop at 20; a NaN passes through `small`.
    const float m = exp_parts(a + a < 20.0f ? a + a : 20.0f, n);
    const float large = 1.0f - 2.0f / (m * power_of_two(n) + 1.0f);
    return copysignf(a > 0.625f ? large : small, x);
}

// e^x for x <= 0, down to the smallest denormal and to 0; a NaN passes through.
__device__ inline float exp_of_negative(float x) {
    int n = 0;
    // e^-105 rounds to 0; the comparison lets a NaN through.
    const float m = exp_parts(x < -105.0f ? -105.0f : x, n);
    // The number of a NaN is not one: its mantissa says it all.
    if (m != m) return m;
    // Two factors, since one alone has no denormals.
    const int half = n >> 1;
    return m * power_of_two(half) * power_of_two(n - half);
}

// 1 / (1 + e^-x) by the exponential that is at most 1: it never overflows, and the left tail ends with e^x itself.
__device__ inline float sigmoid(float x) {
    const float e = exp_of_negative(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// Probability that a standard normal variable is below x, by erfc so that the left tail keeps its digits.
__device__ inline double normal_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
