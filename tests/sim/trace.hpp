#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace pollflow::test {

// What happened, a line a step: the last lines of it, and a hash of all, by which two runs are
// known to be the same.
class Trace {
 public:
  explicit Trace(size_t lines_kept) : lines_kept_(lines_kept) {}

  void add(std::string line) {
    mix(line);
    lines_.push_back(std::move(line));
    if (lines_.size() > lines_kept_) lines_.pop_front();
  }
  // What is no line, but shall be the same, too.
  void mix(std::string_view bytes) noexcept {
    for (const char byte : bytes)
      hash_ = (hash_ ^ static_cast<uint8_t>(byte)) * 0x100000001b3;  // FNV-1a
  }

  [[nodiscard]] const std::deque<std::string>& lines() const noexcept { return lines_; }
  [[nodiscard]] uint64_t hash() const noexcept { return hash_; }

 private:
  size_t lines_kept_;
  std::deque<std::string> lines_;
  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace pollflow::test
