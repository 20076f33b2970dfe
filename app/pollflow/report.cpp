#include "report.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace pollflow::app {
namespace {

using flow::RecordTally;
using flow::Tally;

constexpr size_t accounted_index = index_of(packet::Fate::accounted);

using Counter = uint64_t exporter::Collector::Counters::*;

uint64_t sum_over_collectors(const pipeline::Outputs& outputs, Counter counter) {
  uint64_t sum = 0;
  for (const auto& collector : outputs.collectors)
    sum += collector.counters().*counter;
  return sum;
}

// A column of figures; zero lines about trouble are left out.
class Table {
 public:
  void head(std::string_view title, std::string_view first, std::string_view octets) {
    line("\n{:<32}{:>14}{:>14}{:>18}\n", title, first, "packets", octets);
  }
  void row(std::string_view what, const Tally& tally) {
    line("  {:<30}{:>14}{:>14}{:>18}\n", what, "", tally.packets, tally.octets);
  }
  void row(std::string_view what, const RecordTally& tally) {
    line("  {:<30}{:>14}{:>14}{:>18}\n", what, tally.records, tally.carried.packets,
         tally.carried.octets);
  }
  template <typename AnyTally>
  void row_unless_none(std::string_view what, const AnyTally& tally) {
    if (tally != AnyTally{}) row(what, tally);
  }
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

void add_port(Table& table, const flow::PortCounters& port) {
  if (port.missed + port.errored > 0 || !port.queues.empty()) {
    table.line("  port {}: {} offered, {} missed, {} errored\n", port.port, port.offered(),
               port.missed, port.errored);
  }
  for (const flow::QueueCounters& queue : port.queues) {
    table.line("    queue {:<22}{:>14}{:>14}  on lcore {}, {} hashed by the NIC\n", queue.queue, "",
               queue.packets, queue.lcore, queue.nic_hashed);
  }
}

void add_outputs(Table& table, const pipeline::Outputs& outputs) {
  for (const auto& collector : outputs.collectors) {
    const auto& counters = collector.counters();
    table.line("  {:<30}{} datagrams sent, {} failed", collector.name(), counters.datagrams_sent,
               counters.datagrams_failed);
    if (counters.refused > 0)
      table.line("; {} times ICMP told that one did not arrive ({} records)", counters.refused,
                 counters.records_refused);
    table.line("\n");
  }
  if (outputs.csv) {
    table.line("  {:<30}{} records written, {} failed\n", outputs.csv->path(),
               outputs.csv->written().records, outputs.csv->failed().records);
  }
}

std::string json(const Tally& tally) {
  return fmt::format(R"({{"packets": {}, "octets": {}}})", tally.packets, tally.octets);
}

std::string json(const RecordTally& tally, std::string_view counted = "records") {
  return fmt::format(R"({{"{}": {}, "packets": {}, "octets": {}}})", counted, tally.records,
                     tally.carried.packets, tally.carried.octets);
}

std::string json(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// Joins members or elements, each already JSON.
class List {
 public:
  void add(std::string_view item) {
    if (!text_.empty()) text_ += ", ";
    text_ += item;
  }
  void add(std::string_view name, std::string_view value) {
    add(fmt::format("{}: {}", json(name), value));
  }
  [[nodiscard]] std::string object() const { return "{" + text_ + "}"; }
  [[nodiscard]] std::string array() const { return "[" + text_ + "]"; }

 private:
  std::string text_;
};

std::string ports_json(const flow::Ledger& ledger) {
  List ports;
  for (const flow::PortCounters& port : ledger.ports) {
    List queues;
    for (const flow::QueueCounters& queue : port.queues) {
      queues.add(fmt::format(
          R"({{"queue": {}, "lcore": {}, "packets": {}, "accounted": {}, "nic_hashed": {}}})",
          queue.queue, queue.lcore, queue.packets, queue.accounted, queue.nic_hashed));
    }
    ports.add(
        fmt::format(R"({{"port": {}, "driver": {}, "offered": {}, "received": {}, "missed": {}, )"
                    R"("undelivered": {}, "errored": {}, "rx_nombuf": {}, "queues": {}}})",
                    port.port, json(port.driver), port.offered(), port.received, port.missed,
                    port.undelivered, port.errored, port.rx_nombuf, queues.array()));
  }
  return ports.array();
}

std::string records_json(const flow::Ledger& ledger) {
  List lost;
  lost.add("ring_full", json(ledger.lost_ring_full()));
  lost.add("send_failed", json(ledger.exported.lost_send_failed));
  lost.add("write_failed", json(ledger.exported.lost_write_failed));
  List records;
  records.add("created", json(ledger.created()));
  records.add("in_rings", json(ledger.in_rings()));
  records.add("in_datagram", json(ledger.exported.in_datagram));
  records.add("sent", json(ledger.exported.sent));
  records.add("lost", lost.object());
  return records.object();
}

std::string collectors_json(const pipeline::Outputs& outputs) {
  List collectors;
  for (const auto& collector : outputs.collectors) {
    const auto& counters = collector.counters();
    collectors.add(fmt::format(
        R"({{"name": {}, "datagrams_sent": {}, "datagrams_failed": {}, "records_sent": {}, )"
        R"("records_failed": {}, "refused": {}, "records_refused": {}}})",
        json(collector.name()), counters.datagrams_sent, counters.datagrams_failed,
        counters.records_sent, counters.records_failed, counters.refused,
        counters.records_refused));
  }
  return collectors.array();
}

}  // namespace

std::string ledger_text(const flow::Ledger& ledger, const pipeline::Outputs& outputs) {
  Table table;
  const auto& workers = ledger.workers;
  table.head("Frames", "", "octets");
  for (const flow::PortCounters& port : ledger.ports)
    add_port(table, port);
  table.row("received", workers.received);
  table.row("accounted to a flow", workers.fates[accounted_index]);
  for (size_t i = accounted_index + 1; i < packet::fate_count; ++i) {
    table.row_unless_none(fmt::format("skipped: {}", packet::fate_names[i]), workers.fates[i]);
  }
  table.head("Flow records", "records", "IPv4 octets");
  table.row("created", ledger.created());
  for (size_t i = 0; i < flow::end_reason_count; ++i) {
    table.row_unless_none(fmt::format("  ended by: {}", flow::end_reason_names[i]),
                          workers.expired[i] + workers.lost[i]);
  }
  table.row("sent", ledger.exported.sent);
  table.row_unless_none("lost: ring full", ledger.lost_ring_full());
  table.row_unless_none("lost: sending failed", ledger.exported.lost_send_failed);
  table.row_unless_none("lost: writing failed", ledger.exported.lost_write_failed);
  table.row("still in the tables", ledger.in_tables);
  if (!outputs.collectors.empty() || outputs.csv) table.line("\nOutputs\n");
  add_outputs(table, outputs);
  const auto broken = ledger.broken_equations();
  if (broken.empty()) table.line("\nThe ledger adds up: every packet received is accounted for.\n");
  for (const std::string& equation : broken)
    table.line("\nThe ledger does not add up: {}.", equation);
  if (!broken.empty()) table.line("\n");
  return std::move(table).text();
}

std::string ledger_json(const flow::Ledger& ledger, const pipeline::Outputs& outputs) {
  const auto& workers = ledger.workers;
  List skipped;
  for (size_t i = accounted_index + 1; i < packet::fate_count; ++i) {
    skipped.add(packet::fate_names[i], json(workers.fates[i]));
  }
  List expired;
  for (size_t i = 0; i < flow::end_reason_count; ++i) {
    expired.add(flow::end_reason_names[i],
                fmt::to_string((workers.expired[i] + workers.lost[i]).records));
  }
  List members;
  members.add("balanced", ledger.broken_equations().empty() ? "true" : "false");
  members.add("ports", ports_json(ledger));
  members.add("received", json(workers.received));
  members.add("accounted", fmt::format(R"({{"packets": {}, "octets": {}, "frame_octets": {}}})",
                                       workers.accounted.packets, workers.accounted.octets,
                                       workers.fates[accounted_index].octets));
  members.add("skipped", skipped.object());
  members.add("in_tables", json(ledger.in_tables, "flows"));
  members.add("records", records_json(ledger));
  members.add("expired", expired.object());
  members.add(
      "datagrams",
      fmt::format(R"({{"sent": {}, "failed": {}}})",
                  sum_over_collectors(outputs, &exporter::Collector::Counters::datagrams_sent),
                  sum_over_collectors(outputs, &exporter::Collector::Counters::datagrams_failed)));
  members.add("collectors", collectors_json(outputs));
  members.add("flows_out",
              outputs.csv
                  ? fmt::format(R"({{"records_written": {}, "records_failed": {}}})",
                                outputs.csv->written().records, outputs.csv->failed().records)
                  : "null");
  members.add("flow_sequence", fmt::to_string(ledger.exported.flow_sequence));
  members.add("flows_high_water", fmt::to_string(ledger.flows_high_water));
  return members.object() + "\n";
}

}  // namespace pollflow::app
