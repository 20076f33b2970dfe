#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace pollflow {

constexpr size_t large_page_bytes = size_t{2} << 20;

// Zeros, as many bytes from a boundary of large pages on, in transparent huge pages where the
// kernel has them for who asks; nullptr, and errno, when there are none. munmap(2) gives them back.
// What EAL hands out without huge pages is shared memory, which kernels as they are delivered keep
// in small pages (shmem_enabled: never). Kernels before 6.7 map large areas anywhere, so it takes a
// page more of address space.
inline void* map_large_pages(size_t bytes) noexcept {
  size_t room = bytes + large_page_bytes;
  void* memory = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, room, MADV_HUGEPAGE);
  return std::align(large_page_bytes, bytes, memory, room);
}

}  // namespace pollflow
