// A model of what a device does with a warp's accesses, from the addresses in a traced run. It knows no caches, no latencies and not
// nvcc's own choice of instructions; it has been compared with no device.
//
// The k-th time after a barrier that the lanes of a warp execute an access is a request (loops that the sources unroll are unrolled). In device memory it takes the sectors of 32 bytes that it
// touches; the ideal is as many as its bytes fill. In shared memory lanes go together, 32 with accesses of up to 4 bytes, 16 of 8, 8 of 16; a
// group takes as many wavefronts as the fullest of the 32 banks has different words of 4 bytes; the ideal is as many as its words fill.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace stand_in::model {

// An access of the thread at hand, at a place in the code.
void access(const void *code, uintptr_t address, size_t bytes, bool write, bool shared);
void end_block();
void new_launch(const std::string &kernel);
// Writes the file that DISENTANGLE_STAND_IN_MODEL names, if it does, anew: a line for each kernel and place in the code,
//     kernel code shared|global load|store bytes requests units ideal
// where code is its offset in the library, and units are sectors or wavefronts.
void end_launch();

} // namespace stand_in::model
