// Streams and what they share with events, captures and copies.
//
// What is sent to the default stream is done at once. What is sent to another stream is done as late as a device may do it: when somebody
// waits for it, by the stream, an event, the context, or a call that uses the default stream. So whoever forgets to wait finds nothing.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "graphs.hpp"

namespace stand_in {

struct Capture;

struct Stream {
    // Whether it and the default stream wait for each other (else CU_STREAM_NON_BLOCKING).
    bool blocking = true;
    std::deque<std::function<int()>> waiting;
    // Set while what is sent becomes nodes instead.
    std::shared_ptr<Capture> capture;
};

// A place in a stream that an event marks.
struct Mark {
    Stream *stream;
    bool passed = false;
    std::chrono::steady_clock::time_point at;
};

// The stream of a handle, null for the default stream; the code is INVALID_HANDLE for what is none.
int stream_of(void *handle, Stream *&stream);

// Sends nodes: to be done at once, to be queued, or to become nodes of a graph.
int send(void *stream, const std::vector<Node> &nodes);

// Queues anything else for a stream that is not captured, or does it at once for the default stream.
int queue(Stream *stream, std::function<int()> work);

// Does the next, or all, of what waits. The code of a failure with CUDA_LAUNCH_BLOCKING=1, else success.
void step(Stream &stream);
int drain(Stream &stream);
void drain_all();
void drain_until(const Mark &mark);

// Streams and events that have been made and not destroyed.
size_t live_streams();
size_t live_events();

// --- capture.cpp

// Appends nodes to what a captured stream has so far.
int append(Stream &stream, const std::vector<Node> &nodes);

// Refuses, and invalidates captures, for: use of the default stream; a wait for all; a wait for or a look at one stream; a call that a
// driver may not make meanwhile (allocations). SUCCESS where nothing is captured that it would disturb.
int default_stream_is_free();
int nothing_is_captured();
int is_not_captured(const Stream *stream);
int unsafe_call();

// A captured place: the nodes that a stream's next one comes after. An event that is recorded there carries it to other streams.
struct Fork {
    std::shared_ptr<Capture> capture;
    std::vector<const Node *> ends;
};
Fork fork_of(const Stream &stream);
int join(Stream *stream, const Fork &fork);

// A stream that waits for an event from outside of its capture: refused.
int refuse_from_outside(Stream &stream);

// A stream that is destroyed takes its capture with it.
void abandon(Stream &stream);

} // namespace stand_in
