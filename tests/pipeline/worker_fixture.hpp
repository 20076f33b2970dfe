#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "pipeline/worker.hpp"
#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

namespace pollflow::test {

// UDP from 0.0.0.`host`, port `host`, to 0.0.0.1, port 53; its header says `total_length`.
inline std::vector<uint8_t> udp_frame(uint8_t host, uint16_t total_length = 28) {
  std::vector<uint8_t> frame(14 + 28, 0);
  frame[12] = 0x08;
  uint8_t* ip = frame.data() + 14;
  ip[0] = 0x45;
  ip[2] = static_cast<uint8_t>(total_length >> 8);
  ip[3] = static_cast<uint8_t>(total_length);
  ip[9] = 17;
  ip[15] = host;
  ip[19] = 1;
  ip[21] = host;  // source port
  ip[23] = 53;
  return frame;
}

inline std::vector<uint8_t> tcp_frame(uint8_t host, uint8_t flags) {
  std::vector<uint8_t> frame = udp_frame(host, 40);
  frame.resize(14 + 40, 0);
  frame[14 + 9] = 6;
  frame[14 + 20 + 13] = flags;
  return frame;
}

// A worker with its table, its ring, and mbufs.
class WorkerFixture {
 public:
  explicit WorkerFixture(size_t flows_max = 1024, flow::ExpiryRules rules = {},
                         pipeline::OwnExport own = {})
      : table_({.flows_max = flows_max, .rules = rules, .hash_secret = 1}),
        pool_(rte_pktmbuf_pool_create("worker_test", 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                      SOCKET_ID_ANY)),
        ring_("worker_test", SOCKET_ID_ANY),
        worker_(table_.table(), ring_, std::move(own)) {
    REQUIRE(pool_ != nullptr);
  }
  WorkerFixture(const WorkerFixture&) = delete;
  WorkerFixture& operator=(const WorkerFixture&) = delete;
  ~WorkerFixture() {
    CHECK(rte_mempool_in_use_count(pool_) == 0);  // each packet was freed, once
    rte_mempool_free(pool_);
  }

  pipeline::Worker& worker() { return worker_; }
  flow::FlowTable& table() { return table_.table(); }
  pipeline::ExpiryRing& ring() { return ring_; }

  // The frame in mbuf segments of `segment_bytes` each.
  rte_mbuf* mbuf(const std::vector<uint8_t>& frame, size_t segment_bytes = 2048) {
    std::vector<size_t> cuts;
    for (size_t at = segment_bytes; at < frame.size(); at += segment_bytes)
      cuts.push_back(at);
    return mbuf_cut(frame, cuts);
  }
  // The frame in segments that end at `cuts`, which ascend, and at its own end. Each lies amid
  // litter, so that reading beside it shows.
  rte_mbuf* mbuf_cut(std::span<const uint8_t> frame, std::span<const size_t> cuts) {
    rte_mbuf* head = segment(frame.first(cuts.empty() ? frame.size() : cuts.front()));
    for (size_t i = 0; i < cuts.size(); ++i) {
      const size_t end = i + 1 < cuts.size() ? cuts[i + 1] : frame.size();
      if (rte_pktmbuf_chain(head, segment(frame.subspan(cuts[i], end - cuts[i]))) != 0)
        FAIL("too many segments");
    }
    return head;
  }

  void process(std::vector<rte_mbuf*> packets, int64_t now_ms) {
    const std::vector<int64_t> arrivals(packets.size(), now_ms);
    process(std::move(packets), arrivals, now_ms);
  }
  void process(std::vector<rte_mbuf*> packets, const std::vector<int64_t>& arrivals, int64_t now_ms,
               packet::LinkType link = packet::LinkType::ethernet) {
    worker_.process({packets, arrivals, now_ms, link, 9});
  }

  std::vector<flow::Record> drain() {
    std::vector<flow::Record> records;
    while (ring_.count() > 0) {
      const auto front = ring_.front(pipeline::ExpiryRing::records_max);
      records.insert(records.end(), front.begin(), front.end());
      ring_.drop_front(static_cast<unsigned>(front.size()));
    }
    return records;
  }

 private:
  rte_mbuf* segment(std::span<const uint8_t> bytes) {
    constexpr size_t litter = 48;
    rte_mbuf* segment = rte_pktmbuf_alloc(pool_);
    if (segment == nullptr) FAIL("no mbuf left");
    auto* data = rte_pktmbuf_mtod(segment, uint8_t*);
    std::fill_n(data - litter, bytes.size() + 2 * litter, uint8_t{0x45});
    std::ranges::copy(bytes, data);
    segment->data_len = static_cast<uint16_t>(bytes.size());
    segment->pkt_len = segment->data_len;
    return segment;
  }

  test::TableFixture table_;
  rte_mempool* pool_;
  pipeline::ExpiryRing ring_;
  pipeline::Worker worker_;
};

}  // namespace pollflow::test
