// What is sent to a device, as nodes: a kernel, a fill or a copy, with its own copy of what it was given. A stream queues them, a capture
// and a graph keep them.
#pragma once
#include <memory>
#include <vector>

#include "driver.hpp"

namespace stand_in {

// The numbers of CUgraphNodeType.
enum class Kind : int { KERNEL = 0, COPY = 1, FILL = 2 };

struct Node {
    Kind kind = Kind::KERNEL;
    // A kernel.
    Function *function = nullptr;
    unsigned blocks = 0, threads = 0;
    std::vector<std::vector<char>> parameters;
    // A copy of so many bytes; `staged` has them if they were the host's when the copy was asked for.
    void *to = nullptr;
    const void *from = nullptr;
    size_t bytes = 0;
    std::shared_ptr<std::vector<char>> staged;
    // A fill with a number of one or four bytes.
    unsigned value = 0, width = 1;
    // Those that it runs after.
    std::vector<const Node *> after;

    static Node kernel(const Grid &of, void **parameters);
    static Node copy(void *to, const void *from, size_t bytes);
    static Node fill(void *to, unsigned value, unsigned width, size_t count);

    // Runs it. A failure stays; it is the answer only with CUDA_LAUNCH_BLOCKING=1.
    int run() const;
};

// A node can only depend on nodes that were there before it, so the order in which they came is one in which they may run.
struct Graph {
    std::vector<std::unique_ptr<Node>> nodes;

    bool has(const void *node) const;
};

// Puts a graph among those that a program may use and must destroy.
void *give(std::unique_ptr<Graph> graph);

} // namespace stand_in
