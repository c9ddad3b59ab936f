#include "ptx.hpp"

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace stand_in {

namespace {

// Bytes of a parameter's type: .param .u64 name, or .param .align 8 .b8 name[bytes].
size_t bytes_of(const std::string &line) {
    const size_t array = line.find('[');
    if (array != std::string::npos) return std::strtoul(line.c_str() + array + 1, nullptr, 10);
    const size_t type = line.find(".param .");
    return type == std::string::npos ? 0 : std::strtoul(line.c_str() + type + 9, nullptr, 10) / 8;
}

} // namespace

bool read_ptx(const std::string &text, PtxModule &module, std::string &why) {
    std::istringstream lines(text);
    std::string line;
    PtxEntry *last = nullptr;
    while (std::getline(lines, line)) {
        // Directives stand at the line's start, parameters behind a tab; a body's lines are neither.
        if (line.empty() || (line[0] != '.' && line.find(".param ") == std::string::npos)) continue;
        char name[256];
        if (std::sscanf(line.c_str(), ".version %d.%d", &module.major, &module.minor) == 2) continue;
        if (std::sscanf(line.c_str(), ".target sm_%d", &module.target) == 1) continue;
        if (std::sscanf(line.c_str(), ".visible .entry %255[a-zA-Z0-9_](", name) == 1) {
            last = &module.entries[name];
        } else if (last && std::sscanf(line.c_str(), ".maxntid %u", &last->most_threads) == 1) {
            continue;
        } else if (last && line.find("_param_") != std::string::npos) {
            last->parameter_bytes.push_back(bytes_of(line));
        }
    }
    if (module.major == 0 || module.target == 0) {
        why = "it has no .version or no .target";
        return false;
    }
    return true;
}

} // namespace stand_in
