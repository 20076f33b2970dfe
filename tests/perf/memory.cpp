#include "memory.hpp"

#include <sys/mman.h>

#include <new>

namespace pollflow::perf {
namespace {

constexpr size_t huge_page_bytes = 2 << 20;

void* map(size_t bytes, int flags) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

Memory::Memory(size_t bytes) : pages_("reserved huge pages") {
  bytes = (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
  void* at = map(bytes, MAP_HUGETLB);
  if (at == nullptr) {
    pages_ = "what the kernel gives";
    at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    madvise(at, bytes, MADV_HUGEPAGE);
    madvise(at, bytes, MADV_POPULATE_WRITE);
  }
  bytes_ = {static_cast<std::byte*>(at), bytes};
}

Memory::~Memory() {
  munmap(bytes_.data(), bytes_.size());
}

}  // namespace pollflow::perf
