#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"

namespace pollflow::test {

using Frame = std::vector<uint8_t>;

// An Ethernet frame of UDP, or TCP with these flags, from 10.0.0.0 + `host`.
inline Frame plain_frame(uint16_t host, bool tcp, uint8_t flags, uint16_t total_length) {
  Frame frame(14 + 40, 0);
  frame[12] = 0x08;
  uint8_t* ip = frame.data() + 14;
  ip[0] = 0x45;
  ip[2] = static_cast<uint8_t>(total_length >> 8);
  ip[3] = static_cast<uint8_t>(total_length);
  ip[9] = tcp ? 6 : 17;
  ip[12] = 10;
  ip[14] = static_cast<uint8_t>(host >> 8);
  ip[15] = static_cast<uint8_t>(host);
  ip[23] = 53;
  ip[20 + 13] = flags;
  return frame;
}

// Mostly packets of few flows; else whatever the input has, as a frame.
inline Frame draw_frame(Input& input) {
  const uint8_t kind = input.byte();
  if (kind >= 224) {
    const auto bytes = input.bytes(1 + input.below(80));
    return bytes.empty() ? Frame(1) : Frame(bytes.begin(), bytes.end());
  }
  const uint8_t flags = kind % 7 == 0 ? input.byte() : uint8_t{0x10};
  return plain_frame(kind % 64, kind % 2 == 0, flags, static_cast<uint16_t>(40 + 4 * kind));
}

// The frame in mbuf segments of `segment_bytes` each.
inline rte_mbuf* mbuf_of(const Frame& frame, size_t segment_bytes, rte_mempool* pool) {
  rte_mbuf* head = nullptr;
  for (size_t at = 0; at < frame.size(); at += segment_bytes) {
    const size_t bytes = std::min(segment_bytes, frame.size() - at);
    rte_mbuf* segment = rte_pktmbuf_alloc(pool);
    expect(segment != nullptr, "there are mbufs");
    char* data = rte_pktmbuf_append(segment, static_cast<uint16_t>(bytes));
    expect(data != nullptr, "a segment has room");
    std::copy_n(frame.data() + at, bytes, reinterpret_cast<uint8_t*>(data));
    if (head == nullptr) {
      head = segment;
    } else {
      expect(rte_pktmbuf_chain(head, segment) == 0, "segments make a packet");
    }
  }
  return head;
}

}  // namespace pollflow::test
