#include "flow/flow_filter.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "printable.hpp"
#include "whole_number.hpp"

namespace pollflow::flow {
namespace {

constexpr uint32_t whole = UINT32_MAX;

constexpr std::array<std::pair<std::string_view, uint8_t>, 9> protocols = {{
    {"icmp", 1},
    {"igmp", 2},
    {"tcp", 6},
    {"udp", 17},
    {"gre", 47},
    {"esp", 50},
    {"ah", 51},
    {"ospf", 89},
    {"sctp", 132},
}};

[[noreturn]] void refuse(const std::string& sentence) {
  throw std::invalid_argument(printable(sentence));
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.empty()) return words;
    const size_t end = std::min(text.find_first_of(" \t"), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

uint32_t number(const std::string& word, uint32_t max, std::string_view what) {
  if (const auto value = whole_number<uint32_t>(word, 0, max)) return *value;
  refuse(fmt::format("filter: '{}' is no {}; give a number from 0 to {}", word, what, max));
}

uint32_t address(const std::string& word) {
  in_addr parsed{};
  if (inet_pton(AF_INET, word.c_str(), &parsed) == 1) return ntohl(parsed.s_addr);
  refuse(fmt::format("filter: '{}' is no IPv4 address", word));
}

}  // namespace

// Takes the words one by one: [side] kind value, joined by "and".
class FlowFilter::Parser {
 public:
  explicit Parser(std::string_view text) : words_(words_of(text)) {}

  FlowFilter parse() {
    FlowFilter filter;
    while (next_ < words_.size()) {
      if (filter.count_ == terms_max) {
        refuse(fmt::format("filter: more than {} terms; leave some out", terms_max));
      }
      filter.terms_[filter.count_++] = term();
      if (next_ == words_.size()) break;
      if (words_[next_] != "and") {
        refuse(fmt::format("filter: 'and' should stand before '{}'", words_[next_]));
      }
      ++next_;
      if (next_ == words_.size()) refuse("filter: a term is missing at its end");
    }
    return filter;
  }

 private:
  Term term() {
    Side side = either;
    if (words_[next_] == "src") side = src;
    if (words_[next_] == "dst") side = dst;
    if (side != either) ++next_;
    const std::string kind = take("host, net or port");
    if (kind == "host") return {Field::address, side, whole, address(take("an address"))};
    if (kind == "net") return net(side);
    if (kind == "port")
      return {Field::port, side, whole, number(take("a port"), UINT16_MAX, "port")};
    if (side == either) return undirected(kind);
    refuse(fmt::format("filter: '{}' cannot follow src or dst; host, net and port can", kind));
  }

  Term undirected(const std::string& kind) {
    if (kind == "proto") return {Field::protocol, either, whole, protocol(take("a protocol"))};
    if (kind == "if")
      return {Field::in_if, either, whole, number(take("an ifindex"), UINT16_MAX, "ifindex")};
    if (is_protocol(kind)) return {Field::protocol, either, whole, protocol(kind)};
    refuse(
        fmt::format("filter: '{}' is no term; host, net, port (each also behind src or dst), "
                    "proto, if, tcp, udp and icmp are",
                    kind));
  }

  Term net(Side side) {
    const std::string prefix = take("a prefix");
    const size_t slash = prefix.find('/');
    if (slash == std::string::npos)
      refuse(fmt::format("filter: '{}' is no prefix, such as 10.0.0.0/8", prefix));
    const uint32_t length = number(prefix.substr(slash + 1), 32, "prefix length");
    const uint32_t mask = length == 0 ? 0 : whole << (32 - length);
    const uint32_t value = address(prefix.substr(0, slash));
    if ((value & ~mask) == 0) return {Field::address, side, mask, value};
    refuse(fmt::format("filter: '{}' has bits behind its length; shorten it, or say host", prefix));
  }

  static bool is_protocol(const std::string& word) {
    return std::ranges::find(protocols, word, &decltype(protocols)::value_type::first) !=
           protocols.end();
  }

  static uint32_t protocol(const std::string& word) {
    for (const auto& [name, value] : protocols) {
      if (word == name) return value;
    }
    return number(word, UINT8_MAX, "protocol");
  }

  std::string take(std::string_view what) {
    if (next_ < words_.size()) return words_[next_++];
    refuse(fmt::format("filter: {} is missing at its end", what));
  }

  std::vector<std::string> words_;
  size_t next_ = 0;
};

FlowFilter FlowFilter::parse(std::string_view text) {
  return Parser(text).parse();
}

bool FlowFilter::matches(const packet::FlowKey& key) const noexcept {
  return std::all_of(terms_.begin(), terms_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [&](const Term& term) { return holds(term, key); });
}

bool FlowFilter::holds(const Term& term, const packet::FlowKey& key) noexcept {
  const auto meant = [&](uint32_t of_src, uint32_t of_dst) {
    return ((term.side & src) != 0 && (of_src & term.mask) == term.value) ||
           ((term.side & dst) != 0 && (of_dst & term.mask) == term.value);
  };
  switch (term.field) {
    case Field::address:
      return meant(key.src, key.dst);
    case Field::port:
      return meant(key.src_port, key.dst_port);
    case Field::protocol:
      return key.protocol == term.value;
    case Field::in_if:
      break;
  }
  return key.in_if == term.value;
}

}  // namespace pollflow::flow
