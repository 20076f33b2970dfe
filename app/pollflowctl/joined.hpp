#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace pollflow::ctl {

// Items with `separator` between them. (g++ 12 warns of fmt::join over strings.)
template <typename List>
std::string joined(const List& items, std::string_view separator) {
  std::string text;
  for (const auto& item : items) {
    if (&item != &*items.begin()) text += separator;
    text += fmt::format("{}", item);
  }
  return text;
}

}  // namespace pollflow::ctl
