// The stand-in's own tests: it is loaded as a program loads a driver, and every check must fire on a kernel that deserves it.
//
//     test LIBCUDA KERNELS_PTX EXPECTATION...
//
// An EXPECTATION is KERNEL=CODE: the kernel of broken.cu, launched on 64 floats, must end with that number of the driver.
#include <cstring>
#include <fstream>
#include <sstream>

#include "test.hpp"

namespace {

// What is refused before any kernel runs, and that a good kernel runs.
void without_kernels(Driver &driver, void *module) {
    Pointer memory = 0, none = 0;
    check(driver.allocate(&none, 0) == 1, "an allocation of no bytes");
    check(driver.allocate(&none, 1ull << 50) == 2, "an allocation of more than there is");
    check(driver.allocate(&memory, 100) == 0 && memory % 256 == 0, "an allocation, aligned");
    char bytes[200] = {};
    check(driver.to_device(memory, bytes, 100) == 0, "a copy of as much as there is");
    check(driver.to_device(memory, bytes, 101) == 1, "a copy to past the end");
    check(driver.to_host(bytes, memory + 50, 51) == 1, "a copy from past the end");
    check(driver.release(memory + 1) == 1, "freeing the middle");
    check(driver.release(memory) == 0 && driver.release(memory) == 1, "freeing twice");
    check(driver.to_host(bytes, memory, 1) == 1, "a copy from freed memory");
    void *function = nullptr;
    check(driver.function(&function, module, "no_such_kernel") == 500, "a kernel that is not there");
    void *other = nullptr;
    check(driver.load(&other, "not PTX") == 218, "a text that is no PTX");
    check(driver.load(&other, ".version 9.0\n.target sm_80\n") == 222, "PTX for a newer driver");
    check(driver.load(&other, ".version 8.0\n.target sm_80\n.visible .entry unknown(\n") == 218, "PTX of no source");
    check(driver.load(&other, ".version 8.0\n.target sm_80\n.visible .entry good(\n\t.param .u64 good_param_0\n)\n.maxntid 64, 1, 1\n") == 218,
          "PTX with other parameters than the source");
    check(driver.function(&function, module, "good") == 0, "a kernel that is there");
    int device = 0;
    check(driver.device(&device, 1) == 101, "a device that is not there");
    for (unsigned threads : {0u, 65u}) {
        check(driver.launch(function, 1, 1, 1, threads, 1, 1, 0, nullptr, nullptr, nullptr) == 1, "too few or too many threads");
    }
    check(driver.launch(function, 0, 1, 1, 64, 1, 1, 0, nullptr, nullptr, nullptr) == 1, "a grid of no blocks");
}

// A graph of two kernels that copies 64 numbers by reversing them twice; then one of its nodes gets another source.
void graphs(Driver &driver, void *module) {
    void *function = nullptr, *graph = nullptr, *first = nullptr, *second = nullptr, *instance = nullptr;
    check(driver.function(&function, module, "good") == 0, "a kernel for a graph");
    Pointer x = 0, between = 0, y = 0, zeros = 0;
    for (Pointer *memory : {&x, &between, &y, &zeros}) check(driver.allocate(memory, 256) == 0, "memory for a graph");
    float numbers[64], results[64] = {};
    for (int n = 0; n < 64; ++n) numbers[n] = static_cast<float>(n);
    check(driver.to_device(x, numbers, 256) == 0 && driver.to_device(zeros, results, 256) == 0, "copies for a graph");
    unsigned size = 64;
    void *there[] = {&x, &between, &size}, *back[] = {&between, &y, &size}, *other[] = {&zeros, &between, &size};
    auto node = [&](unsigned threads, void **parameters) {
        return NodeParameters{function, {1, 1, 1}, {threads, 1, 1}, 0, parameters, nullptr, nullptr, nullptr};
    };
    NodeParameters forth = node(64, there), home = node(64, back), wide = node(65, there), from_zeros = node(64, other);
    check(driver.graph(&graph, 1) == 1 && driver.graph(&graph, 0) == 0, "a graph, without flags");
    check(driver.add(&first, graph, nullptr, 0, &wide) == 1, "a node of more threads than its kernel has");
    check(driver.add(&first, graph, &graph, 1, &forth) == 1, "a node after one that is not the graph's");
    check(driver.add(&first, graph, nullptr, 0, &forth) == 0 && driver.add(&second, graph, &first, 1, &home) == 0, "two nodes");
    check(driver.instantiate(&instance, graph, 0) == 0, "an instance");
    check(driver.launch_graph(graph, nullptr) == 1, "a graph that is no instance is not launched");
    auto holds = [&](const char *what, bool zero) {
        check(driver.launch_graph(instance, nullptr) == 0 && driver.to_host(results, y, 256) == 0, what);
        for (int n = 0; n < 64; ++n) check(results[n] == (zero ? 0.0f : n), what);
    };
    // The driver has copied the parameters.
    there[0] = &y;
    holds("a graph of two kernels", false);
    holds("the same again", false);
    check(driver.set(instance, graph, &from_zeros) == 1, "parameters of what is no node");
    check(driver.set(instance, first, &wide) == 1, "parameters that could not be launched");
    holds("refused parameters change nothing", false);
    check(driver.set(instance, first, &from_zeros) == 0, "other parameters");
    holds("other parameters count", true);
    check(driver.destroy(graph) == 0 && driver.destroy(graph) == 1, "destroying a graph twice");
    holds("an instance outlives its graph", true);
    check(driver.destroy_instance(instance) == 0 && driver.destroy_instance(instance) == 1, "destroying an instance twice");
    check(driver.launch_graph(instance, nullptr) == 1, "launching what was destroyed");
    for (Pointer memory : {x, between, y, zeros}) check(driver.release(memory) == 0, "freeing what a graph used");
}

} // namespace

int main(int count, char **words) {
    if (count < 3) return 2;
    library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        std::fprintf(stderr, "test: %s\n", dlerror());
        return 1;
    }
    Driver driver;
    std::ifstream file(words[2]);
    std::stringstream ptx;
    ptx << file.rdbuf();
    void *&context = driver.context, *module = nullptr;
    check(driver.retain(&context, 0) == 3, "a context before cuInit");
    check(driver.init(0) == 0 && driver.retain(&context, 0) == 0, "a context");
    check(driver.load(&module, ptx.str().c_str()) == 201, "a module without a current context");
    check(driver.set_current(context) == 0 && driver.load(&module, ptx.str().c_str()) == 0, "a module");
    if (failures > 0) return 1;
    if (count == 3) {
        without_kernels(driver, module);
        graphs(driver, module);
        streams(driver, module);
        events(driver, module);
        capture(driver, module);
        // What is left is said when the context goes (stand_in_test.sh looks).
        void *left = nullptr;
        check(driver.stream(&left, 0) == 0 && driver.event(&left, 0) == 0 && driver.graph(&left, 0) == 0, "what is never destroyed");
        check(driver.give_back(0) == 0, "giving the context back");
    }
    for (int word = 3; word < count; ++word) {
        const std::string name(words[word], std::strchr(words[word], '='));
        const int code = std::atoi(std::strchr(words[word], '=') + 1);
        void *function = nullptr;
        Pointer x = 0, y = 0;
        check(driver.function(&function, module, name.c_str()) == 0, name + " is there");
        check(driver.allocate(&x, 256) == 0 && driver.allocate(&y, 256) == 0, "memory");
        float numbers[64], results[64] = {};
        for (int n = 0; n < 64; ++n) numbers[n] = static_cast<float>(n);
        check(driver.to_device(x, numbers, 256) == 0 && driver.to_device(y, results, 256) == 0, "copies");
        unsigned size = 64;
        void *parameters[] = {&x, &y, &size};
        const int launched = driver.launch(function, 1, 1, 1, 64, 1, 1, 0, nullptr, parameters, nullptr);
        const int after = driver.synchronize();
        check(launched == 0, name + ": launching answers " + std::to_string(launched));
        check(after == code, name + ": ends with " + std::to_string(after) + ", expected " + std::to_string(code));
        if (after != code) continue;
        // A failed launch stays; a good one reverses the numbers.
        const int read = driver.to_host(results, y, 256);
        check(read == code, name + ": a copy then answers " + std::to_string(read));
        for (int n = 0; code == 0 && n < 64; ++n) check(results[n] == 63.0f - n, name + ": wrong at " + std::to_string(n));
        if (code != 0) break;
    }
    return failures > 0;
}
