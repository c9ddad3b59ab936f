// Graphs of kernels, as a driver has them: nodes with copies of their parameters, each after those it depends on. An instantiated graph
// is a copy that can be launched any number of times and whose nodes can get other parameters; they keep the names that they have in
// the graph it was made of.

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "driver.hpp"

using namespace stand_in;

namespace {

// CUDA_KERNEL_NODE_PARAMS_v2
struct NodeParameters {
    Function *function;
    Three blocks, threads;
    unsigned shared_bytes;
    void **parameters, **extra;
    void *kernel, *context;

    Grid grid() const { return {function, blocks, threads, shared_bytes, extra}; }
};

struct Node {
    Function *function;
    unsigned blocks, threads;
    std::vector<std::vector<char>> parameters;

    explicit Node(const NodeParameters &of) : function(of.function), blocks(of.blocks.x), threads(of.threads.x) {
        const auto &wanted = function->kernel->parameters;
        for (size_t n = 0; n < wanted.size(); ++n) {
            const char *from = static_cast<const char *>(of.parameters[n]);
            parameters.emplace_back(from, from + wanted[n].bytes);
        }
    }
};

// A node can only depend on nodes that were there before it, so the order in which they came is one in which they may run.
struct Graph {
    std::vector<std::unique_ptr<Node>> nodes;

    bool has(const void *node) const {
        return std::any_of(nodes.begin(), nodes.end(), [&](const auto &own) { return own.get() == node; });
    }
};

struct Ready {
    std::vector<const void *> names;
    std::vector<Node> nodes;
};

std::set<const void *> graphs, instances;

// Whether a node could be launched.
int fits(const NodeParameters &of) {
    if (const int code = stand_in::fits(of.grid())) return code;
    return of.parameters == nullptr && !of.function->kernel->parameters.empty() ? INVALID_VALUE : SUCCESS;
}

} // namespace

size_t stand_in::live_graphs() { return graphs.size() + instances.size(); }

API cuGraphCreate(void **graph, unsigned flags) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (graph == nullptr || flags != 0) return INVALID_VALUE;
    *graph = new Graph;
    graphs.insert(*graph);
    return SUCCESS;
}

API cuGraphAddKernelNode_v2(void **node, void *graph, void *const *dependencies, size_t count, const NodeParameters *parameters) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (!graphs.contains(graph) || node == nullptr || parameters == nullptr || (count > 0 && dependencies == nullptr)) return INVALID_VALUE;
    auto &nodes = static_cast<Graph *>(graph)->nodes;
    for (size_t n = 0; n < count; ++n) {
        if (!static_cast<Graph *>(graph)->has(dependencies[n])) return INVALID_VALUE;
    }
    if (const int code = fits(*parameters)) return code;
    nodes.push_back(std::make_unique<Node>(*parameters));
    *node = nodes.back().get();
    return SUCCESS;
}

API cuGraphInstantiateWithFlags(void **instance, void *graph, unsigned long long flags) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (!graphs.contains(graph) || instance == nullptr || flags != 0) return INVALID_VALUE;
    auto *made = new Ready;
    for (const auto &node : static_cast<Graph *>(graph)->nodes) {
        made->names.push_back(node.get());
        made->nodes.push_back(*node);
    }
    *instance = made;
    instances.insert(made);
    return SUCCESS;
}

API cuGraphExecKernelNodeSetParams_v2(void *instance, void *node, const NodeParameters *parameters) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (!instances.contains(instance) || parameters == nullptr) return INVALID_VALUE;
    auto &[names, nodes] = *static_cast<Ready *>(instance);
    const auto at = std::find(names.begin(), names.end(), node);
    if (at == names.end()) return INVALID_VALUE;
    if (const int code = fits(*parameters)) return code;
    nodes[at - names.begin()] = Node(*parameters);
    return SUCCESS;
}

API cuGraphLaunch(void *instance, void *stream) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (!instances.contains(instance)) return INVALID_VALUE;
    if (stream != nullptr) return INVALID_HANDLE;
    count("cuGraphLaunch");
    for (const Node &node : static_cast<Ready *>(instance)->nodes) {
        std::vector<void *> parameters;
        for (const auto &bytes : node.parameters) parameters.push_back(const_cast<char *>(bytes.data()));
        if (const int code = launch(*node.function, node.blocks, node.threads, parameters.data())) return code;
        // What comes after a failure never runs; the next call says so.
        if (ready() != SUCCESS) break;
    }
    return SUCCESS;
}

API cuGraphExecDestroy(void *instance) {
    std::lock_guard lock(door);
    if (instances.erase(instance) == 0) return INVALID_VALUE;
    delete static_cast<Ready *>(instance);
    return SUCCESS;
}

API cuGraphDestroy(void *graph) {
    std::lock_guard lock(door);
    if (graphs.erase(graph) == 0) return INVALID_VALUE;
    delete static_cast<Graph *>(graph);
    return SUCCESS;
}
