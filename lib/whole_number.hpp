#pragma once

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace pollflow {

// All of `text` as a number from `min` to `max`; nothing when it is none.
template <typename Number>
std::optional<Number> whole_number(std::string_view text, Number min, Number max) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max)
    return std::nullopt;
  return value;
}

// What is wrong with a value, to be put behind the name of what was to have it.
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Likewise; throws BadValue.
template <typename Number>
Number checked_number(std::string_view text, Number min, Number max) {
  if (const auto value = whole_number(text, min, max)) return *value;
  throw BadValue(fmt::format("'{}' is not a whole number from {} to {}", text, min, max));
}

}  // namespace pollflow
