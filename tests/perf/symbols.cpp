#include "perf/symbols.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

namespace pollflow::test {
namespace {

// The first line that a command prints, empty when it prints none.
std::string first_line(const std::string& command) {
  struct Close {
    void operator()(FILE* stream) const { pclose(stream); }
  };
  const std::unique_ptr<FILE, Close> stream(popen(command.c_str(), "r"));
  if (stream == nullptr) return "";
  std::array<char, 4096> line{};
  if (fgets(line.data(), line.size(), stream.get()) == nullptr) return "";
  const std::string text = line.data();
  return text.substr(0, text.find('\n'));
}

}  // namespace

Symbols::Symbols(pid_t process) {
  std::ifstream maps(fmt::format("/proc/{}/maps", process));
  std::map<std::string, uint64_t> bases;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range, permissions, offset, device, inode, file;
    fields >> range >> permissions >> offset >> device >> inode >> file;
    if (file.empty() || file.front() != '/') continue;
    const uint64_t begin = std::stoull(range, nullptr, 16);
    const uint64_t end = std::stoull(range.substr(range.find('-') + 1), nullptr, 16);
    const uint64_t base = bases.emplace(file, begin).first->second;
    mappings_.push_back({begin, end, base, file});
  }
}

std::string Symbols::name_of(uint64_t address) const {
  for (const Mapping& mapping : mappings_) {
    if (address < mapping.begin || address >= mapping.end) continue;
    const uint64_t offset = address - mapping.base;
    std::string name = first_line(fmt::format(
        "addr2line --demangle --functions --exe='{}' {:#x} 2>/dev/null", mapping.file, offset));
    if (name.empty() || name == "??") name = fmt::format("{:#x}", offset);
    return fmt::format("{} [{}]", name, std::filesystem::path(mapping.file).filename().string());
  }
  return fmt::format("{:#x} [no file]", address);
}

}  // namespace pollflow::test
