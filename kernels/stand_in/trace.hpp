// Which thread touched what, and when: races and reads of what nobody wrote. Only in the traced build, whose kernels g++ compiles
// with -fsanitize=thread and whose hooks (__tsan_read4 ...) are trace.cpp instead of the sanitizer's library.
#pragma once
#include <cstddef>

namespace stand_in::trace {

#ifdef DISENTANGLE_TRACE
// Shared memory from `start` to `stop` is new: nobody has written it.
void new_block(const char *start, const char *stop);
// A launch begins: device memory has no history.
void new_launch();
#else
inline void new_block(const char *, const char *) {}
inline void new_launch() {}
#endif

} // namespace stand_in::trace
