// Streams: made, waited for, asked, destroyed, and what is sent to them (streams.hpp says when it is done).

#include "streams.hpp"

#include <cstdint>
#include <cstdlib>
#include <set>

using namespace stand_in;

namespace {

std::set<Stream *> streams;

// CU_STREAM_LEGACY, the other name of the default stream.
bool is_default(const void *handle) { return reinterpret_cast<uintptr_t>(handle) <= 1; }

} // namespace

size_t stand_in::live_streams() { return streams.size(); }

int stand_in::stream_of(void *handle, Stream *&stream) {
    stream = is_default(handle) ? nullptr : static_cast<Stream *>(handle);
    return stream == nullptr || streams.contains(stream) ? SUCCESS : INVALID_HANDLE;
}

void stand_in::step(Stream &stream) {
    auto work = std::move(stream.waiting.front());
    stream.waiting.pop_front();
    // What comes after a failure never runs.
    if (ready(false) == SUCCESS) work();
}

int stand_in::drain(Stream &stream) {
    while (!stream.waiting.empty()) step(stream);
    return ready(false);
}

void stand_in::drain_all() {
    for (Stream *stream : streams) drain(*stream);
}

void stand_in::drain_until(const Mark &mark) {
    while (!mark.passed && mark.stream != nullptr && !mark.stream->waiting.empty()) step(*mark.stream);
}

int stand_in::queue(Stream *stream, std::function<int()> work) {
    if (stream != nullptr) {
        stream->waiting.push_back(std::move(work));
        return std::getenv("CUDA_LAUNCH_BLOCKING") ? drain(*stream) : static_cast<int>(SUCCESS);
    }
    if (const int code = default_stream_is_free()) return code;
    for (Stream *other : streams) {
        if (other->blocking) drain(*other);
    }
    // An error of another stream's work comes back from whatever is called next.
    return ready(false) ? ready(false) : work();
}

int stand_in::send(void *handle, const std::vector<Node> &nodes) {
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    if (stream != nullptr && stream->capture) return append(*stream, nodes);
    return queue(stream, [nodes] {
        for (const Node &node : nodes) {
            if (const int code = node.run()) return code;
            // What comes after a failure never runs; the next call says so.
            if (ready(false) != SUCCESS) break;
        }
        return static_cast<int>(SUCCESS);
    });
}

// Flags: CU_STREAM_DEFAULT (0), CU_STREAM_NON_BLOCKING (1).
API cuStreamCreate(void **stream, unsigned flags) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    if (stream == nullptr || flags > 1) return INVALID_VALUE;
    auto *made = new Stream;
    made->blocking = flags == 0;
    streams.insert(made);
    *stream = made;
    return SUCCESS;
}

// Work that waits is still done.
API cuStreamDestroy_v2(void *handle) {
    std::lock_guard lock(door);
    auto *stream = static_cast<Stream *>(handle);
    if (!streams.contains(stream)) {
        say("a stream is destroyed that is none, or was destroyed before");
        return INVALID_HANDLE;
    }
    abandon(*stream);
    drain(*stream);
    streams.erase(stream);
    delete stream;
    return SUCCESS;
}

API cuStreamSynchronize(void *handle) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    if (const int code = is_not_captured(stream)) return code;
    if (stream != nullptr) return drain(*stream);
    return queue(nullptr, [] { return static_cast<int>(SUCCESS); });
}

// A stream that is asked gets on: each question does one piece of its work.
API cuStreamQuery(void *handle) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    if (const int code = is_not_captured(stream)) return code;
    if (stream == nullptr) return queue(nullptr, [] { return static_cast<int>(SUCCESS); });
    if (stream->waiting.empty()) return SUCCESS;
    step(*stream);
    return ready() ? ready() : static_cast<int>(NOT_READY);
}
