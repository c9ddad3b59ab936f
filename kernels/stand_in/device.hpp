// What a kernel finds on a device, for g++: the words of CUDA that kernels/*.cu use, on fibers (fibers.hpp). Included before each
// of them; at its end a kernel is put on a list with the types of its parameters.
#pragma once
#define DISENTANGLE_STAND_IN 1

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "fibers.hpp"

#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __align__(bytes) __attribute__((aligned(bytes)))
#ifdef __SANITIZE_ADDRESS__
// Statics of their own have red zones around them.
#define __shared__ static
#else
// All together, so that they can be poisoned before each block.
#define __shared__ static __attribute__((section("shared_memory")))
#endif

struct Three {
    unsigned x, y, z;
};
extern Three threadIdx, blockIdx, blockDim, gridDim;

struct __align__(16) float4 {
    float x, y, z, w;
};

// Vector accesses check their alignment as a device does: a misaligned one ends the launch.
inline float4 load4(const float *from) {
    if (reinterpret_cast<uintptr_t>(from) % 16 != 0) stand_in::fault(stand_in::MISALIGNED, "a load of 16 bytes is not aligned");
    return {from[0], from[1], from[2], from[3]};
}
inline void store4(float *to, float4 value) {
    if (reinterpret_cast<uintptr_t>(to) % 16 != 0) stand_in::fault(stand_in::MISALIGNED, "a store of 16 bytes is not aligned");
    to[0] = value.x;
    to[1] = value.y;
    to[2] = value.z;
    to[3] = value.w;
}

// A barrier is known by its line: threads that wait at different ones diverge.
#define __syncthreads() stand_in::block_barrier(__LINE__)
#define __shfl_xor_sync(mask, value, lanes) stand_in::shuffle_xor(mask, value, lanes, __LINE__)

inline int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

namespace stand_in {

template <class T> T shuffle_xor(unsigned mask, T value, unsigned lanes, int line) {
    static_assert(sizeof(T) <= 8);
    if (mask != 0xffffffffu) fault(LAUNCH_FAILED, "a shuffle of part of a warp");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = exchange(bits, lanes, line);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// A parameter of a kernel: its size in PTX, and the device pointers in it.
struct Parameter {
    size_t bytes;
    std::function<void(const void *, const std::function<void(const void *)> &)> pointers;
};

template <class T> Parameter parameter() {
    return {sizeof(T), [](const void *at, const std::function<void(const void *)> &visit) {
                T value;
                std::memcpy(&value, at, sizeof value);
                if constexpr (std::is_pointer_v<T>) {
                    visit(value);
                } else if constexpr (requires { value.a_sums; }) {
                    for (const void *pointer : {static_cast<const void *>(value.a.data), static_cast<const void *>(value.b.data),
                                                static_cast<const void *>(value.c), static_cast<const void *>(value.activated),
                                                static_cast<const void *>(value.bias), static_cast<const void *>(value.a_sums)}) {
                        visit(pointer);
                    }
                }
            }};
}

// A kernel: its name, its parameters, and how one thread runs it.
struct Kernel {
    std::string name;
    std::vector<Parameter> parameters;
    std::function<void(void **)> thread;
};

std::vector<Kernel> &kernels();

template <class... T, size_t... I> Kernel kernel_of(const char *name, void (*f)(T...), std::index_sequence<I...>) {
    return {name, {parameter<T>()...}, [f](void **given) { f(*static_cast<std::remove_const_t<T> *>(given[I])...); }};
}

struct Entry {
    template <class... T> Entry(const char *name, void (*f)(T...)) {
        kernels().push_back(kernel_of(name, f, std::index_sequence_for<T...>{}));
    }
};

} // namespace stand_in

#define ENTRY(name) static stand_in::Entry entry_##name(#name, name);
