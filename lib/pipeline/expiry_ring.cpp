#include "pipeline/expiry_ring.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ring_core.h>

// DPDK 24.11 forgot to say so in the header itself.
extern "C" {
#include <rte_ring_elem.h>
}

#include <rte_ring.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "failure.hpp"

namespace pollflow::pipeline {
namespace {

constexpr unsigned ring_size = ExpiryRing::records_max + 1;
static_assert((ring_size & (ring_size - 1)) == 0, "rte_ring wants a power of two");

}  // namespace

ExpiryRing::ExpiryRing(const std::string& name, int socket)
    : ring_(rte_ring_create_elem(name.c_str(), sizeof(flow::Record), ring_size, socket,
                                 RING_F_SP_ENQ | RING_F_SC_DEQ)) {
  if (ring_ == nullptr) {
    throw Failure(
        ExitCode::no_device,
        fmt::format("no memory for expiry ring {} of {} records ({}); give EAL more memory", name,
                    records_max, rte_strerror(rte_errno)));
  }
}

ExpiryRing::~ExpiryRing() {
  rte_ring_free(ring_);
}

size_t ExpiryRing::bytes_needed() noexcept {
  return static_cast<size_t>(rte_ring_get_memsize_elem(sizeof(flow::Record), ring_size));
}

unsigned ExpiryRing::room() const noexcept {
  return records_max - count();
}

// rte_ring_count() reads both ends as plain numbers, though another lcore writes one of them.
unsigned ExpiryRing::count() const noexcept {
  const uint32_t out = popped();
  return std::min(pushed() - out, records_max);
}

uint32_t ExpiryRing::pushed() const noexcept {
  return __atomic_load_n(&ring_->prod.tail, __ATOMIC_ACQUIRE);
}

uint32_t ExpiryRing::popped() const noexcept {
  return __atomic_load_n(&ring_->cons.tail, __ATOMIC_ACQUIRE);
}

void ExpiryRing::push(std::span<const flow::Record> records) noexcept {
  if (records.empty()) return;
  rte_ring_zc_data at{};
  rte_ring_enqueue_zc_bulk_elem_start(ring_, sizeof(flow::Record),
                                      static_cast<unsigned>(records.size()), &at, nullptr);
  assert(at.ptr1 != nullptr);  // there was room
  // Up to the end of the ring's memory, then on from its beginning.
  std::memcpy(at.ptr1, records.data(), at.n1 * sizeof(flow::Record));
  if (at.ptr2 != nullptr)
    std::memcpy(at.ptr2, records.data() + at.n1, (records.size() - at.n1) * sizeof(flow::Record));
  rte_ring_enqueue_zc_elem_finish(ring_, static_cast<unsigned>(records.size()));
  ask_for_room(records.size());
}

// The consumer's cache has the lines that come next: as many records will follow soon, most likely.
// The elements lie behind the ring itself (rte_ring_elem.h).
void ExpiryRing::ask_for_room(size_t records) noexcept {
  const auto* elements = reinterpret_cast<const flow::Record*>(ring_ + 1);
  for (size_t i = 0; i < records; ++i)
    __builtin_prefetch(&elements[(ring_->prod.head + i) & ring_->mask], 1);
}

// Those at the ring's other end it gives back: finish() may take fewer than were started with.
std::span<const flow::Record> ExpiryRing::front(unsigned most) noexcept {
  rte_ring_zc_data at;
  const unsigned count =
      rte_ring_dequeue_zc_burst_elem_start(ring_, sizeof(flow::Record), most, &at, nullptr);
  if (count == 0) return {};
  return {static_cast<const flow::Record*>(at.ptr1), at.n1};
}

void ExpiryRing::drop_front(unsigned count) noexcept {
  rte_ring_dequeue_zc_elem_finish(ring_, count);
}

}  // namespace pollflow::pipeline
