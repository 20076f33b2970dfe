#pragma once

#include <algorithm>
#include <string_view>

#include "fuzz/expect.hpp"

namespace pollflow::test {

// What a person reads when something is refused: one line, without what would steer a terminal.
inline void expect_sentence(std::string_view text) {
  expect(!text.empty(), "a refusal says why");
  const auto steers = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  expect(std::ranges::none_of(text, steers), "a refusal is one line of text");
}

}  // namespace pollflow::test
