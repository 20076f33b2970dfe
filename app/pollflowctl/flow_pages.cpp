#include "flow_pages.hpp"

#include <fmt/format.h>

#include <string_view>

namespace pollflow::ctl {
namespace {

constexpr size_t cursor_bytes_max = 256;

std::string behind_comma(const std::string& filter) {
  return filter.empty() ? "" : "," + filter;
}

std::string_view name_of(Order order) {
  switch (order) {
    case Order::octets:
      return "octets";
    case Order::packets:
      return "packets";
    case Order::age:
      break;
  }
  return "age";
}

}  // namespace

void each_page(TelemetryClient& client, const std::string& filter,
               const std::function<void(int64_t now_ms, const std::vector<Flow>& flows)>& page) {
  std::string cursor = "0";
  bool first = true;
  do {
    // Once the first page was given the filter is right, and trouble is no longer the user's.
    const Reply reply = client.ask({.command = "/pollflow/flows",
                                    .parameters = cursor + behind_comma(filter),
                                    .users_words = first && !filter.empty()});
    page(reply.unix_ms("now_ms"), flows_of(reply));
    const std::string& next = reply.text("next");
    if (next == cursor) reply.refuse("next", "is the page that was asked for");
    if (next.size() > cursor_bytes_max || next.find(',') != std::string::npos)
      reply.refuse("next", "is no cursor");
    cursor = next;
    first = false;
  } while (!cursor.empty());
}

TopFlows top_flows(TelemetryClient& client, uint64_t count, Order by, const std::string& filter) {
  const Reply reply =
      client.ask({.command = "/pollflow/top",
                  .parameters = fmt::format("{},{}{}", count, name_of(by), behind_comma(filter)),
                  .users_words = !filter.empty()});
  TopFlows top{.now_ms = reply.unix_ms("now_ms"),
               .matched = reply.number("matched"),
               .flows = flows_of(reply)};
  if (top.flows.size() > count || top.flows.size() > top.matched)
    reply.refuse("flows", "holds more than was asked for, or than matched");
  return top;
}

}  // namespace pollflow::ctl
