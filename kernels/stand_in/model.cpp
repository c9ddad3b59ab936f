#include "model.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "device.hpp"

namespace stand_in::model {

namespace {

constexpr unsigned WARP = 32;
constexpr uintptr_t SECTOR = 32;
constexpr unsigned BANKS = 32;

const char *const FILE_NAME = std::getenv("DISENTANGLE_STAND_IN_MODEL");

// A place in the code, with what it does there.
struct Site {
    const void *code;
    size_t bytes;
    bool write, shared;
    bool operator<(const Site &other) const {
        return std::tie(code, bytes, write, shared) < std::tie(other.code, other.bytes, other.write, other.shared);
    }
};

struct Lane {
    unsigned lane;
    uintptr_t address;
};

struct Counts {
    uint64_t requests = 0, units = 0, ideal = 0;
};

// Of the block at hand: how often each thread was at a site, and the requests of each warp, in order.
struct Visits {
    std::vector<unsigned> of_thread;
    std::vector<std::vector<std::vector<Lane>>> of_warp;
};

std::map<Site, Visits> visits;
std::map<std::pair<std::string, Site>, Counts> counts;
std::string kernel;
uint64_t of_epoch = 0;

uint64_t filled(uint64_t bytes, uint64_t unit) { return std::max<uint64_t>(1, (bytes + unit - 1) / unit); }

// Different ones of them; `of` is emptied.
size_t different(std::vector<uintptr_t> &of) {
    std::sort(of.begin(), of.end());
    const size_t count = std::unique(of.begin(), of.end()) - of.begin();
    of.clear();
    return count;
}

std::vector<uintptr_t> touched, words;

void sectors(const std::vector<Lane> &lanes, size_t bytes, Counts &to) {
    const size_t word = std::min<size_t>(bytes, 4);
    for (const Lane &lane : lanes) {
        for (uintptr_t at = lane.address / SECTOR; at <= (lane.address + bytes - 1) / SECTOR; ++at) touched.push_back(at);
        for (uintptr_t at = lane.address; at < lane.address + bytes; at += word) words.push_back(at);
    }
    to.units += different(touched);
    to.ideal += filled(word * different(words), SECTOR);
}

void wavefronts(const std::vector<Lane> &lanes, size_t bytes, Counts &to) {
    const unsigned together = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
    for (unsigned first = 0; first < WARP; first += together) {
        for (const Lane &lane : lanes) {
            if (lane.lane < first || lane.lane >= first + together) continue;
            for (uintptr_t at = lane.address / 4; at <= (lane.address + bytes - 1) / 4; ++at) words.push_back(at);
        }
        if (words.empty()) continue;
        std::sort(words.begin(), words.end());
        std::array<unsigned, BANKS> banks{};
        for (size_t n = 0; n < words.size(); ++n) {
            if (n == 0 || words[n] != words[n - 1]) ++banks[words[n] % BANKS];
        }
        to.units += *std::max_element(banks.begin(), banks.end());
        to.ideal += filled(different(words), BANKS);
    }
}

} // namespace

void access(const void *code, uintptr_t address, size_t bytes, bool write, bool shared) {
    if (FILE_NAME == nullptr) return;
    // A barrier ends requests: what lanes skipped before it does not count against what they do after.
    if (epoch != of_epoch) end_block();
    of_epoch = epoch;
    Visits &own = visits[{code, bytes, write, shared}];
    if (own.of_thread.empty()) {
        own.of_thread.resize(blockDim.x);
        own.of_warp.resize((blockDim.x + WARP - 1) / WARP);
    }
    auto &requests = own.of_warp[threadIdx.x / WARP];
    const unsigned turn = own.of_thread[threadIdx.x]++;
    if (turn >= requests.size()) requests.resize(turn + 1);
    requests[turn].push_back({threadIdx.x % WARP, address});
}

void end_block() {
    for (auto &[site, own] : visits) {
        Counts &to = counts[{kernel, site}];
        for (auto &requests : own.of_warp) {
            for (const auto &lanes : requests) {
                ++to.requests;
                site.shared ? wavefronts(lanes, site.bytes, to) : sectors(lanes, site.bytes, to);
            }
            requests.clear();
        }
        std::fill(own.of_thread.begin(), own.of_thread.end(), 0);
    }
}

void new_launch(const std::string &name) {
    visits.clear();
    kernel = name;
}

void end_launch() {
    if (FILE_NAME == nullptr) return;
    end_block();
    FILE *file = std::fopen(FILE_NAME, "w");
    if (file == nullptr) return;
    for (const auto &[key, of] : counts) {
        const auto &[name, site] = key;
        Dl_info library;
        if (dladdr(site.code, &library) == 0) continue;
        // A return address lies behind the call.
        const auto offset = static_cast<const char *>(site.code) - static_cast<const char *>(library.dli_fbase) - 1;
        std::fprintf(file, "%s %tx %s %s %zu %llu %llu %llu\n", name.c_str(), offset, site.shared ? "shared" : "global",
                     site.write ? "store" : "load", site.bytes, static_cast<unsigned long long>(of.requests),
                     static_cast<unsigned long long>(of.units), static_cast<unsigned long long>(of.ideal));
    }
    std::fclose(file);
}

} // namespace stand_in::model
