#include "route/route_memory.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "failure.hpp"
#include "large_pages.hpp"
#include "route/route_table.hpp"

namespace pollflow::route {
namespace {

constexpr const char* heap = "routes";
constexpr size_t page_bytes = large_page_bytes;

[[noreturn]] void fail(size_t bytes, int error) {
  throw Failure(ExitCode::no_device,
                fmt::format("no {} MiB of memory for tables of routes ({}); free some, or raise "
                            "the limit of address space (ulimit -v)",
                            bytes >> 20, std::strerror(error)));
}

// At a boundary of pages, as EAL wants it.
void* map(size_t bytes) {
  void* memory = map_large_pages(bytes);
  if (memory == nullptr) fail(bytes, errno);
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
