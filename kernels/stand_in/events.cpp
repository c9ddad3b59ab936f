// Events: a place in a stream, and the time when the stream passed it.

#include <set>

#include "streams.hpp"

using namespace stand_in;

namespace {

constexpr unsigned BLOCKING_SYNC = 1, DISABLE_TIMING = 2, INTERPROCESS = 4;

struct Event {
    bool timing;
    // Where it was recorded last; null if it never was.
    std::shared_ptr<Mark> mark;
    // The place in a capture, if it was recorded last in a captured stream.
    Fork fork;
};

std::set<void *> events;

int event_of(void *handle, Event *&event) {
    event = static_cast<Event *>(handle);
    return events.contains(handle) ? SUCCESS : INVALID_HANDLE;
}

// An event of a capture marks no time, and nobody can wait for it but a stream.
int is_of_no_capture(const Event &event) { return event.fork.capture ? CAPTURED_EVENT : SUCCESS; }

int elapsed(float *milliseconds, void *from, void *to) {
    if (const int code = ready()) return code;
    Event *start = nullptr, *end = nullptr;
    if (event_of(from, start) || event_of(to, end)) return INVALID_HANDLE;
    if (milliseconds == nullptr) return INVALID_VALUE;
    for (const Event *event : {start, end}) {
        if (const int code = is_of_no_capture(*event)) return code;
        if (!event->timing || !event->mark) return INVALID_HANDLE;
    }
    if (!start->mark->passed || !end->mark->passed) return NOT_READY;
    *milliseconds = std::chrono::duration<float, std::milli>(end->mark->at - start->mark->at).count();
    return SUCCESS;
}

} // namespace

size_t stand_in::live_events() { return events.size(); }

API cuEventCreate(void **event, unsigned flags) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    // What other processes can open has no times.
    if (event == nullptr || flags > (BLOCKING_SYNC | DISABLE_TIMING | INTERPROCESS) || (flags & INTERPROCESS && !(flags & DISABLE_TIMING))) {
        return INVALID_VALUE;
    }
    *event = new Event{(flags & DISABLE_TIMING) == 0, nullptr, {}};
    events.insert(*event);
    return SUCCESS;
}

API cuEventDestroy_v2(void *handle) {
    std::lock_guard lock(door);
    if (events.erase(handle) == 0) {
        say("an event is destroyed that is none, or was destroyed before");
        return INVALID_HANDLE;
    }
    delete static_cast<Event *>(handle);
    return SUCCESS;
}

API cuEventRecord(void *handle, void *of) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Event *event = nullptr;
    Stream *stream = nullptr;
    if (event_of(handle, event) || stream_of(of, stream)) return INVALID_HANDLE;
    if (stream != nullptr && stream->capture) {
        // No nodes: it asks whether the capture is still good.
        if (const int code = append(*stream, {})) return code;
        event->fork = fork_of(*stream);
        return SUCCESS;
    }
    auto mark = std::make_shared<Mark>();
    mark->stream = stream;
    const int code = queue(stream, [mark] {
        mark->at = std::chrono::steady_clock::now();
        mark->passed = true;
        return static_cast<int>(SUCCESS);
    });
    if (code != SUCCESS) return code;
    event->mark = mark;
    event->fork = {};
    return SUCCESS;
}

// An event that was never recorded has nothing to wait for.
API cuEventSynchronize(void *handle) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Event *event = nullptr;
    if (event_of(handle, event)) return INVALID_HANDLE;
    if (const int code = is_of_no_capture(*event)) return code;
    if (event->mark) drain_until(*event->mark);
    return ready();
}

// Each question does one piece of the stream's work, as that of cuStreamQuery.
API cuEventQuery(void *handle) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Event *event = nullptr;
    if (event_of(handle, event)) return INVALID_HANDLE;
    if (const int code = is_of_no_capture(*event)) return code;
    if (const int code = unsafe_call()) return code;
    if (!event->mark || event->mark->passed) return SUCCESS;
    if (!event->mark->stream->waiting.empty()) step(*event->mark->stream);
    return ready() ? ready() : static_cast<int>(NOT_READY);
}

API cuEventElapsedTime(float *milliseconds, void *from, void *to) {
    std::lock_guard lock(door);
    return elapsed(milliseconds, from, to);
}

// What drivers from CUDA 12.8 on have beside the other.
API cuEventElapsedTime_v2(float *milliseconds, void *from, void *to) {
    std::lock_guard lock(door);
    return elapsed(milliseconds, from, to);
}

// In a capture it adds an edge, or draws the stream into the capture.
API cuStreamWaitEvent(void *of, void *handle, unsigned flags) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Event *event = nullptr;
    Stream *stream = nullptr;
    if (event_of(handle, event) || stream_of(of, stream)) return INVALID_HANDLE;
    if (flags != 0) return INVALID_VALUE;
    if (event->fork.capture) return join(stream, event->fork);
    if (stream != nullptr && stream->capture) return refuse_from_outside(*stream);
    return queue(stream, [mark = event->mark] {
        if (mark) drain_until(*mark);
        return static_cast<int>(SUCCESS);
    });
}
