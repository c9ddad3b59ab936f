// Which thread touched what, and when: races and reads of what nobody wrote. Only in the traced build, whose kernels g++ compiles
// with -fsanitize=thread and whose hooks (__tsan_read4 ...) are trace.cpp instead of the sanitizer's library.
#pragma once
#include <cstddef>
#include <string>

namespace stand_in::trace {

#ifdef DISENTANGLE_TRACE
// Shared memory from `start` to `stop` is new: nobody has written it.
void new_block(const char *start, const char *stop);
// A launch of a kernel begins: device memory has no history. And it has ended.
void new_launch(const std::string &kernel);
void end_launch();
// One access of that many bytes, and the copy.
void read(const void *from, void *to, size_t bytes);
void write(void *to, const void *from, size_t bytes);
// An atomic addition. The model does not count it: how many threads meet in one number is the data's business.
void add(unsigned *to, unsigned value);
#else
inline void new_block(const char *, const char *) {}
inline void new_launch(const std::string &) {}
inline void end_launch() {}
#endif

} // namespace stand_in::trace
