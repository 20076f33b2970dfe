#include "pipeline/worker.hpp"

#include <rte_mbuf.h>

#include <algorithm>

namespace pollflow::pipeline {
namespace {

using HeaderBytes = std::array<uint8_t, packet::header_bytes_max>;

// The bytes in which every header lies: in place when they are in the first segment, else gathered
// into `scratch`. Goes by the segments that are there, whatever pkt_len says.
std::span<const uint8_t> header_bytes(const rte_mbuf& mbuf, HeaderBytes& scratch) noexcept {
  if (mbuf.next == nullptr || mbuf.data_len >= scratch.size()) {
    return {rte_pktmbuf_mtod(&mbuf, const uint8_t*), mbuf.data_len};
  }
  size_t gathered = 0;
  for (const rte_mbuf* segment = &mbuf; segment != nullptr && gathered < scratch.size();
       segment = segment->next) {
    const size_t bytes = std::min<size_t>(segment->data_len, scratch.size() - gathered);
    std::copy_n(rte_pktmbuf_mtod(segment, const uint8_t*), bytes, scratch.data() + gathered);
    gathered += bytes;
  }
  return {scratch.data(), gathered};
}

}  // namespace

void Worker::process(const port::Burst& burst) noexcept {
  batch_.reset(ring_.room());
  const unsigned accounted = decode(burst);
  rte_pktmbuf_free_bulk(burst.packets.data(), static_cast<unsigned>(burst.packets.size()));
  update(accounted);
  table_.sweep(burst.now_ms, batch_);
  push_batch();
}

unsigned Worker::decode(const port::Burst& burst) noexcept {
  unsigned accounted = 0;
  for (size_t i = 0; i < burst.packets.size(); ++i) {
    decode_one(burst, i, accounted);
  }
  return accounted;
}

void Worker::decode_one(const port::Burst& burst, size_t at, unsigned& accounted) noexcept {
  const rte_mbuf& mbuf = *burst.packets[at];
  counters_.received.add(mbuf.pkt_len);
  HeaderBytes scratch;
  Pending& next = pending_[accounted];
  const packet::Fate fate =
      packet::decode(header_bytes(mbuf, scratch), burst.link, burst.in_if, next.packet);
  counters_.fates[index_of(fate)].add(mbuf.pkt_len);
  if (fate != packet::Fate::accounted) return;
  next.hash = hash(mbuf, next.packet.key);
  next.arrival_ms = burst.arrival_ms[at];
  table_.prefetch_tags(next.hash);
  ++accounted;
}

uint64_t Worker::hash(const rte_mbuf& mbuf, const packet::FlowKey& key) noexcept {
  if ((mbuf.ol_flags & RTE_MBUF_F_RX_RSS_HASH) == 0) return table_.hash(key);
  ++counters_.nic_hashed;
  return table_.hash(key, mbuf.hash.rss);
}

void Worker::update(unsigned accounted) noexcept {
  const std::span pending{pending_.data(), accounted};
  for (const Pending& next : pending)
    table_.prefetch_entry(next.hash);
  for (const Pending& next : pending) {
    counters_.accounted.add(next.packet.octets);
    table_.update(next.packet, next.hash, next.arrival_ms, batch_);
  }
}

void Worker::serve(Errand& errand, int64_t now_ms) noexcept {
  if (!errand.pending()) return;
  flow::FlowWalk& walk = errand.walk();
  if (errand.kind() == Errand::Kind::expire) {
    batch_.reset(ring_.room());
    errand.expired(table_.expire(walk, now_ms, batch_));
    push_batch();
  } else {
    errand.listed(table_.list(walk, errand.room()));
  }
  const bool at_end = table_.at_end(walk);
  if (at_end || errand.room().empty()) errand.done(at_end);
}

bool Worker::flush(int64_t now_ms) noexcept {
  batch_.reset(ring_.room());
  const bool done = table_.flush(now_ms, batch_);
  push_batch();
  return done;
}

void Worker::push_batch() noexcept {
  for (const flow::Record& record : batch_.records()) {
    counters_.expired[index_of(record.reason)].add(record.carried());
  }
  ring_.push(batch_.records());
  counters_.lost = table_.lost();
}

}  // namespace pollflow::pipeline
