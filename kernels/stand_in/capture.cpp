// Capture: what is sent to a stream becomes nodes of a graph instead of being done. Other streams join by waiting for an event that was
// recorded in a captured one, and must be waited for in turn before the end. A call that would have to wait for what will never
// run is refused (900, 906), and then the capture is good for nothing (901) until it has been ended.
//
// The numbers are those of the driver's reference and of the programming guide ("Prohibited and Unhandled Operations"). Where these say that a
// call fails but not with what, it is the number whose words fit, which no card has confirmed: 401 for a capture that begins twice or ends before it
// began, 900 for one of the default stream, 907 for the time of a captured event and for a wait for one whose capture is over.

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "streams.hpp"

namespace stand_in {

struct Capture {
    int mode = 0;
    std::thread::id thread;
    Stream *origin = nullptr;
    bool valid = true;
    std::unique_ptr<Graph> graph = std::make_unique<Graph>();
    // Of each stream, what its next node comes after.
    std::map<Stream *, std::vector<const Node *>> ends;
};

} // namespace stand_in

using namespace stand_in;

namespace {

// CUstreamCaptureMode; between those two: thread-local.
constexpr int GLOBAL = 0, RELAXED = 2;

// Those that are going on.
std::set<std::shared_ptr<Capture>> captures;

int invalidate(Capture &capture, int code) {
    capture.valid = false;
    return code;
}

// Invalidates those that hold for it: the code, if there is one.
template <class Holds> int refuse(int code, Holds holds) {
    int answer = SUCCESS;
    for (const auto &capture : captures) {
        if (holds(*capture)) answer = invalidate(*capture, code);
    }
    return answer;
}

bool has_blocking(const Capture &capture) {
    return std::any_of(capture.ends.begin(), capture.ends.end(), [](const auto &of) { return of.first->blocking; });
}

// All that the given nodes come after, themselves included.
std::set<const Node *> before(std::vector<const Node *> nodes) {
    std::set<const Node *> found;
    while (!nodes.empty()) {
        const Node *node = nodes.back();
        nodes.pop_back();
        if (found.insert(node).second) nodes.insert(nodes.end(), node->after.begin(), node->after.end());
    }
    return found;
}

void end(const std::shared_ptr<Capture> &capture) {
    for (const auto &[stream, _] : capture->ends) stream->capture = nullptr;
    captures.erase(capture);
}

} // namespace

int stand_in::append(Stream &stream, const std::vector<Node> &nodes) {
    Capture &capture = *stream.capture;
    if (!capture.valid) return STREAM_CAPTURE_INVALIDATED;
    auto &ends = capture.ends[&stream];
    for (const Node &node : nodes) {
        capture.graph->nodes.push_back(std::make_unique<Node>(node));
        capture.graph->nodes.back()->after = ends;
        ends = {capture.graph->nodes.back().get()};
    }
    return SUCCESS;
}

int stand_in::default_stream_is_free() { return refuse(STREAM_CAPTURE_IMPLICIT, has_blocking); }

int stand_in::nothing_is_captured() {
    return refuse(STREAM_CAPTURE_UNSUPPORTED, [](const Capture &) { return true; });
}

int stand_in::is_not_captured(const Stream *stream) {
    if (stream == nullptr) return default_stream_is_free();
    if (!stream->capture) return SUCCESS;
    return stream->capture->valid ? invalidate(*stream->capture, STREAM_CAPTURE_UNSUPPORTED) : STREAM_CAPTURE_INVALIDATED;
}

int stand_in::unsafe_call() {
    return refuse(STREAM_CAPTURE_UNSUPPORTED, [](const Capture &capture) {
        return capture.mode == GLOBAL || (capture.mode != RELAXED && capture.thread == std::this_thread::get_id());
    });
}

Fork stand_in::fork_of(const Stream &stream) { return {stream.capture, stream.capture->ends[const_cast<Stream *>(&stream)]}; }

int stand_in::join(Stream *stream, const Fork &fork) {
    // The event outlives its capture.
    if (!captures.contains(fork.capture)) return CAPTURED_EVENT;
    if (!fork.capture->valid) return STREAM_CAPTURE_INVALIDATED;
    if (stream == nullptr) return invalidate(*fork.capture, STREAM_CAPTURE_IMPLICIT);
    if (stream->capture && stream->capture != fork.capture) {
        invalidate(*stream->capture, STREAM_CAPTURE_MERGE);
        return invalidate(*fork.capture, STREAM_CAPTURE_MERGE);
    }
    stream->capture = fork.capture;
    auto &ends = fork.capture->ends[stream];
    for (const Node *node : fork.ends) {
        if (std::find(ends.begin(), ends.end(), node) == ends.end()) ends.push_back(node);
    }
    return SUCCESS;
}

int stand_in::refuse_from_outside(Stream &stream) {
    return stream.capture->valid ? invalidate(*stream.capture, STREAM_CAPTURE_ISOLATION) : STREAM_CAPTURE_INVALIDATED;
}

void stand_in::abandon(Stream &stream) {
    if (!stream.capture) return;
    say("a stream is destroyed while it is captured");
    const auto capture = stream.capture;
    invalidate(*capture, STREAM_CAPTURE_INVALIDATED);
    capture->ends.erase(&stream);
    if (capture->origin == &stream) end(capture);
}

API cuStreamBeginCapture_v2(void *handle, int mode) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    if (mode < GLOBAL || mode > RELAXED) return INVALID_VALUE;
    // The default stream cannot be captured.
    if (stream == nullptr) return STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) return ILLEGAL_STATE;
    stream->capture = std::make_shared<Capture>();
    stream->capture->mode = mode;
    stream->capture->thread = std::this_thread::get_id();
    stream->capture->origin = stream;
    stream->capture->ends[stream] = {};
    captures.insert(stream->capture);
    return SUCCESS;
}

API cuStreamEndCapture(void *handle, void **graph) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    if (graph == nullptr) return INVALID_VALUE;
    *graph = nullptr;
    if (stream == nullptr || !stream->capture) return ILLEGAL_STATE;
    const auto capture = stream->capture;
    if (capture->origin != stream) return invalidate(*capture, STREAM_CAPTURE_UNMATCHED);
    if (capture->mode != RELAXED && capture->thread != std::this_thread::get_id()) return invalidate(*capture, STREAM_CAPTURE_WRONG_THREAD);
    end(capture);
    if (!capture->valid) return STREAM_CAPTURE_INVALIDATED;
    const auto joined = before(capture->ends[stream]);
    for (const auto &[other, ends] : capture->ends) {
        if (std::any_of(ends.begin(), ends.end(), [&](const Node *node) { return !joined.contains(node); })) return STREAM_CAPTURE_UNJOINED;
    }
    *graph = give(std::move(capture->graph));
    return SUCCESS;
}

// CUstreamCaptureStatus: none (0), active (1), invalidated (2). To ask about the default stream disturbs nobody, but has no answer while it
// could not be used.
API cuStreamIsCapturing(void *handle, int *status) {
    std::lock_guard lock(door);
    if (const int code = ready()) return code;
    Stream *stream = nullptr;
    if (const int code = stream_of(handle, stream)) return code;
    if (status == nullptr) return INVALID_VALUE;
    *status = stream == nullptr || !stream->capture ? 0 : stream->capture->valid ? 1 : 2;
    const bool blocked = std::any_of(captures.begin(), captures.end(), [](const auto &capture) { return has_blocking(*capture); });
    return stream == nullptr && blocked ? STREAM_CAPTURE_IMPLICIT : SUCCESS;
}
