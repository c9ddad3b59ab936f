#include "ptx.hpp"

#include <cstdlib>
#include <regex>
#include <sstream>

namespace stand_in {

namespace {

// Bytes of a parameter's type: .u64 and the like, or .b8 name[bytes].
size_t bytes_of(const std::string &line) {
    static const std::regex array(R"(\.b8 +\w+\[(\d+)\])"), scalar(R"(\.param +\.[a-z](\d+) )");
    std::smatch found;
    if (std::regex_search(line, found, array)) return std::stoul(found[1]);
    if (std::regex_search(line, found, scalar)) return std::stoul(found[1]) / 8;
    return 0;
}

} // namespace

bool read_ptx(const std::string &text, PtxModule &module, std::string &why) {
    std::istringstream lines(text);
    std::string line;
    std::smatch found;
    static const std::regex version(R"(^\.version (\d+)\.(\d+))"), target(R"(^\.target sm_(\d+))"),
        entry(R"(^\.visible \.entry (\w+)\()"), threads(R"(^\.maxntid (\d+))");
    PtxEntry *last = nullptr;
    while (std::getline(lines, line)) {
        // Directives stand at the line's start, parameters behind a tab; a body's lines are neither.
        if (line.empty() || (line[0] != '.' && line.find(".param ") == std::string::npos)) continue;
        if (std::regex_search(line, found, version)) {
            module.major = std::stoi(found[1]);
            module.minor = std::stoi(found[2]);
        } else if (std::regex_search(line, found, target)) {
            module.target = std::stoi(found[1]);
        } else if (std::regex_search(line, found, entry)) {
            last = &module.entries[found[1]];
        } else if (last && std::regex_search(line, found, threads)) {
            last->most_threads = std::stoul(found[1]);
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
