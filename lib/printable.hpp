#pragma once

#include <algorithm>
#include <string>

namespace pollflow {

// For a message that quotes what somebody gave: one line, and nothing that would steer a terminal.
inline std::string printable(std::string text) {
  constexpr char del = 0x7f;
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < ' ') || c == del; }, '?');
  return text;
}

}  // namespace pollflow
