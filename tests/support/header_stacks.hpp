#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/frame_builder.hpp"

namespace pollflow::test {

// Everything that may lie in front of an IPv4 header: link headers, tags, labels, PPPoE and their
// combinations, each with a name.
struct HeaderStack {
  std::string name;
  Frame frame;    // so far
  size_t length;  // counted from the layout
};
const std::vector<HeaderStack>& header_stacks();

// Ports, and how much of the transport header they need.
struct Ports {
  size_t need = 0;
  size_t src = 0;
  size_t dst = 0;
};

// What an IPv4 header may say and be followed by.
struct Content {
  std::string name;
  Ip ip;
  Ports ports = {};
  uint8_t tcp_flags = 0;

  // The verdict when `there` bytes of the transport header are there.
  [[nodiscard]] Verdict with(size_t there) const {
    const Ports seen = there >= ports.need ? ports : Ports{};
    return ip.with(seen.src, seen.dst, there >= 14 ? tcp_flags : uint8_t{0});
  }
};
const std::vector<Content>& contents();

// Each stack around each content.
struct ValidFrame {
  const HeaderStack& stack;
  const Content& content;
  Frame frame;

  [[nodiscard]] std::string name() const { return stack.name + ", " + content.name; }
};
const std::vector<ValidFrame>& valid_frames();

// A frame of so many VLAN tags; their three types take turns.
Frame tagged(size_t tags, packet::LinkType link = packet::LinkType::ethernet);

}  // namespace pollflow::test
