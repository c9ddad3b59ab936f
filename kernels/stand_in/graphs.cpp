// Graphs, as a driver has them: nodes with copies of their parameters, each after those it depends on. An instantiated graph is a copy that
// can be launched any number of times and whose kernels can get other parameters; they keep the names that they have in the graph it
// was made of.

#include "graphs.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "memory.hpp"
#include "streams.hpp"

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

void *stand_in::give(std::unique_ptr<Graph> graph) {
    graphs.insert(graph.get());
    return graph.release();
}

bool Graph::has(const void *node) const {
    return std::any_of(nodes.begin(), nodes.end(), [&](const auto &own) { return own.get() == node; });
}

Node Node::kernel(const Grid &of, void **parameters) {
    Node node;
    node.function = of.function;
    node.blocks = of.blocks.x;
    node.threads = of.threads.x;
    const auto &wanted = of.function->kernel->parameters;
    for (size_t n = 0; n < wanted.size(); ++n) {
        const char *from = static_cast<const char *>(parameters[n]);
        node.parameters.emplace_back(from, from + wanted[n].bytes);
    }
    return node;
}

Node Node::copy(void *to, const void *from, size_t bytes) {
    Node node;
    node.kind = Kind::COPY;
    node.to = to;
    node.from = from;
    node.bytes = bytes;
    return node;
}

Node Node::fill(void *to, unsigned value, unsigned width, size_t count) {
    Node node;
    node.kind = Kind::FILL;
    node.to = to;
    node.bytes = width * count;
    node.value = value;
    node.width = width;
    return node;
}

int Node::run() const {
    if (kind == Kind::KERNEL) {
        std::vector<void *> given;
        for (const auto &own : parameters) given.push_back(const_cast<char *>(own.data()));
        return launch(*function, blocks, threads, given.data());
    }
    // What was there when it was asked for may have been freed since.
    for (const void *end : {static_cast<const void *>(to), from}) {
        if (end != nullptr && memory::is_device(end) && !memory::holds(end, bytes)) {
            return fail(ILLEGAL_ADDRESS, "a fill or copy of " + std::to_string(bytes) + " bytes of device memory that is no longer there");
        }
    }
    if (kind == Kind::COPY) {
        std::memmove(to, staged ? staged->data() : from, bytes);
        return SUCCESS;
    }
    if (width == 1) {
        std::memset(to, static_cast<int>(value), bytes);
    } else {
        std::fill_n(static_cast<unsigned *>(to), bytes / sizeof value, value);
    }
    return SUCCESS;
}

API cuGraphCreate(void **graph, unsigned flags) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (graph == nullptr || flags != 0) return INVALID_VALUE;
    *graph = give(std::make_unique<Graph>());
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
    nodes.push_back(std::make_unique<Node>(Node::kernel(parameters->grid(), parameters->parameters)));
    for (size_t n = 0; n < count; ++n) nodes.back()->after.push_back(static_cast<const Node *>(dependencies[n]));
    *node = nodes.back().get();
    return SUCCESS;
}

// With null for `nodes` it counts them; else it fills as many as there is room for, and null behind the last.
API cuGraphGetNodes(void *graph, void **nodes, size_t *count) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (!graphs.contains(graph) || count == nullptr) return INVALID_VALUE;
    const auto &own = static_cast<Graph *>(graph)->nodes;
    if (nodes != nullptr) {
        for (size_t n = 0; n < *count; ++n) nodes[n] = n < own.size() ? own[n].get() : nullptr;
    }
    *count = nodes == nullptr ? own.size() : std::min(*count, own.size());
    return SUCCESS;
}

API cuGraphNodeGetType(void *node, int *type) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    for (const void *graph : graphs) {
        if (type != nullptr && static_cast<const Graph *>(graph)->has(node)) {
            *type = static_cast<int>(static_cast<const Node *>(node)->kind);
            return SUCCESS;
        }
    }
    return INVALID_VALUE;
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
    if (at == names.end() || nodes[at - names.begin()].kind != Kind::KERNEL) return INVALID_VALUE;
    if (const int code = fits(*parameters)) return code;
    nodes[at - names.begin()] = Node::kernel(parameters->grid(), parameters->parameters);
    return SUCCESS;
}

// What runs is the instance as it is now, whatever becomes of it before the stream gets there.
API cuGraphLaunch(void *instance, void *stream) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (!instances.contains(instance)) return INVALID_VALUE;
    count("cuGraphLaunch");
    return send(stream, static_cast<Ready *>(instance)->nodes);
}

API cuGraphExecDestroy(void *instance) {
    std::lock_guard lock(door);
    if (instances.erase(instance) == 0) {
        say("an instance of a graph is destroyed that is none, or was destroyed before");
        return INVALID_VALUE;
    }
    delete static_cast<Ready *>(instance);
    return SUCCESS;
}

API cuGraphDestroy(void *graph) {
    std::lock_guard lock(door);
    if (graphs.erase(graph) == 0) {
        say("a graph is destroyed that is none, or was destroyed before");
        return INVALID_VALUE;
    }
    delete static_cast<Graph *>(graph);
    return SUCCESS;
}
