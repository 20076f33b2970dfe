#include "quiet/fixed_traffic.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <stdexcept>

namespace pollflow::test {
namespace {

constexpr uint16_t frame_bytes = 60;
constexpr uint16_t in_if = 9;
constexpr size_t link_bytes = 14;
constexpr uint8_t tcp = 6;
constexpr uint8_t udp = 17;

using Bytes = std::array<uint8_t, frame_bytes>;

void put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

void put32(uint8_t* at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

// A frame of flow `number`: IPv4, even ones UDP, odd ones TCP.
Bytes ipv4_frame(uint32_t number, uint8_t tcp_flags) {
  Bytes frame{};
  put16(&frame[12], 0x0800);
  uint8_t* ip = &frame[link_bytes];
  ip[0] = 0x45;
  put16(ip + 2, 46);  // all that fits
  ip[8] = 64;
  ip[9] = number % 2 == 0 ? udp : tcp;
  put32(ip + 12, 0x0a000000 + number);
  put32(ip + 16, 0xc0a80000 + number % 251);
  put16(ip + 20, 1024 + number % 50'000);
  put16(ip + 22, 443);
  if (ip[9] == tcp) ip[33] = tcp_flags;
  return frame;
}

Bytes with_vlan(const Bytes& frame) {
  Bytes tagged{};
  put16(&tagged[12], 0x8100);
  put16(&tagged[14], 7);
  std::copy(frame.begin() + 12, frame.end() - 4, tagged.begin() + 16);
  tagged[link_bytes + 4 + 3] = 42;  // total length: four bytes less than there were
  return tagged;
}

Bytes second_fragment(uint32_t number) {
  Bytes frame = ipv4_frame(number, 0);
  put16(&frame[link_bytes + 6], 185);  // offset in units of 8 bytes
  return frame;
}

Bytes other(uint32_t ethertype) {
  Bytes frame{};
  put16(&frame[12], ethertype);
  return frame;
}

// What a NIC would deliver: any function of addresses and ports will do.
uint32_t rss_of(const Bytes& frame) {
  uint32_t hash = 2166136261;
  for (size_t at = link_bytes + 12; at < link_bytes + 24; ++at)
    hash = (hash ^ frame[at]) * 16777619;
  return hash;
}

void fill(rte_mbuf& mbuf, const Bytes& frame) {
  auto* data = rte_pktmbuf_mtod(&mbuf, uint8_t*);
  std::ranges::copy(frame, data);
  mbuf.data_len = frame_bytes;
  mbuf.pkt_len = frame_bytes;
  mbuf.ol_flags = 0;
}

// Moves what lies behind its first 30 bytes, which is in the middle of the IPv4 header, to a second
// segment.
void split(rte_mbuf& head, rte_mbuf& rest) {
  constexpr uint16_t kept = 30;
  std::copy_n(rte_pktmbuf_mtod(&head, const uint8_t*) + kept, frame_bytes - kept,
              rte_pktmbuf_mtod(&rest, uint8_t*));
  rest.data_len = frame_bytes - kept;
  head.data_len = kept;
  head.next = &rest;
  head.nb_segs = 2;
}

}  // namespace

std::optional<Traffic> traffic_named(std::string_view name) {
  if (name == "hits") return Traffic::hits;
  if (name == "new") return Traffic::new_flows;
  if (name == "mixed") return Traffic::mixed;
  return std::nullopt;
}

FixedTraffic::FixedTraffic(Traffic kind, rte_mempool& pool) : kind_(kind), pool_(pool) {}

flow::ExpiryRules FixedTraffic::rules() const noexcept {
  if (kind_ == Traffic::hits) return {};
  return {.inactive_timeout_ms = 1000, .active_timeout_ms = 5000};
}

port::Burst FixedTraffic::next() {
  now_ms_ += kind_ == Traffic::hits ? 1 : 10;
  const size_t count = packets_now();
  const std::span packets{packets_.data(), count};
  if (rte_pktmbuf_alloc_bulk(&pool_, packets.data(), static_cast<unsigned>(count)) != 0)
    throw std::runtime_error("fixed traffic: the pool of packet buffers is empty");
  for (rte_mbuf* packet : packets)
    write(*packet, draw_frame());
  if (kind_ == Traffic::mixed && count > 0) {
    rte_mbuf* rest = rte_pktmbuf_alloc(&pool_);
    if (rest == nullptr) throw std::runtime_error("fixed traffic: no buffer for a second segment");
    split(*packets[count / 2], *rest);
  }
  std::ranges::fill(arrival_ms_, now_ms_);
  ++bursts_;
  return {packets, {arrival_ms_.data(), count}, now_ms_, packet::LinkType::ethernet, in_if};
}

// Now and then of mixed a burst is short, or empty.
size_t FixedTraffic::packets_now() const noexcept {
  if (kind_ != Traffic::mixed || bursts_ % 8 < 6) return port::burst_packets_max;
  return bursts_ % 8 == 6 ? 5 : 0;
}

FixedTraffic::Frame FixedTraffic::draw_frame() {
  if (kind_ == Traffic::new_flows) return Frame::fresh;
  if (kind_ == Traffic::hits || toured_flows_ < known_flows) return Frame::known;
  const auto drawn = random_() % 1000;
  if (drawn < 30) return Frame::fresh;
  if (drawn < 45) return Frame::fin;
  if (drawn < 50) return Frame::arp;
  if (drawn < 55) return Frame::ipv6;
  if (drawn < 60) return Frame::fragment;
  return drawn < 65 ? Frame::vlan : Frame::known;
}

void FixedTraffic::write(rte_mbuf& mbuf, Frame frame) {
  constexpr uint8_t ack = 0x10;
  const bool tours = frame == Frame::known && toured_flows_ < known_flows;
  auto number = tours ? toured_flows_++ : static_cast<uint32_t>(random_() % known_flows);
  if (frame == Frame::fresh) number = known_flows + fresh_flows_++;
  if (frame == Frame::fin) number |= 1;
  if (frame == Frame::arp || frame == Frame::ipv6)
    return fill(mbuf, other(frame == Frame::arp ? 0x0806 : 0x86dd));
  if (frame == Frame::fragment) return fill(mbuf, second_fragment(number));
  const Bytes plain = ipv4_frame(number, frame == Frame::fin ? ack | flow::tcp_fin : ack);
  fill(mbuf, frame == Frame::vlan ? with_vlan(plain) : plain);
  // By flow, as two hashes of one flow would be two flows.
  if (kind_ == Traffic::mixed && number % 4 >= 2) return;
  mbuf.ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
  mbuf.hash.rss = rss_of(plain);
}

}  // namespace pollflow::test
