#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace pollflow::test {

// A page between two that nobody may read: what reads beyond it crashes, with sanitizers and
// without.
class GuardedBytes {
 public:
  GuardedBytes() : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* pages = mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::runtime_error("no memory for guarded bytes");
    pages_ = static_cast<uint8_t*>(pages);
    mprotect(pages_ + page_, page_, PROT_READ | PROT_WRITE);
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(pages_, 3 * page_); }

  // The bytes where the page ends.
  std::span<const uint8_t> at_end(std::span<const uint8_t> bytes) {
    if (bytes.size() > page_) throw std::length_error("more bytes than a page has");
    uint8_t* at = pages_ + 2 * page_ - bytes.size();
    std::ranges::copy(bytes, at);
    return {at, bytes.size()};
  }

 private:
  size_t page_;
  uint8_t* pages_;
};

}  // namespace pollflow::test
