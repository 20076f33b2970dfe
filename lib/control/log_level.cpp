#include "control/log_level.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <rte_log.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace pollflow::control {
namespace {

constexpr std::array<std::string_view, 9> names = {
    "disabled", "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};
constexpr size_t types_max = 128;

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

struct LogType {
  std::string name;
  std::string level;
};

// A line is "id 5: lib.eal, level is notice".
std::vector<LogType> log_types() {
  constexpr std::string_view level_is = ", level is ";
  std::vector<LogType> types;
  std::istringstream lines(dump());
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    const size_t comma = line.rfind(level_is);
    if (!line.starts_with("id ") || colon == std::string::npos || comma == std::string::npos)
      continue;
    types.push_back(
        {line.substr(colon + 2, comma - colon - 2), line.substr(comma + level_is.size())});
  }
  return types;
}

}  // namespace

void set_log_level(const std::string& types, const std::string& level) {
  const uint32_t wanted = level_of(level);
  const auto all = log_types();
  const bool any = std::ranges::any_of(
      all, [&](const LogType& type) { return fnmatch(types.c_str(), type.name.c_str(), 0) == 0; });
  if (!any || rte_log_set_level_pattern(types.c_str(), wanted) != 0) {
    throw std::invalid_argument(
        fmt::format("'{}' matches no log type; a pattern is such as pmd.net.* or lib.eal", types));
  }
  rte_log_set_global_level(std::max(rte_log_get_global_level(), wanted));
}

LogLevels log_levels() {
  const auto all = log_types();
  std::map<std::string, size_t> having;
  for (const LogType& type : all)
    ++having[type.level];
  LogLevels levels;
  const auto most = std::ranges::max_element(having, {}, [](const auto& h) { return h.second; });
  if (most != having.end()) levels.level = most->first;
  for (const LogType& type : all) {
    if (type.level == levels.level) continue;
    if (levels.others.size() < types_max)
      levels.others.push_back(fmt::format("{} {}", type.name, type.level));
    else
      ++levels.left_out;
  }
  return levels;
}

}  // namespace pollflow::control
