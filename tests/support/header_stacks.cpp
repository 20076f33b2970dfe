#include "support/header_stacks.hpp"

#include <array>

namespace pollflow::test {
namespace {

using packet::LinkType;

constexpr Ports of_four_bytes = {4, src_port, dst_port};
constexpr Ports of_two_bytes = {2, 0, 3 * 256 + 13};

struct Link {
  const char* name;
  LinkType type;
  size_t length;
};
constexpr std::array<Link, 3> links = {{{"Ethernet", LinkType::ethernet, 14},
                                        {"cooked v1", LinkType::linux_cooked_v1, 16},
                                        {"cooked v2", LinkType::linux_cooked_v2, 20}}};

// `outer` alone, and with labels and PPPoE behind it.
void add_with_inner(const HeaderStack& outer, const std::vector<size_t>& label_counts,
                    std::vector<HeaderStack>& stacks) {
  const auto add = [&](const std::string& inner, const Frame& frame, size_t more) {
    stacks.push_back({outer.name + inner, frame, outer.length + more});
  };
  add("", outer.frame, 0);
  for (const size_t labels : label_counts)
    add(", " + std::to_string(labels) + " labels", Frame(outer.frame).mpls(labels), 4 * labels);
  add(", an upstream label", Frame(outer.frame).mpls(1, 0x8848), 4);
  add(", PPPoE", Frame(outer.frame).pppoe(0x0021), 8);
}

std::vector<HeaderStack> make_stacks() {
  const std::vector<size_t> each_label_count = {1, 2,  3,  4,  5,  6,  7,  8,
                                                9, 10, 11, 12, 13, 14, 15, 16};
  const std::vector<size_t> some_label_counts = {1, 2, 15, 16};
  std::vector<HeaderStack> stacks;
  stacks.push_back({"raw IP", Frame(LinkType::raw_ip), 0});
  for (const Link& link : links) {
    for (size_t tags = 0; tags <= 4; ++tags) {
      const std::string name = std::string(link.name) + ", " + std::to_string(tags) + " tags";
      add_with_inner({name, tagged(tags, link.type), link.length + 4 * tags},
                     tags == 0 ? each_label_count : some_label_counts, stacks);
    }
    add_with_inner(
        {std::string(link.name) + ", QinQ", Frame(link.type).vlan(0x88a8).vlan(), link.length + 8},
        {1, 16}, stacks);
    add_with_inner({std::string(link.name) + ", QinQ before its standard",
                    Frame(link.type).vlan(0x9100).vlan(), link.length + 8},
                   {1, 16}, stacks);
  }
  return stacks;
}

std::vector<Content> make_contents() {
  const Bytes syn = tcp(0x02);
  const uint8_t more_fragments = 0x20;
  return {
      {"TCP", {.protocol = 6, .payload = tcp(0x1b)}, of_four_bytes, 0x1b},
      {"TCP behind options",
       {.protocol = 6, .payload = tcp(0xff), .words = 15},
       of_four_bytes,
       0xff},
      {"14 bytes of TCP, padded",
       {.protocol = 6, .payload = syn, .total_length = 34},
       of_four_bytes,
       0x02},
      {"13 bytes of TCP behind options, padded",
       {.protocol = 6, .payload = syn, .words = 6, .total_length = 37},
       of_four_bytes},
      {"longer than captured",
       {.protocol = 6, .payload = syn, .total_length = 1500},
       of_four_bytes,
       0x02},
      {"UDP", {.payload = udp}, of_four_bytes},
      {"4 bytes of UDP, padded", {.payload = udp, .total_length = 24}, of_four_bytes},
      {"3 bytes of UDP, padded", {.payload = udp, .total_length = 23}},
      {"ICMP", {.protocol = 1, .payload = icmp}, of_two_bytes},
      {"1 byte of ICMP, padded", {.protocol = 1, .payload = icmp, .total_length = 21}},
      {"SCTP", {.protocol = 132, .payload = udp}},
      {"the first fragment",
       {.protocol = 6, .payload = syn, .fragment = more_fragments << 8},
       of_four_bytes,
       0x02},
      {"a later fragment", {.protocol = 6, .payload = syn, .fragment = more_fragments << 8 | 1}},
  };
}

std::vector<ValidFrame> make_valid_frames() {
  std::vector<ValidFrame> frames;
  for (const HeaderStack& stack : header_stacks()) {
    for (const Content& content : contents())
      frames.push_back({stack, content, Frame(stack.frame).ipv4(content.ip.bytes())});
  }
  return frames;
}

}  // namespace

const std::vector<HeaderStack>& header_stacks() {
  static const std::vector<HeaderStack> stacks = make_stacks();
  return stacks;
}

const std::vector<Content>& contents() {
  static const std::vector<Content> all = make_contents();
  return all;
}

const std::vector<ValidFrame>& valid_frames() {
  static const std::vector<ValidFrame> frames = make_valid_frames();
  return frames;
}

Frame tagged(size_t tags, LinkType link) {
  constexpr std::array types = {uint16_t{0x8100}, uint16_t{0x88a8}, uint16_t{0x9100}};
  Frame frame(link);
  for (size_t tag = 0; tag < tags; ++tag)
    frame.vlan(types.at(tag % types.size()));
  return frame;
}

}  // namespace pollflow::test
