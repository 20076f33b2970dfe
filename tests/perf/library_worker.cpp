#include "library_worker.hpp"

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_mbuf.h>

#include "failure.hpp"
#include "packet/plain.hpp"
#include "pipeline/free_frames.hpp"

namespace pollflow::perf {

// rte_hash takes some positions more than entries for its caches.
size_t LibraryWorker::entry_bytes(uint32_t flows_max) noexcept {
  return (size_t{flows_max} + 4096) * sizeof(Entry);
}

LibraryWorker::LibraryWorker(uint32_t flows_max) : memory_(entry_bytes(flows_max)) {
  const rte_hash_parameters parameters{.name = "bench",
                                       .entries = flows_max,
                                       .reserved = 0,
                                       .key_len = sizeof(packet::FlowKey),
                                       .hash_func = rte_hash_crc,
                                       .hash_func_init_val = 1,
                                       .socket_id = SOCKET_ID_ANY,
                                       .extra_flag = 0};
  hash_ = rte_hash_create(&parameters);
  if (hash_ == nullptr) throw Failure(ExitCode::no_device, "no memory for rte_hash");
  entries_ = {reinterpret_cast<Entry*>(memory_.bytes().data()),
              static_cast<size_t>(rte_hash_max_key_id(hash_)) + 1};
}

LibraryWorker::~LibraryWorker() {
  rte_hash_free(hash_);
}

void LibraryWorker::process(const port::Burst& burst) noexcept {
  const unsigned count = decode(burst);
  pipeline::free_frames(burst.packets);
  if (count == 0) return;
  rte_hash_lookup_with_hash_bulk(hash_, keys_.data(), signatures_.data(), count, positions_.data());
  for (unsigned i = 0; i < count; ++i)
    if (positions_[i] >= 0) __builtin_prefetch(&entries_[static_cast<size_t>(positions_[i])], 1);
  for (unsigned i = 0; i < count; ++i) {
    if (positions_[i] < 0) insert(i);
    if (positions_[i] < 0) continue;
    Entry& entry = entries_[static_cast<size_t>(positions_[i])];
    entry.last_ms = burst.arrival_ms[i];
    ++entry.packets;
    entry.octets += packets_[i].octets;
    entry.tcp_flags |= packets_[i].tcp_flags;
    accounted_.add(packets_[i].octets);
  }
}

unsigned LibraryWorker::decode(const port::Burst& burst) noexcept {
  unsigned count = 0;
  for (const rte_mbuf* mbuf : burst.packets) {
    packet::Packet& packet = packets_[count];
    const auto* frame = rte_pktmbuf_mtod(mbuf, const uint8_t*);
    if (!packet::read_plain_frame(frame, burst.in_if, packet)) continue;
    keys_[count] = &packet.key;
    signatures_[count] = mbuf->hash.rss;
    ++count;
  }
  return count;
}

void LibraryWorker::insert(unsigned at) noexcept {
  positions_[at] = rte_hash_add_key_with_hash(hash_, keys_[at], signatures_[at]);
}

}  // namespace pollflow::perf
