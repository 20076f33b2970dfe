#include "quiet/symbols.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
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

std::string demangled(const char* name) {
  int status = 0;
  char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

}  // namespace

Symbols::Symbols(pid_t process)
    : program_(std::filesystem::read_symlink(fmt::format("/proc/{}/exe", process))) {
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

std::string Symbols::function_at(uint64_t address, const Mapping& mapping) const {
  Dl_info info{};
  const bool known =
      dladdr(reinterpret_cast<void*>(address), &info) != 0;  // NOLINT(performance-no-int-to-ptr)
  if (known && info.dli_sname != nullptr) return demangled(info.dli_sname);
  const uint64_t offset = address - mapping.base;
  // Elsewhere it would name the nearest function that is exported, which is another one.
  if (mapping.file == program_) {
    std::string name = first_line(fmt::format(
        "addr2line --demangle --functions --exe='{}' {:#x} 2>/dev/null", program_, offset));
    if (!name.empty() && name != "??") return name;
  }
  return fmt::format("{:#x}", offset);
}

const Symbols::Mapping* Symbols::mapping_of(uint64_t address) const {
  const auto found = std::ranges::find_if(mappings_, [&](const Mapping& mapping) {
    return address >= mapping.begin && address < mapping.end;
  });
  return found == mappings_.end() ? nullptr : &*found;
}

Symbols::Place Symbols::place_of(uint64_t address) const {
  const Mapping* mapping = mapping_of(address);
  if (mapping == nullptr) return {fmt::format("{:#x}", address), "no file"};
  return {function_at(address, *mapping), std::filesystem::path(mapping->file).filename().string()};
}

bool Symbols::in_program(uint64_t address) const {
  const Mapping* mapping = mapping_of(address);
  return mapping != nullptr && mapping->file == program_;
}

}  // namespace pollflow::test
