// The stand-in's streams, events and captures: what a driver does and what it refuses, by its numbers.
#include "test.hpp"

#include <thread>
#include <vector>

namespace {

// Memory for 64 floats three times, and the kernel that reverses them.
struct Setting {
    Driver &driver;
    void *function = nullptr;
    Pointer x = 0, y = 0, z = 0;
    float numbers[64], results[64];
    unsigned size = 64;

    Setting(Driver &of, void *module) : driver(of) {
        check(driver.function(&function, module, "good") == 0, "a kernel for streams");
        for (Pointer *memory : {&x, &y, &z}) check(driver.allocate(memory, 256) == 0, "memory for streams");
        for (int n = 0; n < 64; ++n) numbers[n] = static_cast<float>(n + 1), results[n] = -1;
        check(driver.to_device(x, numbers, 256) == 0, "a copy for streams");
    }
    ~Setting() {
        for (Pointer memory : {x, y, z}) check(driver.release(memory) == 0, "freeing what streams used");
    }

    int reverse(Pointer from, Pointer to, void *stream) {
        void *parameters[] = {&from, &to, &size};
        const int code = driver.launch(function, 1, 1, 1, 64, 1, 1, 0, stream, parameters, nullptr);
        // The driver has copied the parameters.
        from = to = 0;
        return code;
    }
    bool holds(const float *of, bool reversed) const {
        for (int n = 0; n < 64; ++n) {
            if (of[n] != numbers[reversed ? 63 - n : n]) return false;
        }
        return true;
    }
    // What memory holds after all that was sent to the default stream and to those that wait for it.
    bool in_memory(Pointer at, bool reversed) {
        std::vector<float> found(64);
        return driver.to_host(found.data(), at, 256) == 0 && holds(found.data(), reversed);
    }
};

} // namespace

void streams(Driver &driver, void *module) {
    Setting with(driver, module);
    void *stream = nullptr, *other = nullptr, *apart = nullptr;
    check(driver.stream(&stream, 2) == 1 && driver.stream(nullptr, 0) == 1, "a stream of unknown flags, or for nobody");
    check(driver.stream(&stream, 0) == 0 && driver.stream(&other, 0) == 0 && driver.stream(&apart, 1) == 0, "three streams");
    check(driver.query(stream) == 0 && driver.query(nullptr) == 0 && driver.wait(nullptr) == 0, "streams without work");
    check(driver.wait(&with) == 400 && driver.query(&with) == 400, "what is no stream");
    check(with.reverse(with.x, with.y, &with) == 400, "a launch on what is no stream");

    // Nothing arrives before somebody waits for it.
    check(with.reverse(with.x, with.y, stream) == 0 && driver.fetch(with.results, with.y, 256, stream) == 0, "a launch and a copy");
    check(with.results[0] == -1, "a copy that nobody has waited for");
    check(driver.query(stream) == 600, "a stream with work is not ready");
    check(driver.wait(stream) == 0 && with.holds(with.results, true) && driver.query(stream) == 0, "a stream that was waited for");

    // What was copied from the host is what was there at the call.
    float own[64];
    std::copy(with.numbers, with.numbers + 64, own);
    check(driver.send(with.z, own, 256, stream) == 0, "a copy from the host");
    own[0] = 99;
    // The default stream waits for the blocking ones, and they for it.
    check(with.in_memory(with.z, false), "a copy in the default stream waits for other streams");
    check(with.reverse(with.z, with.y, stream) == 0 && with.reverse(with.y, with.z, nullptr) == 0, "a launch on both");
    check(with.in_memory(with.z, false), "the default stream's launch comes after the other's");
    check(driver.fill(with.y, 0, 256, apart) == 0 && driver.wait(nullptr) == 0 && driver.query(apart) == 600, "it does not wait for CU_STREAM_NON_BLOCKING");
    check(driver.synchronize() == 0 && driver.query(apart) == 0, "the context waits for all");

    // Each stream keeps its order.
    check(driver.fill_words(with.y, 0x3f800000, 64, stream) == 0 && driver.copy(with.z, with.y, 256, stream) == 0, "a fill and a copy");
    check(driver.fetch(with.results, with.z, 256, stream) == 0 && driver.wait(stream) == 0 && with.results[63] == 1.0f, "in their order");
    check(driver.fill(with.y, 0, 257, stream) == 1 && driver.fill_words(with.y + 1, 0, 1, stream) == 1, "a fill past the end, or not aligned");
    check(driver.copy(with.y, with.z + 4, 256, stream) == 1 && driver.fetch(with.results, with.y, 257, stream) == 1, "copies past the end");

    check(with.reverse(with.x, with.y, other) == 0 && driver.destroy_stream(other) == 0 && driver.destroy_stream(other) == 400, "destroying a stream twice");
    check(with.in_memory(with.y, true), "its work is done all the same");
    check(driver.query(other) == 400, "a stream that was destroyed");
    check(driver.destroy_stream(nullptr) == 400, "the default stream is not destroyed");
    check(driver.destroy_stream(stream) == 0 && driver.destroy_stream(apart) == 0, "destroying streams");
}

void events(Driver &driver, void *module) {
    Setting with(driver, module);
    void *stream = nullptr, *other = nullptr, *start = nullptr, *end = nullptr, *plain = nullptr;
    check(driver.event(&start, 8) == 1 && driver.event(&start, 4) == 1, "events of unknown flags, or for other processes with times");
    check(driver.event(&start, 0) == 0 && driver.event(&end, 1) == 0 && driver.event(&plain, 2) == 0, "three events");
    check(driver.stream(&stream, 1) == 0 && driver.stream(&other, 1) == 0, "two streams");
    for (auto elapsed : {driver.elapsed, driver.elapsed_v2}) {
        float time = -1;
        check(driver.query_event(start) == 0 && driver.wait_for_event(start) == 0, "an event that was never recorded has nothing to wait for");
        check(elapsed(&time, start, end) == 400, "no time between events that were never recorded");
        check(driver.record(start, stream) == 0 && with.reverse(with.x, with.y, stream) == 0 && driver.record(end, stream) == 0, "a launch between events");
        check(driver.query_event(end) == 600 && elapsed(&time, start, end) == 600, "an event that was not waited for");
        check(driver.wait_for_event(end) == 0 && elapsed(&time, start, end) == 0 && time > 0 && time < 1e4f, "a time in milliseconds");
        check(elapsed(&time, end, start) == 0 && time < 0, "and the other way round");
        check(driver.record(plain, stream) == 0 && driver.wait(stream) == 0 && elapsed(&time, start, plain) == 400, "an event without times");
        check(elapsed(nullptr, start, end) == 1 && elapsed(&time, start, &with) == 400, "no place for a time, and no event");
        // As new for the next round.
        for (void **event : {&start, &end}) check(driver.destroy_event(*event) == 0 && driver.event(event, 0) == 0, "new events");
    }
    float time = -1;
    check(driver.record(start, nullptr) == 0 && with.reverse(with.x, with.y, nullptr) == 0 && driver.record(end, nullptr) == 0, "events of the default stream");
    check(driver.wait_for_event(end) == 0 && driver.elapsed(&time, start, end) == 0 && time > 0, "its time");

    // A stream that waits for an event of another comes after it.
    check(with.reverse(with.x, with.y, stream) == 0 && driver.record(plain, stream) == 0, "an event after a launch");
    check(driver.wait_event(other, plain, 1) == 1 && driver.wait_event(other, plain, 0) == 0, "a stream waits for it");
    check(driver.fetch(with.results, with.y, 256, other) == 0 && driver.wait(other) == 0 && with.holds(with.results, true), "and has what came before");
    check(driver.record(&with, stream) == 400 && driver.record(start, &with) == 400 && driver.wait_event(stream, &with, 0) == 400, "no event, no stream");
    for (void *event : {start, end, plain}) check(driver.destroy_event(event) == 0 && driver.destroy_event(event) == 400, "destroying an event twice");
    for (void *own : {stream, other}) check(driver.destroy_stream(own) == 0, "destroying streams of events");
}

namespace {

// A graph of a launch, a fill, a copy to the device and a copy from it.
void replay(Driver &driver, Setting &with, void *stream) {
    void *graph = nullptr, *instance = nullptr;
    int status = -1;
    float own[64];
    std::copy(with.numbers, with.numbers + 64, own);
    check(driver.begin(stream, 3) == 1 && driver.begin(nullptr, 0) == 900 && driver.end(stream, &graph) == 401, "no capture");
    check(driver.begin(stream, 0) == 0 && driver.begin(stream, 0) == 401, "a capture, once");
    check(driver.capturing(stream, &status) == 0 && status == 1, "it is going on");
    check(driver.send(with.x, own, 256, stream) == 0 && with.reverse(with.x, with.y, stream) == 0 && driver.fill(with.z, 0, 256, stream) == 0 &&
              driver.fetch(with.results, with.y, 256, stream) == 0,
          "a copy, a launch, a fill, a copy");
    check(driver.end(stream, &graph) == 0 && graph != nullptr && driver.capturing(stream, &status) == 0 && status == 0, "its end");
    check(with.in_memory(with.x, false) && with.results[0] == -1, "nothing of it was done");
    void *nodes[5] = {};
    size_t count = 0;
    check(driver.nodes(graph, nullptr, &count) == 0 && count == 4, "four nodes");
    count = 5;
    check(driver.nodes(graph, nodes, &count) == 0 && count == 4 && nodes[4] == nullptr, "and no more");
    const int types[] = {1, 0, 2, 1};
    for (int n = 0; n < 4; ++n) check(driver.type(nodes[n], &status) == 0 && status == types[n], "the type of node " + std::to_string(n));
    check(driver.instantiate(&instance, graph, 0) == 0 && driver.destroy(graph) == 0, "an instance of what was captured");
    check(driver.launch_graph(instance, stream) == 0 && with.results[0] == -1, "a graph in a stream runs when it is waited for");
    check(driver.wait(stream) == 0 && with.holds(with.results, true), "what it does");
    // A graph reads the host's numbers anew.
    own[0] = 42;
    check(driver.launch_graph(instance, nullptr) == 0 && with.results[63] == 42, "again, with other numbers");
    // Captured in turn, it is what its nodes are.
    check(driver.begin(stream, 2) == 0 && driver.launch_graph(instance, stream) == 0 && driver.end(stream, &graph) == 0, "a graph in a capture");
    check(driver.nodes(graph, nullptr, &count) == 0 && count == 4 && driver.destroy(graph) == 0, "its nodes");
    check(driver.destroy_instance(instance) == 0, "destroying what was captured");
    check(driver.to_device(with.x, with.numbers, 256) == 0, "numbers as before");
}

// Each call that would wait for what will never run is refused with its number; afterwards the capture is good for nothing.
void refusals(Driver &driver, Setting &with, void *stream) {
    void *event = nullptr, *graph = &with, *other = nullptr;
    check(driver.event(&event, 0) == 0 && driver.stream(&other, 0) == 0 && driver.record(event, other) == 0, "an event outside");
    Pointer none = 0;
    float time = 0;
    void *function = with.function;
    const struct {
        const char *what;
        int code;
        int (*call)(Driver &, Setting &, void *stream, void *event);
    } calls[] = {
        {"waiting for the stream", 900, [](Driver &d, Setting &, void *s, void *) { return d.wait(s); }},
        {"asking the stream", 900, [](Driver &d, Setting &, void *s, void *) { return d.query(s); }},
        {"waiting for the context", 900, [](Driver &d, Setting &, void *, void *) { return d.synchronize(); }},
        {"allocating", 900, [](Driver &d, Setting &, void *, void *) { Pointer got = 0; return d.allocate(&got, 8); }},
        {"freeing", 900, [](Driver &d, Setting &w, void *, void *) { return d.release(w.z); }},
        {"a launch on the default stream", 906, [](Driver &, Setting &w, void *, void *) { return w.reverse(w.x, w.y, nullptr); }},
        {"a copy that waits", 906, [](Driver &d, Setting &w, void *, void *) { return d.to_device(w.x, w.numbers, 256); }},
        {"waiting for the default stream", 906, [](Driver &d, Setting &, void *, void *) { return d.wait(nullptr); }},
        {"an event from outside", 905, [](Driver &d, Setting &, void *s, void *e) { return d.wait_event(s, e, 0); }},
    };
    for (const auto &[what, code, call] : calls) {
        int status = -1;
        check(driver.begin(stream, 0) == 0 && with.reverse(with.x, with.y, stream) == 0, std::string("a capture before ") + what);
        check(call(driver, with, stream, event) == code, what);
        check(driver.capturing(stream, &status) == 0 && status == 2, std::string("invalidated by ") + what);
        check(with.reverse(with.x, with.y, stream) == 901 && driver.end(stream, &graph) == 901 && graph == nullptr, std::string("of no use after ") + what);
        check(driver.query(stream) == 0, std::string("a stream again after ") + what);
    }
    // A capture that is relaxed leaves allocations alone, one of a stream that does not block the default stream, too.
    void *apart = nullptr;
    int status = -1;
    check(driver.stream(&apart, 1) == 0 && driver.begin(apart, 2) == 0 && driver.allocate(&none, 8) == 0 && driver.release(none) == 0, "a relaxed capture");
    check(with.reverse(with.x, with.y, nullptr) == 0 && driver.capturing(nullptr, &status) == 0 && status == 0, "beside the default stream");
    check(driver.end(apart, &graph) == 0 && driver.destroy(graph) == 0, "an empty graph");
    check(driver.begin(stream, 0) == 0 && driver.capturing(nullptr, &status) == 906, "what the default stream does has no answer then");
    check(driver.record(event, stream) == 0 && driver.query_event(event) == 907 && driver.elapsed(&time, event, event) == 907, "an event of a capture");
    // An event draws another stream in; it must come back.
    check(driver.wait_event(other, event, 0) == 0 && with.reverse(with.x, with.y, other) == 0 && driver.capturing(other, &status) == 0 && status == 1, "a fork");
    check(driver.end(other, &graph) == 903, "the end in another stream than the beginning");
    check(driver.end(stream, &graph) == 901 && driver.capturing(other, &status) == 0 && status == 0, "the end for all of its streams");
    for (bool joined : {false, true}) {
        check(driver.begin(stream, 0) == 0 && driver.record(event, stream) == 0 && driver.wait_event(other, event, 0) == 0, "a fork again");
        check(with.reverse(with.x, with.y, other) == 0 && (!joined || (driver.record(event, other) == 0 && driver.wait_event(stream, event, 0) == 0)), "and back");
        check(driver.end(stream, &graph) == (joined ? 0 : 904) && (graph != nullptr) == joined, "a fork that comes back, and one that does not");
    }
    check(driver.destroy(graph) == 0 && driver.wait_event(other, event, 0) == 907, "an event whose capture is over");
    // Two captures do not meet.
    check(driver.begin(stream, 0) == 0 && driver.begin(other, 0) == 0 && driver.record(event, stream) == 0 && driver.wait_event(other, event, 0) == 902, "a merge");
    check(driver.end(stream, &graph) == 901 && driver.end(other, &graph) == 901, "of no use, both");
    // Only who began ends, unless it is relaxed.
    for (int mode : {0, 1, 2}) {
        int code = -1;
        check(driver.begin(stream, mode) == 0, "a capture to end elsewhere");
        std::thread([&] { driver.set_current(driver.context), code = driver.end(stream, &graph); }).join();
        check(code == (mode == 2 ? 0 : 908), "the end in another thread");
        check(mode == 2 ? driver.destroy(graph) == 0 : driver.end(stream, &graph) == 901, "and at last");
    }
    check(driver.begin(stream, 1) == 0, "a capture that its own thread alone must mind");
    std::thread([&] { driver.set_current(driver.context), check(driver.allocate(&none, 8) == 0 && driver.release(none) == 0, "another thread allocates"); }).join();
    check(driver.end(stream, &graph) == 0 && driver.destroy(graph) == 0 && function != nullptr, "which disturbs nobody");
    for (void *own : {other, apart}) check(driver.destroy_stream(own) == 0, "destroying streams of captures");
    check(driver.destroy_event(event) == 0, "destroying the event of captures");
}

} // namespace

void capture(Driver &driver, void *module) {
    Setting with(driver, module);
    void *stream = nullptr;
    check(driver.stream(&stream, 0) == 0, "a stream to capture");
    replay(driver, with, stream);
    refusals(driver, with, stream);
    check(driver.destroy_stream(stream) == 0, "destroying what was captured");
}
