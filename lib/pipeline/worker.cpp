#include "pipeline/worker.hpp"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <algorithm>

#include "packet/plain.hpp"
#include "pipeline/free_frames.hpp"

namespace pollflow::pipeline {
namespace {

const uint8_t* frame_of(const rte_mbuf& mbuf) noexcept {
  return rte_pktmbuf_mtod(&mbuf, const uint8_t*);
}

// A frame is asked for so many packets before it is read.
constexpr size_t frames_ahead = 8;

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
  for (size_t begin = 0; begin < burst.packets.size(); begin += step_packets) {
    decode(burst, begin, std::min(begin + step_packets, burst.packets.size()));
    advance(located_, decoded_, [this](auto arrivals) { table_.locate(arrivals); });
    advance(looked_, decoded_ - looks_behind, [this](auto arrivals) { table_.look(arrivals); });
    advance(updated_, decoded_ - updates_behind,
            [this](auto arrivals) { table_.update(arrivals, batch_); });
  }
  free_frames(burst.packets);
  if (burst.now_ms != swept_ms_ || !swept_) {
    drain();
    swept_ms_ = burst.now_ms;
    swept_ = table_.sweep(burst.now_ms, batch_);
  }
  push_batch();
}

void Worker::decode(const port::Burst& burst, size_t begin, size_t end) noexcept {
  rte_mbuf* const* const mbufs = burst.packets.data();
  const size_t packets = burst.packets.size();
  const int64_t* const arrival_ms = burst.arrival_ms.data();
  const uint32_t plain_min =
      burst.link == packet::LinkType::ethernet ? packet::plain_frame_bytes : UINT32_MAX;
  const uint16_t in_if = burst.in_if;
  const bool any_own = !own_.empty();
  uint32_t number = decoded_;
  uint64_t octets = 0;
  uint64_t frame_octets = 0;
  uint64_t skipped_octets = 0;
  for (size_t i = begin; i < end; ++i) {
    if (i + frames_ahead < packets) rte_prefetch0(frame_of(*mbufs[i + frames_ahead]));
    const rte_mbuf& mbuf = *mbufs[i];
    flow::Arrival& next = arrivals_[number % window];
    frame_octets += mbuf.pkt_len;
    const bool plain =
        mbuf.data_len >= plain_min && packet::read_plain_frame(frame_of(mbuf), in_if, next.packet);
    if ((!plain && !decode_slowly(mbuf, burst, next.packet)) ||
        (any_own && skip_own(mbuf, next.packet))) [[unlikely]] {
      skipped_octets += mbuf.pkt_len;
      continue;
    }
    octets += next.packet.octets;
    next.at_ms = arrival_ms[i];
    next.rest = mbuf.hash.rss;
    if ((mbuf.ol_flags & RTE_MBUF_F_RX_RSS_HASH) == 0) [[unlikely]]
      hash_instead(next);
    ++number;
  }
  const uint64_t accounted = number - decoded_;
  decoded_ = number;
  counters_.received += {end - begin, frame_octets};
  counters_.fates[index_of(packet::Fate::accounted)] += {accounted, frame_octets - skipped_octets};
  counters_.accounted += {accounted, octets};
  counters_.nic_hashed += accounted;
}

// The NIC gave no RSS hash.
inline void Worker::hash_instead(flow::Arrival& arrival) noexcept {
  arrival.rest = table_.in_place_of_rss(arrival.packet.key);
  --counters_.nic_hashed;
}

// What is not plain: true when it is accounted, else its fate is counted.
bool Worker::decode_slowly(const rte_mbuf& mbuf, const port::Burst& burst,
                           packet::Packet& packet) noexcept {
  HeaderBytes scratch;
  const packet::Fate fate =
      packet::decode(header_bytes(mbuf, scratch), burst.link, burst.in_if, packet);
  if (fate == packet::Fate::accounted) return true;
  counters_.fates[index_of(fate)].add(mbuf.pkt_len);
  return false;
}

// True when the packet is pollflow's own; then that is counted as its fate.
inline bool Worker::skip_own(const rte_mbuf& mbuf, const packet::Packet& packet) noexcept {
  if (!own_.has(packet.key)) return false;
  counters_.fates[index_of(packet::Fate::own_export)].add(mbuf.pkt_len);
  return true;
}

// Takes a step with each packet from number `at`, which follows, up to `end`, which may lie behind;
// numbers are modulo 2^32.
template <typename Step>
void Worker::advance(uint32_t& at, uint32_t end, Step step) noexcept {
  while (static_cast<int32_t>(end - at) > 0) {
    const uint32_t slot = at % window;
    const uint32_t count = std::min(end - at, window - slot);
    step(std::span{&arrivals_[slot], count});
    at += count;
  }
}

void Worker::drain() noexcept {
  advance(looked_, decoded_, [this](auto arrivals) { table_.look(arrivals); });
  advance(updated_, decoded_, [this](auto arrivals) { table_.update(arrivals, batch_); });
}

void Worker::settle() noexcept {
  if (updated_ == decoded_) return;
  batch_.reset(ring_.room());
  drain();
  push_batch();
}

void Worker::serve(Errand& errand, int64_t now_ms) noexcept {
  if (!errand.pending()) return;
  settle();
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
  // Packets that are still under way may let flows leave: they wait for room as a source would.
  if (updated_ != decoded_ && !has_room()) return false;
  settle();
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
