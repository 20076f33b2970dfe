#pragma once

// Debian 12 has Catch2 2, Debian 13 has Catch2 3.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#include <string>
#include <utility>
namespace Catch {
inline auto Contains(std::string part) {  // NOLINT: as Catch2 2 calls it
  return Matchers::ContainsSubstring(std::move(part));
}
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
