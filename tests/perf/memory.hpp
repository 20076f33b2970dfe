#pragma once

#include <cstddef>
#include <span>

namespace pollflow::perf {

// Zeroed memory, in huge pages when there are some: reserved ones (hugetlbfs's), else transparent
// ones, where the kernel gives any.
class Memory {
 public:
  explicit Memory(size_t bytes);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  // "reserved huge pages" or "what the kernel gives".
  [[nodiscard]] const char* pages() const noexcept { return pages_; }

 private:
  std::span<std::byte> bytes_;
  const char* pages_;
};

}  // namespace pollflow::perf
