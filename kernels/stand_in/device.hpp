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
#include "trace.hpp"

#define __global__
#ifdef DISENTANGLE_TRACE
// So that an access is known by the lines that call what does it.
#define __device__ __attribute__((always_inline))
#else
#define __device__
#endif
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
struct __align__(8) float2 {
    float x, y;
};
struct __align__(16) double2 {
    double x, y;
};

// Vector accesses check their alignment as a device does: a misaligned one ends the launch. Traced, they are one access.
namespace stand_in {
template <class Vector, class T> __device__ inline Vector load(const T *from) {
    if (reinterpret_cast<uintptr_t>(from) % sizeof(Vector) != 0) fault(MISALIGNED, "a vector load is not aligned");
    Vector value;
#ifdef DISENTANGLE_TRACE
    trace::read(from, &value, sizeof value);
#else
    std::memcpy(&value, from, sizeof value);
#endif
    return value;
}
template <class Vector, class T> __device__ inline void store(T *to, Vector value) {
    if (reinterpret_cast<uintptr_t>(to) % sizeof(Vector) != 0) fault(MISALIGNED, "a vector store is not aligned");
#ifdef DISENTANGLE_TRACE
    trace::write(to, &value, sizeof value);
#else
    std::memcpy(to, &value, sizeof value);
#endif
}
} // namespace stand_in
__device__ inline float4 load4(const float *from) { return stand_in::load<float4>(from); }
__device__ inline float2 load2(const float *from) { return stand_in::load<float2>(from); }
__device__ inline double2 load2(const double *from) { return stand_in::load<double2>(from); }
__device__ inline void store4(float *to, float4 value) { stand_in::store(to, value); }
__device__ inline void store2(double *to, double2 value) { stand_in::store(to, value); }

// Fibers take turns at barriers alone, so a plain addition is an atomic one. Kernels do not ask what was there before.
__device__ inline void atomicAdd(unsigned *to, unsigned value) {
#ifdef DISENTANGLE_TRACE
    stand_in::trace::add(to, value);
#else
    *to += value;
#endif
}

// A copy is made when its thread waits for it, so that who forgets to wait finds nothing.
__device__ inline void copy16_async(void *to, const void *from, bool there) {
    for (const void *end : {static_cast<const void *>(to), from}) {
        if (reinterpret_cast<uintptr_t>(end) % 16 != 0) stand_in::fault(stand_in::MISALIGNED, "an asynchronous copy is not aligned");
    }
    stand_in::Copy copy{to, {}};
#ifdef DISENTANGLE_TRACE
    if (there) stand_in::trace::read(from, copy.bytes, sizeof copy.bytes);
#else
    if (there) std::memcpy(copy.bytes, from, sizeof copy.bytes);
#endif
    stand_in::copies().push_back(copy);
}
__device__ inline void wait_for_copies() {
    for (const stand_in::Copy &copy : stand_in::copies()) {
#ifdef DISENTANGLE_TRACE
        stand_in::trace::write(copy.to, copy.bytes, sizeof copy.bytes);
#else
        std::memcpy(copy.to, copy.bytes, sizeof copy.bytes);
#endif
    }
    stand_in::copies().clear();
}

// A barrier is known by its line: threads that wait at different ones diverge.
#define __syncthreads() stand_in::block_barrier(__LINE__)
#define __shfl_xor_sync(mask, value, lanes) stand_in::shuffle(mask, value, threadIdx.x % 32 ^ (lanes), __LINE__)
#define __shfl_sync(mask, value, lane) stand_in::shuffle(mask, value, (lane) % 32, __LINE__)
// A lane below `lanes` keeps its own.
#define __shfl_up_sync(mask, value, lanes)                                                                                        \
    stand_in::shuffle(mask, value, threadIdx.x % 32 < (lanes) ? threadIdx.x % 32 : threadIdx.x % 32 - (lanes), __LINE__)
#define __ballot_sync(mask, holds) stand_in::ballot(mask, holds, __LINE__)
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }

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

template <class T> T shuffle(unsigned mask, T value, unsigned lane, int line) {
    static_assert(sizeof(T) <= 8);
    if (mask != 0xffffffffu) fault(LAUNCH_FAILED, "a shuffle of part of a warp");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = exchange(bits, lane, line);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline unsigned ballot(unsigned mask, bool holds, int line) {
    if (mask != 0xffffffffu) fault(LAUNCH_FAILED, "a vote of part of a warp");
    return vote(holds, line);
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
                                                static_cast<const void *>(value.z),
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
