// What PTX says of its kernels: enough to see that source and PTX agree.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace stand_in {

struct PtxEntry {
    std::vector<size_t> parameter_bytes;
    unsigned most_threads = 0;
};

struct PtxModule {
    int major = 0, minor = 0, target = 0;
    std::map<std::string, PtxEntry> entries;
};

// False if the text is no PTX, with a sentence.
bool read_ptx(const std::string &text, PtxModule &module, std::string &why);

} // namespace stand_in
