// Device memory: a range of addresses of its own, so that a pointer says what it is.
#pragma once
#include <cstddef>
#include <string>

namespace stand_in::memory {

// An allocation of that many bytes, full of NaN; null where the device has no more (`limit`).
void *allocate(size_t bytes);

// False if it is no allocation's start: freed before, or never allocated.
bool release(void *address);

// Whether it lies in the range of device addresses, and whether all of the bytes lie in one live allocation.
bool is_device(const void *address);
bool holds(const void *address, size_t bytes);

// The number of live allocations and of their bytes; what the device has in all.
size_t live();
size_t used();
size_t limit();

// Looks at the guards around all allocations; false, with a sentence, if one was overwritten.
bool intact(std::string &why);

} // namespace stand_in::memory
