#include "number_text.hpp"

#include <algorithm>
#include <array>

namespace pollflow::ctl {

std::string scaled_text(double value) {
  constexpr std::array units = {"", " k", " M", " G", " T", " P"};
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}{}", value, value < 10 ? 3 : value < 100 ? 2 : 1, units[unit]);
}

std::string percent_text(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string quotient_text(uint64_t dividend, uint64_t divisor, int decimals) {
  if (divisor == 0) return "-";
  return fmt::format("{:.{}f}", static_cast<double>(dividend) / static_cast<double>(divisor),
                     decimals);
}

std::string duration_text(int64_t ms) {
  const int64_t seconds = std::max<int64_t>(ms, 0) / 1000;
  const std::string clock =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
  return seconds >= 86400 ? fmt::format("{} d {}", seconds / 86400, clock) : clock;
}

}  // namespace pollflow::ctl
