#include "route/route_memory.hpp"

#include <fmt/format.h>
#include <rte_common.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "failure.hpp"
#include "route/route_table.hpp"

namespace pollflow::route {
namespace {

constexpr const char* heap = "routes";
constexpr size_t page_bytes = size_t{2} << 20;

[[noreturn]] void fail(size_t bytes, int error) {
  throw Failure(ExitCode::no_device,
                fmt::format("no {} MiB of memory for tables of routes ({}); free some, or raise "
                            "the limit of address space (ulimit -v)",
                            bytes >> 20, std::strerror(error)));
}

// At a boundary of pages, as EAL wants it; kernels before 6.7 map large areas anywhere.
void* map(size_t bytes) {
  const size_t more = bytes + page_bytes;
  void* anywhere = mmap(nullptr, more, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (anywhere == MAP_FAILED) fail(bytes, errno);
  char* begin = static_cast<char*>(anywhere);
  char* memory = RTE_PTR_ALIGN_CEIL(begin, page_bytes);
  if (memory > begin) munmap(begin, static_cast<size_t>(memory - begin));
  if (memory + bytes < begin + more)
    munmap(memory + bytes, static_cast<size_t>(begin + more - (memory + bytes)));
  madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

// EAL has written zeros all over it, between what it keeps at both ends; pages that are not there
// read as zeros, too.
void give_back_zeros(void* memory, size_t bytes) {
  madvise(static_cast<char*>(memory) + page_bytes, bytes - 2 * page_bytes, MADV_DONTNEED);
}

}  // namespace

size_t RouteMemory::bytes_needed(std::span<const Route> routes) {
  return 2 * RouteTable::bytes_needed(routes) + growth_bytes;
}

RouteMemory::RouteMemory(size_t bytes)
    : bytes_((bytes + page_bytes - 1) / page_bytes * page_bytes), memory_(map(bytes_)) {
  // Without addresses for devices, none of which ever looks at it: drivers leave it alone then.
  const bool created = rte_malloc_heap_create(heap) == 0;
  if (created && rte_malloc_heap_memory_add(heap, memory_, bytes_, nullptr, 0, page_bytes) == 0) {
    give_back_zeros(memory_, bytes_);
    return;
  }
  const int error = rte_errno;
  if (created) rte_malloc_heap_destroy(heap);
  munmap(memory_, bytes_);
  fail(bytes_, error);
}

RouteMemory::~RouteMemory() {
  rte_malloc_heap_memory_remove(heap, memory_, bytes_);
  rte_malloc_heap_destroy(heap);
  munmap(memory_, bytes_);
}

int RouteMemory::node() const {
  return rte_malloc_heap_get_socket(heap);
}

}  // namespace pollflow::route
