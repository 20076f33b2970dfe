#include "flow_line.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <tuple>

namespace pollflow::ctl {
namespace {

// Takes the columns of one line, each behind the last. Once one was wrong the line is.
class Columns {
 public:
  explicit Columns(std::string_view line) : rest_(line) {}

  template <typename Number>
  void number(Number& value) {
    const std::string_view text = next();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    good_ = good_ && error == std::errc{} && end == text.data() + text.size();
  }
  void address(uint32_t& value) {
    in_addr address{};
    good_ = inet_pton(AF_INET, std::string(next()).c_str(), &address) == 1 && good_;
    value = ntohl(address.s_addr);
  }
  // All were right, and there is nothing more.
  [[nodiscard]] bool complete() const noexcept { return good_ && ended_; }

 private:
  std::string_view next() {
    good_ = good_ && !ended_;
    const size_t comma = std::min(rest_.find(','), rest_.size());
    const std::string_view text = rest_.substr(0, comma);
    ended_ = comma == rest_.size();
    rest_.remove_prefix(ended_ ? comma : comma + 1);
    return text;
  }

  std::string_view rest_;
  bool ended_ = false;
  bool good_ = true;
};

bool parse_flow(std::string_view line, Flow& flow) {
  Columns columns(line);
  columns.address(flow.src);
  columns.address(flow.dst);
  columns.number(flow.src_port);
  columns.number(flow.dst_port);
  columns.number(flow.protocol);
  columns.number(flow.tos);
  columns.number(flow.tcp_flags);
  columns.number(flow.packets);
  columns.number(flow.octets);
  columns.number(flow.first_ms);
  columns.number(flow.last_ms);
  columns.number(flow.in_if);
  return columns.complete() && flow.first_ms >= 0 && flow.last_ms >= flow.first_ms;
}

bool parse_path(std::string_view line, Flow& flow) {
  Columns columns(line);
  columns.number(flow.out_if);
  columns.address(flow.next_hop);
  columns.number(flow.src_mask);
  columns.number(flow.dst_mask);
  columns.number(flow.src_as);
  columns.number(flow.dst_as);
  return columns.complete() && flow.src_mask <= 32 && flow.dst_mask <= 32;
}

}  // namespace

int64_t Flow::age_ms() const noexcept {
  return std::max<int64_t>(asked_ms - first_ms, 0);
}

int64_t Flow::idle_ms() const noexcept {
  return std::max<int64_t>(asked_ms - last_ms, 0);
}

std::vector<Flow> flows_of(const Reply& reply) {
  reply.check_lengths({"flows", "paths"});
  const auto lines = reply.texts("flows");
  const auto paths = reply.texts("paths");
  const int64_t now_ms = reply.unix_ms("now_ms");
  std::vector<Flow> flows(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    flows[i].asked_ms = now_ms;
    if (!parse_flow(lines[i], flows[i]))
      reply.refuse("flows", fmt::format("holds '{}', which is no flow", lines[i]));
    if (!parse_path(paths[i], flows[i]))
      reply.refuse("paths", fmt::format("holds '{}', which is no path of a flow", paths[i]));
  }
  return flows;
}

bool stands_before(Order order, const Flow& a, const Flow& b) {
  const auto rank = [order](const Flow& f) {
    const auto oldest = static_cast<uint64_t>(INT64_MAX - f.first_ms);
    const uint64_t first = order == Order::octets    ? f.octets
                           : order == Order::packets ? f.packets
                                                     : oldest;
    return std::tuple(first, f.octets, f.packets, oldest, f.src, f.dst, f.src_port, f.dst_port,
                      f.protocol, f.tos, f.in_if, f.last_ms);
  };
  return rank(a) > rank(b);
}

}  // namespace pollflow::ctl
