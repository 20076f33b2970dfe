#include "source.hpp"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "failure.hpp"

namespace pollflow::perf {
namespace {

constexpr uint16_t burst_packets = port::burst_packets_max;
constexpr size_t ethernet_bytes = 14;
constexpr size_t ahead = 24;  // mbufs are asked for so many packets before they are written
constexpr size_t frame_at = sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM;

// A mempool that keeps its mbufs' addresses while it is filled, and afterwards counts what is put
// back: its user takes them in the order of his own list.
struct Round {
  std::vector<rte_mbuf*> made;
  uint64_t put = 0;
};

int round_alloc(rte_mempool* pool) {
  pool->pool_data = new Round;
  return 0;
}

void round_free(rte_mempool* pool) {
  delete static_cast<Round*>(pool->pool_data);
}

int round_put(rte_mempool* pool, void* const* objects, unsigned count) {
  auto* round = static_cast<Round*>(pool->pool_data);
  if (round->made.size() < Source::mbufs) {
    for (unsigned i = 0; i < count; ++i)
      round->made.push_back(static_cast<rte_mbuf*>(objects[i]));
  } else {
    round->put += count;
  }
  return 0;
}

int round_get(rte_mempool*, void**, unsigned) {
  return -ENOBUFS;
}

unsigned round_count(const rte_mempool*) {
  return 0;
}

constexpr char round_name[] = "pollflow_bench";

void register_round() {
  static bool registered = false;
  if (std::exchange(registered, true)) return;
  rte_mempool_ops ops{};
  std::strcpy(ops.name, round_name);
  ops.alloc = round_alloc;
  ops.free = round_free;
  ops.enqueue = round_put;
  ops.dequeue = round_get;
  ops.get_count = round_count;
  if (rte_mempool_register_ops(&ops) < 0) throw Failure(ExitCode::failed, "no mempool ops left");
}

rte_mempool* make_pool(const std::string& name) {
  constexpr unsigned element_bytes = sizeof(rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE;
  rte_mempool* pool = rte_mempool_create_empty(name.c_str(), Source::mbufs, element_bytes, 0,
                                               sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, 0);
  if (pool == nullptr || rte_mempool_set_ops_byname(pool, round_name, nullptr) != 0)
    throw Failure(ExitCode::no_device, "no memory for the source's mbufs");
  rte_pktmbuf_pool_init(pool, nullptr);
  if (rte_mempool_populate_default(pool) < 0)
    throw Failure(ExitCode::no_device, "no memory for the source's mbufs");
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

// 60 to 1514 bytes, as the frame's IPv4 header says too.
void prebuild(rte_mbuf& mbuf, size_t number) {
  const auto frame_bytes = static_cast<uint16_t>(60 + number * 977 % 1455);
  const auto total_length = static_cast<uint16_t>(frame_bytes - ethernet_bytes);
  mbuf.data_len = frame_bytes;
  mbuf.pkt_len = frame_bytes;
  mbuf.nb_segs = 1;
  mbuf.ol_flags = RTE_MBUF_F_RX_RSS_HASH;
  auto* frame = rte_pktmbuf_mtod(&mbuf, uint8_t*);
  std::memset(frame, 0, frame_bytes);
  frame[12] = 0x08;  // IPv4
  frame[14] = 0x45;
  frame[16] = static_cast<uint8_t>(total_length >> 8);
  frame[17] = static_cast<uint8_t>(total_length);
  frame[46] = 0x50;  // TCP's header length
  frame[47] = 0x10;  // ACK
}

// Murmur's finalizer: each bit of the number changes half of the hash's.
uint32_t mix(uint32_t x) noexcept {
  x = (x ^ x >> 16) * 0x85ebca6b;
  x = (x ^ x >> 13) * 0xc2b2ae35;
  return x ^ x >> 16;
}

// Bytes 22 to 37 of the frame: TTL, protocol, checksum, addresses, ports. Three flows in four are
// TCP.
void write_flow(uint8_t* frame, uint32_t flow, uint32_t mixed) noexcept {
  const uint64_t protocol = (flow & 3) == 0 ? 17 : 6;
  const uint64_t low = 64 | protocol << 8 | uint64_t{__builtin_bswap32(0x0a000000 + flow)} << 32;
  const uint64_t high = (0x0000a8c0 | uint64_t{mixed} << 16) ^ uint64_t { flow } << 37;
  std::memcpy(frame + 22, &low, sizeof(low));
  std::memcpy(frame + 30, &high, sizeof(high));
}

void write_image(uint8_t* frame, const FlowImage& image) noexcept {
  std::memcpy(frame + 22, &image.low, sizeof(image.low));
  std::memcpy(frame + 30, &image.high, sizeof(image.high));
}

}  // namespace

FlowImage::FlowImage(const packet::FlowKey& key, uint32_t rss_hash) noexcept
    : low(64 | uint64_t{key.protocol} << 8 | uint64_t{__builtin_bswap32(key.src)} << 32),
      high(__builtin_bswap32(key.dst) | uint64_t{__builtin_bswap16(key.src_port)} << 32 |
           uint64_t{__builtin_bswap16(key.dst_port)} << 48),
      rss(rss_hash) {}

Source::Source(const std::string& name) {
  register_round();
  pool_ = make_pool(name);
  mbufs_ = static_cast<Round*>(pool_->pool_data)->made;
  for (size_t i = 0; i < mbufs_.size(); ++i)
    prebuild(*mbufs_[i], i);
  for (size_t i = 0; i < burst_packets + ahead; ++i)
    mbufs_.push_back(mbufs_[i]);  // so that no burst ends at the round's end
}

Source::~Source() {
  rte_mempool_free(pool_);
}

void Source::follow(std::span<const uint32_t> flows, Hashes hashes) noexcept {
  flows_ = flows;
  images_ = {};
  next_flow_ = 0;
  hash_and_ = hashes == Hashes::equal ? 0U : hashes == Hashes::one_queue ? ~7U : ~0U;
  hash_or_ = hashes == Hashes::equal ? 0x12345678U : hashes == Hashes::one_queue ? 3U : 0U;
}

port::Burst Source::receive() noexcept {
  const auto count =
      static_cast<uint16_t>(std::min<size_t>(burst_packets, flows_.size() - next_flow_));
  const uint32_t* flows = flows_.data() + next_flow_;
  std::array<uint32_t, burst_packets> mixed;
  for (uint16_t i = 0; i < count; ++i)
    mixed[i] = mix(flows[i]);
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = mbufs_[next_mbuf_ + i];
    const rte_mbuf* later = mbufs_[next_mbuf_ + i + ahead];
    rte_prefetch0(later);
    rte_prefetch0(reinterpret_cast<const uint8_t*>(later) + frame_at);
    auto* frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
    if (images_.empty()) {
      write_flow(frame, flows[i], mixed[i]);
      mbuf->hash.rss = (mixed[i] & hash_and_) | hash_or_;
    } else {
      write_image(frame, images_[flows[i]]);
      mbuf->hash.rss = images_[flows[i]].rss;
    }
    burst_[i] = mbuf;
  }
  next_mbuf_ = (next_mbuf_ + count) % mbufs;
  next_flow_ = next_flow_ + count == flows_.size() ? 0 : next_flow_ + count;
  packets_ += count;
  tell_time();
  return {{burst_.data(), count},
          {arrival_ms_.data(), count},
          now_ms_,
          packet::LinkType::ethernet,
          uint16_t{1}};
}

port::Burst Source::nothing() noexcept {
  tell_time();
  return {{}, {}, now_ms_, packet::LinkType::ethernet, uint16_t{1}};
}

void Source::tell_time() noexcept {
  const int64_t now_ms = clock_.now_ms();
  if (now_ms == now_ms_) return;
  now_ms_ = now_ms;
  arrival_ms_.fill(now_ms);
}

flow::Tally Source::frames(uint64_t packets) const noexcept {
  uint64_t a_round = 0;
  for (size_t i = 0; i < mbufs; ++i)
    a_round += mbufs_[i]->pkt_len;
  return {packets, packets / mbufs * a_round};
}

flow::Tally Source::ip(uint64_t packets) const noexcept {
  return {packets, frames(packets).octets - packets * ethernet_bytes};
}

bool Source::all_freed() const noexcept {
  return static_cast<Round*>(pool_->pool_data)->put == packets_;
}

}  // namespace pollflow::perf
