#pragma once

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <string>

namespace pollflow::ctl {

// Unix milliseconds as 2026-10-22 05:06:40, UTC.
inline std::string clock_text(int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  if (gmtime_r(&seconds, &utc) == nullptr) return "?";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", utc);
}

}  // namespace pollflow::ctl
