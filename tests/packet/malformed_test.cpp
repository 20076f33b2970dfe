#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <string>

#include "packet/decode_checks.hpp"
#include "support/header_stacks.hpp"

using namespace pollflow::packet;
using namespace pollflow::test;

TEST_CASE("the header stacks are many, differ, and are as long as their layout says") {
  std::set<std::string> names;
  std::set<Bytes> frames;
  for (const HeaderStack& stack : header_stacks()) {
    INFO(stack.name);
    CHECK(stack.frame.bytes().size() == stack.length);
    CHECK(names.insert(stack.name).second);
    Frame whole = stack.frame;
    CHECK(frames.insert(whole.ipv4(Ip{.payload = udp}.bytes()).bytes()).second);
  }
  CHECK(names.size() >= 24);
}

TEST_CASE("every stack cut at every byte: too short up to the IPv4 options, then as it is") {
  size_t frames = 0;
  for (const ValidFrame& valid : valid_frames()) {
    INFO(valid.name());
    const Bytes& whole = valid.frame.bytes();
    const size_t transport_at = valid.stack.length + valid.content.ip.header();
    const size_t end = valid.stack.length + valid.content.ip.total();
    for (size_t cut = 0; cut <= whole.size(); ++cut, ++frames) {
      const Verdict expected = cut < transport_at
                                   ? Verdict{Fate::frame_too_short}
                                   : valid.content.with(std::min(cut, end) - transport_at);
      const Bytes frame = first(cut, whole);
      require_verdict(expected, frame, valid.frame.link());
      require_as_slowly(frame, valid.frame.link());
    }
  }
  CHECK(frames > 150'000);
}

TEST_CASE("no header lies beyond header_bytes_max: what follows changes nothing") {
  for (const ValidFrame& valid : valid_frames()) {
    INFO(valid.name());
    Ip ip = valid.content.ip;
    ip.words = 15;
    if (ip.total_length != 0) ip.total_length += 4 * (15 - valid.content.ip.words);
    ip.payload.resize(header_bytes_max + 100, 0x99);
    const Bytes whole = Frame(valid.stack.frame).ipv4(ip.bytes()).bytes();
    REQUIRE(whole.size() > header_bytes_max);
    require_verdict(decoded(whole, valid.frame.link()), first(header_bytes_max, whole),
                    valid.frame.link());
  }
}

TEST_CASE("every IPv4 header length with every small total length and every cut") {
  Bytes payload(80);
  std::iota(payload.begin(), payload.end(), uint8_t{1});
  size_t frames = 0;
  const auto cut_everywhere = [&](const Frame& around, const Ip& ip) {
    const Bytes whole = Frame(around).ipv4(ip.bytes()).bytes();
    for (size_t captured = 0; captured <= 100; ++captured, ++frames)
      require_as_slowly(first(around.bytes().size() + captured, whole), around.link());
  };
  const auto grid = [&](const Frame& around, uint8_t protocol) {
    for (size_t words = 0; words < 16; ++words) {
      Ip ip = {.protocol = protocol, .payload = payload, .words = words};
      for (ip.total_length = 1; ip.total_length <= 100; ++ip.total_length)
        cut_everywhere(around, ip);
      for (ip.total_length = 0x00ff; ip.total_length <= 0xffff; ip.total_length *= 257)
        cut_everywhere(around, ip);
      ip.total_length = 0x10000;  // of which the header has 16 bits: 0
      cut_everywhere(around, ip);
    }
  };
  for (const uint8_t protocol : {uint8_t{1}, uint8_t{6}, uint8_t{17}})
    grid(ethernet(), protocol);
  grid(Frame(LinkType::raw_ip), 6);
  grid(ethernet().vlan().mpls(1), 6);
  grid(ethernet().pppoe(0x0021), 6);
  CHECK(frames == 6 * 16 * 103 * 101);
}

TEST_CASE("0 to 64 tags: up to 4 are stepped over, wherever the frame ends") {
  const Bytes packet = Ip{.payload = udp}.bytes();
  for (const LinkType link :
       {LinkType::ethernet, LinkType::linux_cooked_v1, LinkType::linux_cooked_v2}) {
    const size_t link_length = Frame(link).bytes().size();
    for (size_t tags = 0; tags <= 64; ++tags) {
      INFO("link type " << static_cast<int>(link) << ", " << tags << " tags");
      const Bytes whole = tagged(tags, link).ipv4(packet).bytes();
      const size_t packet_at = link_length + 4 * tags;
      for (size_t cut = link_length; cut <= whole.size(); ++cut) {
        // The fifth is announced by the fourth.
        Verdict expected{Fate::frame_too_short};
        if (tags > 4 && cut >= link_length + 16) expected = {Fate::vlan_depth};
        if (tags <= 4 && cut >= packet_at + 20)
          expected = Ip{.payload = udp}.with(cut >= packet_at + 24 ? src_port : 0,
                                             cut >= packet_at + 24 ? dst_port : 0);
        require_verdict(expected, first(cut, whole), link);
        require_as_slowly(first(cut, whole), link);
      }
    }
  }
  SUCCEED();
}

TEST_CASE("1 to 64 labels: up to 16 are stepped over, with a bottom and without") {
  const Bytes packet = Ip{.payload = udp}.bytes();
  for (const size_t tags : {size_t{0}, size_t{4}}) {
    for (size_t labels = 1; labels <= 64; ++labels) {
      INFO(tags << " tags, " << labels << " labels");
      const Frame with_bottom = tagged(tags).mpls(labels).ipv4(packet);
      require_verdict(
          labels <= 16 ? Ip{.payload = udp}.with(src_port, dst_port) : Verdict{Fate::mpls_depth},
          with_bottom.bytes(), LinkType::ethernet);
      const Frame without = tagged(tags).mpls(labels, 0x8847, false);
      require_verdict({labels < 16 ? Fate::frame_too_short : Fate::mpls_depth}, without.bytes(),
                      LinkType::ethernet);
      for (size_t cut = 14; cut < with_bottom.bytes().size(); ++cut) {
        require_as_slowly(first(cut, with_bottom.bytes()), LinkType::ethernet);
        require_as_slowly(first(std::min(cut, without.bytes().size()), without.bytes()),
                          LinkType::ethernet);
      }
    }
  }
  SUCCEED();
}

TEST_CASE("announced as labels, yet none: the IPv4 header is read as one") {
  for (const size_t tags : {size_t{0}, size_t{4}}) {
    const Bytes frame = tagged(tags).mpls(0).ipv4(Ip{.payload = udp}.bytes()).bytes();
    for (size_t cut = 14; cut <= frame.size(); ++cut)
      require_as_slowly(first(cut, frame), LinkType::ethernet);
  }
}

TEST_CASE("whatever length PPPoE says, the IPv4 packet's own decides") {
  constexpr size_t length_at = 18;
  const Bytes frame = ethernet().pppoe(0x0021).ipv4(Ip{.payload = udp}.bytes()).bytes();
  for (size_t length = 0; length <= 0xffff; ++length) {
    Bytes said = frame;
    said[length_at] = static_cast<uint8_t>(length >> 8);
    said[length_at + 1] = static_cast<uint8_t>(length);
    const size_t cut = length_at + length % (frame.size() - length_at + 1);
    require_verdict(decoded(first(cut, frame), LinkType::ethernet), first(cut, said),
                    LinkType::ethernet);
  }
}
