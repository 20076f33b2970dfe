#include "control/log_level.hpp"

#include <fmt/format.h>
#include <rte_log.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace pollflow::control {
namespace {

constexpr std::array<std::string_view, 9> names = {
    "disabled", "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};
constexpr size_t types_max = 64;

uint32_t level_of(const std::string& text) {
  for (uint32_t level = 1; level < names.size(); ++level) {
    if (text == names[level] || text == std::to_string(level)) return level;
  }
  throw std::invalid_argument(
      fmt::format("'{}' is no log level; emergency, alert, critical, error, warning, notice, info "
                  "and debug are, or 1 to 8",
                  text));
}

// EAL tells which types there are to a stream only.
std::string dump() {
  char* text = nullptr;
  size_t bytes = 0;
  FILE* stream = open_memstream(&text, &bytes);
  if (stream == nullptr) return {};
  rte_log_dump(stream);
  fclose(stream);
  std::string all(text, bytes);
  std::free(text);
  return all;
}

}  // namespace

void set_log_level(const std::string& types, const std::string& level) {
  const uint32_t wanted = level_of(level);
  if (types.empty() || rte_log_set_level_pattern(types.c_str(), wanted) != 0) {
    throw std::invalid_argument(
        fmt::format("'{}' is no pattern of log types, such as pmd.net.*", types));
  }
  rte_log_set_global_level(std::max(rte_log_get_global_level(), wanted));
}

std::string global_log_level() {
  const uint32_t level = rte_log_get_global_level();
  return level < names.size() ? std::string(names[level]) : std::to_string(level);
}

// A line is "id 5: lib.eal, level is notice".
std::vector<std::string> unusual_log_types() {
  std::vector<std::string> types;
  std::istringstream lines(dump());
  for (std::string line; std::getline(lines, line) && types.size() < types_max;) {
    const size_t colon = line.find(": ");
    const size_t comma = line.rfind(", level is ");
    if (!line.starts_with("id ") || colon == std::string::npos || comma == std::string::npos)
      continue;
    const std::string level = line.substr(comma + 11);
    if (level == "notice" || level == "info") continue;
    types.push_back(fmt::format("{} {}", line.substr(colon + 2, comma - colon - 2), level));
  }
  return types;
}

}  // namespace pollflow::control
