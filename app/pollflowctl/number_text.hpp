#pragma once

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>

#include "whole_number.hpp"

namespace pollflow::ctl {

inline double decimal_in(std::string_view text, double min, double max) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  // So put that not-a-number is outside, too.
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= min && value <= max))
    throw BadValue(fmt::format("'{}' is not a number from {} to {}", text, min, max));
  return value;
}

// A number of something a second, or of anything large, with four digits: 950, 1.235 M.
std::string scaled_text(double value);
// A share of a whole in per cent; "-" of nothing.
std::string percent_text(uint64_t part, uint64_t whole);
// A quotient with so many decimals; "-" of nothing.
std::string quotient_text(uint64_t dividend, uint64_t divisor, int decimals);
// A time that has passed: 3 d 04:05:06.
std::string duration_text(int64_t ms);

}  // namespace pollflow::ctl
