// Device memory for the driver's callers: allocated and freed, filled and copied, at once in the default stream or queued in another.
//
// A copy from the host takes its bytes when it is asked for, as a driver's from pageable memory; one to the host arrives when its stream gets
// there, as a driver's to memory that is locked: who reads before has waited for nothing.

#include <algorithm>
#include <cstdint>

#include "memory.hpp"
#include "streams.hpp"

using namespace stand_in;
using Address = unsigned long long;

namespace {

void *pointer(Address address) { return reinterpret_cast<void *>(address); }

// Whether device memory is there for that many bytes.
int there(const void *address, size_t bytes) {
    if (const int code = ready()) return code;
    if (!memory::holds(address, bytes)) {
        say("a copy of " + std::to_string(bytes) + " bytes from or to device memory that is not allocated");
        return INVALID_VALUE;
    }
    return SUCCESS;
}

// A call that the default stream does, and that is over when it returns.
int at_once(const Node &node) {
    if (const int code = default_stream_is_free()) return code;
    if (const int code = unsafe_call()) return code;
    return send(nullptr, {node});
}

int fill(Address address, unsigned value, unsigned width, size_t count, void *stream, bool waits) {
    // Numbers of four bytes lie on a multiple of four.
    if (address % width != 0 || count > SIZE_MAX / width) return INVALID_VALUE;
    if (const int code = there(pointer(address), width * count)) return code;
    const Node node = Node::fill(pointer(address), value, width, count);
    return waits ? at_once(node) : send(stream, {node});
}

} // namespace

API cuMemAlloc_v2(Address *address, size_t bytes) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (const int code = unsafe_call()) return code;
    if (bytes == 0) return INVALID_VALUE;
    void *got = memory::allocate(bytes);
    if (got == nullptr) return OUT_OF_MEMORY;
    *address = reinterpret_cast<uintptr_t>(got);
    return SUCCESS;
}

// It waits for all that was sent.
API cuMemFree_v2(Address address) {
    std::lock_guard lock(door);
    if (!ready(false) && ready()) return INVALID_CONTEXT;
    if (const int code = unsafe_call()) return code;
    drain_all();
    if (!memory::release(pointer(address))) {
        say("an address is freed that is no allocation, or was freed before");
        return INVALID_VALUE;
    }
    return ready(false);
}

API cuMemGetInfo_v2(size_t *free, size_t *total) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    *total = memory::limit();
    *free = memory::limit() - std::min(memory::limit(), memory::used());
    return SUCCESS;
}

API cuMemsetD8_v2(Address address, unsigned char value, size_t count) {
    std::lock_guard lock(door);
    return fill(address, value, 1, count, nullptr, true);
}

API cuMemsetD8Async(Address address, unsigned char value, size_t count, void *stream) {
    std::lock_guard lock(door);
    return fill(address, value, 1, count, stream, false);
}

API cuMemsetD32_v2(Address address, unsigned value, size_t count) {
    std::lock_guard lock(door);
    return fill(address, value, 4, count, nullptr, true);
}

API cuMemsetD32Async(Address address, unsigned value, size_t count, void *stream) {
    std::lock_guard lock(door);
    return fill(address, value, 4, count, stream, false);
}

API cuMemcpyHtoD_v2(Address address, const void *from, size_t bytes) {
    std::lock_guard lock(door);
    if (const int code = there(pointer(address), bytes)) return code;
    count("cuMemcpyHtoD");
    return at_once(Node::copy(pointer(address), from, bytes));
}

API cuMemcpyHtoDAsync_v2(Address address, const void *from, size_t bytes, void *handle) {
    std::lock_guard lock(door);
    if (const int code = there(pointer(address), bytes)) return code;
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    count("cuMemcpyHtoD");
    Node node = Node::copy(pointer(address), from, bytes);
    // A graph reads the host's memory each time that it is launched.
    if (stream != nullptr && !stream->capture) {
        const char *start = static_cast<const char *>(from);
        node.staged = std::make_shared<std::vector<char>>(start, start + bytes);
    }
    return send(handle, {node});
}

API cuMemcpyDtoH_v2(void *to, Address address, size_t bytes) {
    std::lock_guard lock(door);
    if (const int code = there(pointer(address), bytes)) return code;
    count("cuMemcpyDtoH");
    return at_once(Node::copy(to, pointer(address), bytes));
}

API cuMemcpyDtoHAsync_v2(void *to, Address address, size_t bytes, void *stream) {
    std::lock_guard lock(door);
    if (const int code = there(pointer(address), bytes)) return code;
    count("cuMemcpyDtoH");
    return send(stream, {Node::copy(to, pointer(address), bytes)});
}

API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) {
    std::lock_guard lock(door);
    for (const Address end : {to, from}) {
        if (const int code = there(pointer(end), bytes)) return code;
    }
    return send(stream, {Node::copy(pointer(to), pointer(from), bytes)});
}
