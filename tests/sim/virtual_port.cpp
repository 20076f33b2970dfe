#include "sim/virtual_port.hpp"

#include <fmt/format.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <algorithm>
#include <stdexcept>

namespace pollflow::test {
namespace {

constexpr auto any_node = static_cast<unsigned>(SOCKET_ID_ANY);

void must(bool done, const char* step) {
  if (!done) throw std::runtime_error(step);
}

}  // namespace

VirtualPort::VirtualPort()
    : pool_(rte_pktmbuf_pool_create("virtual_port", buffers_max, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                    SOCKET_ID_ANY)) {
  must(pool_ != nullptr, "no memory for packet buffers");
  for (size_t i = 0; i < queues_max; ++i) {
    queues_[i] = rte_ring_create(fmt::format("virtual_queue{}", i).c_str(), queue_frames + 1,
                                 SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    must(queues_[i] != nullptr, "no memory for a queue");
  }
  const int id =
      rte_eth_from_rings("virtual", queues_.data(), queues_max, queues_.data(), 1, any_node);
  must(id >= 0, "no port of net_ring");
  id_ = static_cast<uint16_t>(id);
  const rte_eth_conf conf{};
  must(rte_eth_dev_configure(id_, queues_max, 0, &conf) == 0, "configuring the port");
  for (uint16_t i = 0; i < queues_max; ++i)
    must(rte_eth_rx_queue_setup(id_, i, 128, any_node, nullptr, pool_) == 0, "its queue");
  must(rte_eth_dev_start(id_) == 0, "starting the port");
}

void VirtualPort::offer(size_t queue, Frame frame, size_t segment_bytes) {
  ++offered_;
  rte_mbuf* mbuf = fill(frame, segment_bytes);
  if (mbuf == nullptr) {
    ++without_buffer_;
    ++missed_;
  } else if (rte_ring_enqueue(queues_[queue], mbuf) != 0) {
    rte_pktmbuf_free(mbuf);
    ++missed_;
  } else {
    frames_[queue].push_back(std::move(frame));
  }
}

// nullptr without buffers for all of it.
rte_mbuf* VirtualPort::fill(const Frame& frame, size_t segment_bytes) {
  rte_mbuf* head = nullptr;
  for (size_t at = 0; at < frame.bytes.size(); at += segment_bytes) {
    rte_mbuf* segment = rte_pktmbuf_alloc(pool_);
    if (segment == nullptr) {
      rte_pktmbuf_free(head);
      return nullptr;
    }
    const size_t bytes = std::min(segment_bytes, frame.bytes.size() - at);
    char* data = rte_pktmbuf_append(segment, static_cast<uint16_t>(bytes));
    std::copy_n(frame.bytes.data() + at, bytes, reinterpret_cast<uint8_t*>(data));
    if (head == nullptr) {
      head = segment;
    } else {
      must(rte_pktmbuf_chain(head, segment) == 0, "too many segments");
    }
  }
  // Some NICs tell the RSS hash; of one flow it is the same each time.
  if (frame.fate == packet::Fate::accounted && frame.flow % 3 == 0) {
    head->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
    head->hash.rss = frame.flow * 0x9e3779b9U;
  }
  return head;
}

std::vector<Frame> VirtualPort::collect(size_t queue) {
  std::deque<Frame>& frames = frames_[queue];
  const auto taken = static_cast<std::ptrdiff_t>(frames.size() - rte_ring_count(queues_[queue]));
  std::vector<Frame> polled(std::make_move_iterator(frames.begin()),
                            std::make_move_iterator(frames.begin() + taken));
  frames.erase(frames.begin(), frames.begin() + taken);
  return polled;
}

void VirtualPort::keep_buffers(unsigned free) {
  while (!kept_.empty()) {
    rte_pktmbuf_free(kept_.back());
    kept_.pop_back();
  }
  while (rte_mempool_avail_count(pool_) > free)
    kept_.push_back(rte_pktmbuf_alloc(pool_));
}

bool VirtualPort::buffers_are_back() const {
  return rte_mempool_avail_count(pool_) == buffers_max;
}

uint64_t VirtualPort::waiting() const {
  uint64_t frames = 0;
  for (const rte_ring* queue : queues_)
    frames += rte_ring_count(queue);
  return frames;
}

uint64_t VirtualPort::reset() {
  keep_buffers(buffers_max);
  const uint64_t left = waiting();
  for (size_t i = 0; i < queues_max; ++i) {
    void* mbuf = nullptr;
    while (rte_ring_dequeue(queues_[i], &mbuf) == 0)
      rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
    frames_[i].clear();
  }
  offered_ = missed_ = without_buffer_ = 0;
  return left;
}

}  // namespace pollflow::test
