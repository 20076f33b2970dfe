#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "commands.hpp"
#include "joined.hpp"
#include "number_text.hpp"
#include "run_state.hpp"
#include "streams.hpp"
#include "text_table.hpp"

namespace pollflow::ctl {
namespace {

using Column = TextTable::Column;
constexpr auto left = TextTable::Align::left;

std::string cell(const Reply& reply, std::string_view member) {
  return fmt::to_string(reply.number(member));
}

void print_head(const Reply& run, uint64_t pid, Output& output) {
  output.print("pollflow {}, process {}, up {}\n", app::one_line(run.text("version")), pid,
               duration_text(run.unix_ms("now_ms") - run.unix_ms("boot_ms")));
  output.print("workers on lcores {}, export on lcore {}; ports {}; collectors: {}\n",
               joined(run.numbers("workers"), " "), run.number("export_lcore"),
               joined(run.numbers("ports"), " "), run.number("collectors"));
  output.print("inactive timeout {} s, active timeout {} s, idle flows are {}\n",
               run.number("inactive_s"), run.number("active_s"),
               run.number("hold_idle") != 0 ? "held until tables are 3/4 full" : "not held");
}

struct Line {
  const char* text;
  const char* member;
  bool if_any = false;  // left out when it is 0
};

constexpr std::array packet_lines = {
    Line{"frames received", "received_packets"},
    Line{"packets put to a flow", "packets"},
    Line{"their IPv4 octets", "octets"},
};
constexpr std::array record_lines = {
    Line{"created", "records_created"},
    Line{"  ended by: idle", "expired_idle", true},
    Line{"  ended by: active", "expired_active", true},
    Line{"  ended by: end", "expired_end", true},
    Line{"  ended by: forced", "expired_forced", true},
    Line{"  ended by: overflow", "expired_overflow", true},
    Line{"  ended by: evicted", "expired_evicted", true},
    Line{"sent", "records_sent"},
    Line{"in rings", "in_rings"},
    Line{"in the datagram", "in_datagram"},
    Line{"lost: ring full", "lost_ring_full", true},
    Line{"lost: sending failed", "lost_send_failed", true},
    Line{"lost: writing failed", "lost_write_failed", true},
    Line{"next flow_sequence", "flow_sequence"},
};

template <size_t n>
void print_lines(const char* title, const std::array<Line, n>& lines, const Reply& run,
                 Output& output) {
  output.print("\n{}\n", title);
  for (const Line& line : lines) {
    const uint64_t value = run.number(line.member);
    if (value != 0 || !line.if_any) output.print("  {:<30}{:>20}\n", line.text, value);
  }
}

// How long after their deadlines flows left: pollflow promises a second.
void print_lateness(const Reply& run, Output& output) {
  constexpr uint64_t promised_ms = 1000;
  const auto bounds = run.numbers("lateness_ms");
  const auto counts = run.numbers("lateness_counts");
  if (counts.size() != bounds.size() + 1)
    run.refuse("lateness_counts", "is not one longer than 'lateness_ms'");
  uint64_t all = 0;
  uint64_t punctual = 0;
  size_t worst = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    all += counts[i];
    if (counts[i] > 0) worst = i;
    if (i < bounds.size() && bounds[i] <= promised_ms) punctual += counts[i];
  }
  const uint64_t sum_ms = run.number("lateness_sum_ms");
  output.write("\nLateness: from a flow's deadline to its leaving the table\n");
  if (all == 0) return output.write("  no flow has reached a deadline yet\n");
  // Cut, not rounded: 100 % is said of all only.
  const double share = static_cast<double>(punctual) / static_cast<double>(all);
  const auto ten_thousandths = static_cast<uint64_t>(share * 10000);
  output.print("  {}.{:02} % within 1 s ({} of {}), {} ms on average, the latest {}\n",
               ten_thousandths / 100, ten_thousandths % 100, punctual, all,
               quotient_text(sum_ms, all, 1),
               worst < bounds.size() ? fmt::format("within {} ms", bounds[worst])
                                     : fmt::format("beyond {} ms", bounds.back()));
}

std::string queues_text(const Reply& worker) {
  worker.check_lengths({"queue_ports", "queue_ids", "queue_packets"});
  const auto ports = worker.numbers("queue_ports");
  const auto ids = worker.numbers("queue_ids");
  std::vector<std::string> queues;
  for (size_t i = 0; i < ports.size(); ++i)
    queues.push_back(fmt::format("{}:{}", ports[i], ids[i]));
  return joined(queues, " ");
}

void print_workers(const std::vector<Reply>& workers, Output& output) {
  TextTable table({{"lcore"},
                   {"queues", left},
                   {"packets"},
                   {"flows"},
                   {"max"},
                   {"most so far"},
                   {"lost"},
                   {"ring"},
                   {"cycles/packet"},
                   {"busy"},
                   {"buckets/packet"}});
  for (const Reply& worker : workers) {
    const uint64_t packets = worker.number("packets");
    const uint64_t busy = worker.number("cycles_busy");
    table.row(
        {cell(worker, "lcore"), queues_text(worker), cell(worker, "received_packets"),
         cell(worker, "flows"), cell(worker, "flows_max"), cell(worker, "flows_high_water"),
         cell(worker, "lost_ring_full"),
         fmt::format("{}/{}", worker.number("ring_records"), worker.number("ring_records_max")),
         quotient_text(busy, worker.number("received_packets"), 0),
         percent_text(busy, worker.number("cycles")),
         quotient_text(packets + worker.number("second_looks"), packets, 3)});
  }
  output.print("\nWorkers (queues are PORT:QUEUE)\n{}", table.text());
}

void print_ports(const std::vector<Reply>& ports, Output& output) {
  TextTable table({{"port"},
                   {"driver", left},
                   {"device", left},
                   {"ifindex"},
                   {"link", left},
                   {"queues"},
                   {"offered"},
                   {"received"},
                   {"missed"},
                   {"errored"},
                   {"rx_nombuf"}});
  for (const Reply& port : ports) {
    table.row({cell(port, "port"), port.text("driver"), port.text("name"), cell(port, "ifindex"),
               port.text("link"), fmt::to_string(port.numbers("queue_ids").size()),
               cell(port, "offered"), cell(port, "received"), cell(port, "missed"),
               cell(port, "errored"), cell(port, "rx_nombuf")});
  }
  output.print("\nPorts\n{}", table.text());
}

void print_collectors(const std::vector<Reply>& collectors, Output& output) {
  if (collectors.empty()) return;
  TextTable table({{"collector", left},
                   {"datagrams sent"},
                   {"failed"},
                   {"records sent"},
                   {"failed"},
                   {"refused"},
                   {"records refused"}});
  for (const Reply& collector : collectors) {
    table.row({collector.text("name"), cell(collector, "datagrams_sent"),
               cell(collector, "datagrams_failed"), cell(collector, "records_sent"),
               cell(collector, "records_failed"), cell(collector, "refused"),
               cell(collector, "records_refused")});
  }
  output.print("\nCollectors\n{}", table.text());
}

Json list_of(const std::vector<Reply>& replies) {
  Json list = Json::array();
  for (const Reply& reply : replies)
    list.push_back(reply.json());
  return list;
}

}  // namespace

void info(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const RunState state = ask_run_state(client, true);
  if (arguments.format == Format::json) {
    const Json all = {{"run", state.run.json()},
                      {"workers", list_of(state.workers)},
                      {"ports", list_of(state.ports)},
                      {"collectors", list_of(state.collectors)}};
    return output.print("{}\n", json_text(all, 2));
  }
  const Reply& run = state.run;
  print_head(run, client.pid(), output);
  print_lines("Packets", packet_lines, run, output);
  output.print("\nFlows\n  {:<30}{:>20}\n  {:<30}{:>20}\n  {:<30}{:>20}\n", "in the tables",
               run.number("flows"), "at most", run.number("flows_max"), "most so far",
               run.number("flows_high_water"));
  print_lines("Flow records", record_lines, run, output);
  print_lateness(run, output);
  print_workers(state.workers, output);
  print_ports(state.ports, output);
  print_collectors(state.collectors, output);
}

}  // namespace pollflow::ctl
