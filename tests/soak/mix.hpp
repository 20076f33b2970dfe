#pragma once

#include <array>
#include <cstdint>
#include <random>

#include "frame.hpp"

namespace pollflow::soak {

// A tap's traffic made up: long flows, connections that come and go, scans, tags and labels, frames
// that are no IPv4 and frames that lie. The same seed gives the same frames.
class Mix {
 public:
  explicit Mix(uint64_t seed);

  void next(Frame& frame) noexcept;

 private:
  // One of the TCP connections under way: SYN, some packets, FIN or RST.
  struct Connection {
    uint32_t number = 0;
    uint32_t sent = 0;
    uint32_t packets = 0;
  };

  struct Kind {
    void (Mix::*make)(Frame&) noexcept;
    unsigned per_mille;
  };
  static const std::array<Kind, 22> kinds;

  uint32_t below(uint32_t limit) noexcept;
  uint32_t draw_length() noexcept;

  void long_flow(Frame& frame) noexcept;
  void connection(Frame& frame) noexcept;
  void one_packet_flow(Frame& frame) noexcept;
  void icmp(Frame& frame) noexcept;
  void first_fragment(Frame& frame) noexcept;
  void second_fragment(Frame& frame) noexcept;
  void other_protocol(Frame& frame) noexcept;
  void one_tag(Frame& frame) noexcept;
  void two_tags(Frame& frame) noexcept;
  void labels(Frame& frame) noexcept;
  void pppoe(Frame& frame) noexcept;

  void arp(Frame& frame) noexcept;
  void ipv6(Frame& frame) noexcept;
  void llc(Frame& frame) noexcept;
  void other_ethertype(Frame& frame) noexcept;
  void pppoe_control(Frame& frame) noexcept;
  void too_many_tags(Frame& frame) noexcept;
  void too_many_labels(Frame& frame) noexcept;
  void no_ip_below_labels(Frame& frame) noexcept;
  void too_short(Frame& frame) noexcept;
  void wrong_version(Frame& frame) noexcept;
  void wrong_header_length(Frame& frame) noexcept;
  void wrong_total_length(Frame& frame) noexcept;

  std::array<uint8_t, 1000> kind_of_draw_{};
  std::mt19937_64 random_;
  std::array<Connection, 512> connections_{};
  uint32_t connections_begun_ = 0;
  uint32_t scanned_ = 0;
  uint32_t fragmented_ = 0;
  bool half_sent_ = false;
};

}  // namespace pollflow::soak
