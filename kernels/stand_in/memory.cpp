#include "memory.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace stand_in::memory {

namespace {

// Addresses are as cheap as they are on a device: they are never used twice, so a freed pointer stays wrong.
constexpr size_t RANGE = 1ull << 44;
// cuMemAlloc aligns to 256 bytes; a guard lies before and behind.
constexpr size_t ALIGNMENT = 256;
constexpr unsigned char GUARD = 0xff;

struct Allocation {
    size_t bytes, reserved;
};

char *range = nullptr;
size_t next = 0;
size_t used_bytes = 0;
std::map<char *, Allocation> allocations;

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

char *reserve() {
    void *got = mmap(nullptr, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return got == MAP_FAILED ? nullptr : static_cast<char *>(got);
}

} // namespace

size_t limit() {
    const char *given = std::getenv("DISENTANGLE_STAND_IN_MEMORY");
    return given ? std::strtoull(given, nullptr, 10) : 4ull << 30;
}

void *allocate(size_t bytes) {
    if (range == nullptr) range = reserve();
    const size_t page = 4096;
    if (range == nullptr || bytes > limit() - std::min(used_bytes, limit())) return nullptr;
    const size_t reserved = rounded(rounded(bytes, ALIGNMENT) + 2 * ALIGNMENT, page);
    if (reserved > RANGE - next) return nullptr;
    char *start = range + next;
    if (mprotect(start, reserved, PROT_READ | PROT_WRITE) != 0) return nullptr;
    // A page that nobody may touch between two allocations.
    next += reserved + page;
    used_bytes += bytes;
    std::memset(start, GUARD, rounded(bytes, ALIGNMENT) + 2 * ALIGNMENT);
    char *address = start + ALIGNMENT;
    allocations[address] = {bytes, reserved};
#ifdef __SANITIZE_ADDRESS__
    __asan_poison_memory_region(start, ALIGNMENT);
    __asan_poison_memory_region(address + bytes, start + reserved - address - bytes);
#endif
    return address;
}

bool release(void *address) {
    const auto found = allocations.find(static_cast<char *>(address));
    if (found == allocations.end()) return false;
    char *start = found->first - ALIGNMENT;
    used_bytes -= found->second.bytes;
    madvise(start, found->second.reserved, MADV_DONTNEED);
    mprotect(start, found->second.reserved, PROT_NONE);
    allocations.erase(found);
    return true;
}

bool is_device(const void *address) {
    const auto *at = static_cast<const char *>(address);
    return range != nullptr && at >= range && at < range + RANGE;
}

bool holds(const void *address, size_t bytes) {
    auto *at = static_cast<char *>(const_cast<void *>(address));
    auto after = allocations.upper_bound(at);
    if (after == allocations.begin()) return false;
    const auto &[start, allocation] = *--after;
    const size_t offset = at - start;
    return offset <= allocation.bytes && bytes <= allocation.bytes - offset;
}

size_t live() { return allocations.size(); }

size_t used() { return used_bytes; }

bool intact(std::string &why) {
#ifndef __SANITIZE_ADDRESS__
    for (const auto &[address, allocation] : allocations) {
        const char *end = address + rounded(allocation.bytes, ALIGNMENT) + ALIGNMENT;
        for (const char *at = address - ALIGNMENT; at < end; ++at) {
            if (at == address) at += allocation.bytes;
            if (static_cast<unsigned char>(*at) != GUARD) {
                why = "it wrote " + std::to_string(at < address ? address - at : at - address - allocation.bytes + 1) + " bytes " +
                      (at < address ? "before" : "past the end of") + " an allocation of " + std::to_string(allocation.bytes) + " bytes";
                return false;
            }
        }
    }
#endif
    return true;
}

} // namespace stand_in::memory
