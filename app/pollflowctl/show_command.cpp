#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "flow_pages.hpp"

namespace pollflow::ctl {
namespace {

constexpr uint64_t top_max = 64;  // of /pollflow/top: more would not fit into a reply

void print_all(FlowPrinter& printer, const std::vector<Flow>& flows, int64_t now_ms) {
  printer.begin(now_ms);
  for (const Flow& flow : flows)
    printer.print(flow);
  printer.end();
}

// As they come: a million flows are never all here.
uint64_t print_pages(TelemetryClient& client, const Arguments& arguments, FlowPrinter& printer) {
  uint64_t pages = 0;
  each_page(client, arguments.filter, [&](int64_t now_ms, const std::vector<Flow>& flows) {
    if (pages++ == 0) printer.begin(now_ms);
    for (const Flow& flow : flows)
      printer.print(flow);
  });
  printer.end();
  return printer.printed();
}

// The `kept_max` first of all flows, in order; a heap with the last of those kept in front.
uint64_t print_first(TelemetryClient& client, const Arguments& arguments, uint64_t kept_max,
                     FlowPrinter& printer) {
  const auto before = [order = arguments.by.value_or(Order::octets)](const Flow& a, const Flow& b) {
    return stands_before(order, a, b);
  };
  std::vector<Flow> kept;
  uint64_t seen = 0;
  int64_t begin_ms = 0;
  each_page(client, arguments.filter, [&](int64_t now_ms, const std::vector<Flow>& flows) {
    if (begin_ms == 0) begin_ms = now_ms;
    seen += flows.size();
    for (const Flow& flow : flows) {
      if (kept.size() == kept_max) {
        if (!before(flow, kept.front())) continue;
        std::ranges::pop_heap(kept, before);
        kept.pop_back();
      }
      kept.push_back(flow);
      std::ranges::push_heap(kept, before);
    }
  });
  std::ranges::sort_heap(kept, before);
  print_all(printer, kept, begin_ms);
  return seen;
}

uint64_t print_top(TelemetryClient& client, const Arguments& arguments, FlowPrinter& printer) {
  const TopFlows top =
      top_flows(client, *arguments.top, arguments.by.value_or(Order::octets), arguments.filter);
  print_all(printer, top.flows, top.now_ms);
  return top.matched;
}

}  // namespace

void show(TelemetryClient& client, const Arguments& arguments, Output& output) {
  FlowPrinter printer(output, arguments.format);
  uint64_t matched = 0;
  if (arguments.top && *arguments.top <= top_max) {
    matched = print_top(client, arguments, printer);
  } else if (arguments.top || arguments.by) {
    matched = print_first(client, arguments, arguments.top.value_or(UINT64_MAX), printer);
  } else {
    matched = print_pages(client, arguments, printer);
  }
  if (arguments.format != Format::text) return;
  if (matched > printer.printed()) {
    output.print("{} of {} flows.\n", printer.printed(), matched);
  } else {
    output.print("{} flows, all shown.\n", matched);
  }
}

}  // namespace pollflow::ctl
