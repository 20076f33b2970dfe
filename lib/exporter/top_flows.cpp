#include "exporter/top_flows.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <tuple>

#include "exporter/flow_text.hpp"

namespace pollflow::exporter {
namespace {

// A total order, so that the same records give the same table.
bool busier(const flow::Record& a, const flow::Record& b) {
  const auto rank = [](const flow::Record& r) {
    return std::tuple(r.octets, r.packets, -r.first_ms, r.key.src, r.key.dst, r.key.src_port,
                      r.key.dst_port, r.key.protocol, r.key.tos, r.last_ms, r.reason, r.tcp_flags);
  };
  return rank(a) > rank(b);
}

std::string clock_text(int64_t unix_ms) {
  const int64_t ms = (unix_ms % 1000 + 1000) % 1000;
  const std::time_t seconds = (unix_ms - ms) / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", utc, ms);
}

}  // namespace

void TopFlows::add(const flow::Record& record) {
  ++seen_;
  if (heap_.size() == shown_max) {
    if (!busier(record, heap_.front())) return;
    std::ranges::pop_heap(heap_, busier);
    heap_.pop_back();
  }
  heap_.push_back(record);
  std::ranges::push_heap(heap_, busier);
}

std::string TopFlows::text() const {
  std::vector<flow::Record> busiest = heap_;
  std::ranges::sort(busiest, busier);
  std::string text =
      fmt::format("{:<23}  {:>9}  {:<5} {:>21}    {:<21}  {:>9} {:>12}  {}\n", "first seen (UTC)",
                  "seconds", "proto", "source", "destination", "packets", "octets", "ended by");
  for (const flow::Record& record : busiest) {
    fmt::format_to(
        std::back_inserter(text), "{:<23}  {:>9.3f}  {:<5} {:>21} -> {:<21}  {:>9} {:>12}  {}\n",
        clock_text(record.first_ms), static_cast<double>(record.last_ms - record.first_ms) / 1000,
        protocol_text(record.key.protocol), endpoint_text(record.key.src, record.key.src_port),
        endpoint_text(record.key.dst, record.key.dst_port), record.packets, record.octets,
        flow::end_reason_names[index_of(record.reason)]);
  }
  if (seen_ > busiest.size()) {
    fmt::format_to(std::back_inserter(text),
                   "The {} busiest of {} flow records; --flows-out FILE writes them all.\n",
                   busiest.size(), seen_);
  } else {
    fmt::format_to(std::back_inserter(text), "{} flow records, all shown.\n", seen_);
  }
  return text;
}

}  // namespace pollflow::exporter
