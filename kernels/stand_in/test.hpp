// What the stand-in's own tests share: the functions of the library under test, found as a program finds a driver's.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

inline int failures = 0;

inline void check(bool holds, const std::string &what) {
    if (holds) return;
    std::fprintf(stderr, "test: %s\n", what.c_str());
    ++failures;
}

inline void *library;

template <class F> F *find(const char *name) {
    void *symbol = dlsym(library, name);
    if (symbol == nullptr) {
        std::fprintf(stderr, "test: no symbol %s\n", name);
        std::exit(1);
    }
    return reinterpret_cast<F *>(symbol);
}

using Pointer = unsigned long long;

struct NodeParameters {
    void *function;
    unsigned grid[3], block[3], shared_bytes;
    void **parameters, **extra;
    void *kernel, *context;
};

struct Driver {
    void *context = nullptr;
    int (*init)(unsigned) = find<int(unsigned)>("cuInit");
    int (*retain)(void **, int) = find<int(void **, int)>("cuDevicePrimaryCtxRetain");
    int (*give_back)(int) = find<int(int)>("cuDevicePrimaryCtxRelease_v2");
    int (*set_current)(void *) = find<int(void *)>("cuCtxSetCurrent");
    int (*device)(int *, int) = find<int(int *, int)>("cuDeviceGet");
    int (*allocate)(Pointer *, size_t) = find<int(Pointer *, size_t)>("cuMemAlloc_v2");
    int (*release)(Pointer) = find<int(Pointer)>("cuMemFree_v2");
    int (*to_device)(Pointer, const void *, size_t) = find<int(Pointer, const void *, size_t)>("cuMemcpyHtoD_v2");
    int (*to_host)(void *, Pointer, size_t) = find<int(void *, Pointer, size_t)>("cuMemcpyDtoH_v2");
    int (*load)(void **, const void *) = find<int(void **, const void *)>("cuModuleLoadData");
    int (*function)(void **, void *, const char *) = find<int(void **, void *, const char *)>("cuModuleGetFunction");
    int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **) =
        find<int(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **)>("cuLaunchKernel");
    int (*synchronize)() = find<int()>("cuCtxSynchronize");
    int (*graph)(void **, unsigned) = find<int(void **, unsigned)>("cuGraphCreate");
    int (*add)(void **, void *, void *const *, size_t, const NodeParameters *) =
        find<int(void **, void *, void *const *, size_t, const NodeParameters *)>("cuGraphAddKernelNode_v2");
    int (*instantiate)(void **, void *, unsigned long long) = find<int(void **, void *, unsigned long long)>("cuGraphInstantiateWithFlags");
    int (*set)(void *, void *, const NodeParameters *) = find<int(void *, void *, const NodeParameters *)>("cuGraphExecKernelNodeSetParams_v2");
    int (*launch_graph)(void *, void *) = find<int(void *, void *)>("cuGraphLaunch");
    int (*destroy_instance)(void *) = find<int(void *)>("cuGraphExecDestroy");
    int (*destroy)(void *) = find<int(void *)>("cuGraphDestroy");
    int (*nodes)(void *, void **, size_t *) = find<int(void *, void **, size_t *)>("cuGraphGetNodes");
    int (*type)(void *, int *) = find<int(void *, int *)>("cuGraphNodeGetType");

    int (*stream)(void **, unsigned) = find<int(void **, unsigned)>("cuStreamCreate");
    int (*destroy_stream)(void *) = find<int(void *)>("cuStreamDestroy_v2");
    int (*wait)(void *) = find<int(void *)>("cuStreamSynchronize");
    int (*query)(void *) = find<int(void *)>("cuStreamQuery");
    int (*wait_event)(void *, void *, unsigned) = find<int(void *, void *, unsigned)>("cuStreamWaitEvent");
    int (*event)(void **, unsigned) = find<int(void **, unsigned)>("cuEventCreate");
    int (*destroy_event)(void *) = find<int(void *)>("cuEventDestroy_v2");
    int (*record)(void *, void *) = find<int(void *, void *)>("cuEventRecord");
    int (*query_event)(void *) = find<int(void *)>("cuEventQuery");
    int (*wait_for_event)(void *) = find<int(void *)>("cuEventSynchronize");
    int (*elapsed)(float *, void *, void *) = find<int(float *, void *, void *)>("cuEventElapsedTime");
    int (*elapsed_v2)(float *, void *, void *) = find<int(float *, void *, void *)>("cuEventElapsedTime_v2");

    int (*fill)(Pointer, unsigned char, size_t, void *) = find<int(Pointer, unsigned char, size_t, void *)>("cuMemsetD8Async");
    int (*fill_words)(Pointer, unsigned, size_t, void *) = find<int(Pointer, unsigned, size_t, void *)>("cuMemsetD32Async");
    int (*send)(Pointer, const void *, size_t, void *) = find<int(Pointer, const void *, size_t, void *)>("cuMemcpyHtoDAsync_v2");
    int (*fetch)(void *, Pointer, size_t, void *) = find<int(void *, Pointer, size_t, void *)>("cuMemcpyDtoHAsync_v2");
    int (*copy)(Pointer, Pointer, size_t, void *) = find<int(Pointer, Pointer, size_t, void *)>("cuMemcpyDtoDAsync_v2");

    int (*begin)(void *, int) = find<int(void *, int)>("cuStreamBeginCapture_v2");
    int (*end)(void *, void **) = find<int(void *, void **)>("cuStreamEndCapture");
    int (*capturing)(void *, int *) = find<int(void *, int *)>("cuStreamIsCapturing");
};

// Tests of streams.cpp, events.cpp and capture.cpp on a module of broken.cu.
void streams(Driver &driver, void *module);
void events(Driver &driver, void *module);
void capture(Driver &driver, void *module);
