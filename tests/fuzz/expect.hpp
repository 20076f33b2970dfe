#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pollflow::test {

// Ends the program unless `holds`: the fuzzer then keeps the input, and a test has failed. `what`
// says what should be.
inline void expect(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace pollflow::test
