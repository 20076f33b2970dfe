#include "flow/flow_filter.hpp"

#include <stdexcept>
#include <string>

#include "support/catch.hpp"

using namespace pollflow;
using flow::FlowFilter;

namespace {

// 10.1.2.3:4242 -> 192.168.0.1:443, TCP, on ifindex 7.
constexpr packet::FlowKey https = {.src = 0x0a010203,
                                   .dst = 0xc0a80001,
                                   .src_port = 4242,
                                   .dst_port = 443,
                                   .in_if = 7,
                                   .protocol = 6,
                                   .tos = 0};

std::string refusal(const std::string& text) {
  try {
    FlowFilter::parse(text);
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return "taken";
}

}  // namespace

TEST_CASE("a filter matches what its terms all say") {
  const char* matching[] = {"",
                            "host 10.1.2.3",
                            "host 192.168.0.1",
                            "src host 10.1.2.3",
                            "dst host 192.168.0.1",
                            "net 10.0.0.0/8",
                            "src net 10.1.2.3/32",
                            "dst net 0.0.0.0/0",
                            "net 192.168.0.0/31",
                            "port 443",
                            "port 4242",
                            "dst port 443",
                            "proto tcp",
                            "proto 6",
                            "tcp",
                            "if 7",
                            "  src net 10.0.0.0/8   and tcp and dst port 443 and if 7 "};
  for (const char* text : matching) {
    INFO(text);
    CHECK(FlowFilter::parse(text).matches(https));
  }
  const char* others[] = {"host 10.1.2.4",  "dst host 10.1.2.3",  "src host 192.168.0.1",
                          "net 11.0.0.0/8", "dst net 10.0.0.0/8", "port 80",
                          "src port 443",   "dst port 4242",      "udp",
                          "icmp",           "proto 17",           "if 8",
                          "tcp and udp",    "tcp and port 80",    "if 8 and tcp"};
  for (const char* text : others) {
    INFO(text);
    CHECK_FALSE(FlowFilter::parse(text).matches(https));
  }
}

TEST_CASE("what is wrong with a filter is named") {
  struct {
    const char* text;
    const char* says;
  } const wrong[] = {
      {"hots 10.0.0.1", "'hots' is no term"},
      {"host", "an address is missing"},
      {"src", "host, net or port is missing"},
      {"src tcp", "'tcp' cannot follow src or dst"},
      {"host 10.0.0.256", "'10.0.0.256' is no IPv4 address"},
      {"host 10.0.0.1/32", "no IPv4 address"},
      {"net 10.0.0.0", "'10.0.0.0' is no prefix"},
      {"net 10.0.0.0/33", "'33' is no prefix length"},
      {"net 10.0.0.0/", "'' is no prefix length"},
      {"net 10.0.0.1/8", "'10.0.0.1/8' has bits behind its length"},
      {"port 65536", "'65536' is no port"},
      {"port -1", "'-1' is no port"},
      {"port http", "'http' is no port"},
      {"proto 256", "'256' is no protocol"},
      {"proto", "a protocol is missing"},
      {"if 70000", "'70000' is no ifindex"},
      {"tcp udp", "'and' should stand before 'udp'"},
      {"tcp and", "a term is missing"},
      {"and tcp", "'and' is no term"},
      {"tcp or udp", "'and' should stand before 'or'"},
      {"tcp\nor", "'tcp?or' is no term"},
      {"\x1b[2J\x7f", "'?[2J?' is no term"},
  };
  for (const auto& [text, says] : wrong) {
    INFO(text);
    CHECK_THAT(refusal(text), Catch::Contains(says));
  }
}

TEST_CASE("eight terms are taken, nine are not") {
  std::string text = "tcp";
  for (int i = 1; i < 8; ++i)
    text.append(" and tcp");
  CHECK(FlowFilter::parse(text).matches(https));
  CHECK_THAT(refusal(text.append(" and tcp")), Catch::Contains("more than 8 terms"));
}
