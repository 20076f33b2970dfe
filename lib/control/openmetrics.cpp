#include "control/openmetrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "control/openmetrics_text.hpp"
#include "pipeline/expiry_ring.hpp"

namespace pollflow::control {
namespace {

using flow::RecordTally;
using Text = OpenMetricsText;

// The three families that a RecordTally makes.
struct RecordUnit {
  std::string_view unit;
  std::string_view subject;
  uint64_t (*of)(const RecordTally&);
};

constexpr std::array record_units = {
    RecordUnit{"records", "Flow records", [](const RecordTally& t) { return t.records; }},
    RecordUnit{"packets", "Packets in flow records",
               [](const RecordTally& t) { return t.carried.packets; }},
    RecordUnit{"octets", "IPv4 octets in flow records",
               [](const RecordTally& t) { return t.carried.octets; }}};

void add_run(Text& text, const Statistics& statistics) {
  text.info("build", "The program.");
  text.sample_info({{"version", statistics.version}});
  text.gauge("start_time", "seconds", "Unix time when SysUptime was 0; moves with the wall clock.");
  text.sample_ms({}, statistics.boot_ms);
  text.gauge("tsc", "hertz", "TSC cycles in a second.");
  text.sample({}, statistics.tsc_hz);
  text.gauge("ledger_broken", "equations",
             "Equations of the ledger that do not hold, worked out in whole numbers: 0.");
  text.sample({}, statistics.ledger.broken_equations().size());
}

void add_routes(Text& text, const Statistics& statistics) {
  text.gauge("routes", "", "Prefixes in force; 0 without --routes.");
  text.sample({}, statistics.routes.routes);
  text.gauge("routes_loaded", "seconds", "Unix time when they were read; 0 without --routes.");
  text.sample_ms({}, statistics.routes.loaded_ms);
  text.counter("routes_reload_failures", "", "Reloads that left the prefixes before in force.");
  text.sample({}, statistics.routes.failures);
}

struct PortCounter {
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  uint64_t (*of)(const flow::PortCounters&);
};

constexpr std::array port_counters = {
    PortCounter{"port_offered", "packets", "Frames that came to the port: all below.",
                [](const flow::PortCounters& p) { return p.offered(); }},
    PortCounter{"port_received", "packets", "Frames that the port's queues handed to the workers.",
                [](const flow::PortCounters& p) { return p.received; }},
    PortCounter{"port_missed", "packets", "Frames that the NIC dropped, its queue being full.",
                [](const flow::PortCounters& p) { return p.missed; }},
    PortCounter{"port_errored", "packets", "Frames that the NIC dropped as damaged.",
                [](const flow::PortCounters& p) { return p.errored; }},
    PortCounter{"port_rx_nombuf", "",
                "Times there was no packet buffer; a cause of missed frames, not added to them.",
                [](const flow::PortCounters& p) { return p.rx_nombuf; }}};

void add_links(Text& text, const Statistics& statistics) {
  using Link = pipeline::PortReport::Link;
  constexpr std::array<std::pair<Link, std::string_view>, 4> links = {
      {{Link::unknown, "unknown"}, {Link::down, "down"}, {Link::up, "up"}, {Link::gone, "gone"}}};
  const auto& ports = statistics.ledger.ports;
  const size_t count = std::min(ports.size(), statistics.ports.size());
  text.info("port", "The device behind a port, and the input ifindex of its flows.");
  for (size_t i = 0; i < count; ++i) {
    text.sample_info({{"port", fmt::to_string(ports[i].port)},
                      {"driver", ports[i].driver},
                      {"device", statistics.ports[i].name},
                      {"ifindex", fmt::to_string(statistics.ports[i].ifindex)}});
  }
  text.state_set("port_link", "How the port's link is; gone: the device was unplugged.");
  for (size_t i = 0; i < count; ++i) {
    for (const auto& [link, name] : links) {
      text.sample_state({{"port", fmt::to_string(ports[i].port)}, {"driver", ports[i].driver}},
                        name, statistics.ports[i].link == link);
    }
  }
}

void add_ports(Text& text, const Statistics& statistics) {
  for (const PortCounter& counter : port_counters) {
    text.counter(counter.name, counter.unit, counter.help);
    for (const flow::PortCounters& port : statistics.ledger.ports) {
      text.sample({{"port", fmt::to_string(port.port)}, {"driver", port.driver}}, counter.of(port));
    }
  }
  add_links(text, statistics);
  text.counter("queue", "packets", "Frames that a receive queue handed to the lcore polling it.");
  for (const flow::PortCounters& port : statistics.ledger.ports) {
    for (const flow::QueueCounters& queue : port.queues) {
      text.sample({{"port", fmt::to_string(port.port)},
                   {"queue", fmt::to_string(queue.queue)},
                   {"lcore", fmt::to_string(queue.lcore)}},
                  queue.packets);
    }
  }
}

void add_packets(Text& text, const flow::WorkerCounters& workers) {
  const auto& fates = workers.fates;
  constexpr size_t accounted = index_of(packet::Fate::accounted);
  const auto one = [&](std::string_view name, std::string_view unit, std::string_view help,
                       uint64_t value) {
    text.counter(name, unit, help);
    text.sample({}, value);
  };
  one("received", "packets", "Frames received, all ports.", workers.received.packets);
  one("received", "octets", "Octets of frames received.", workers.received.octets);
  one("accounted", "packets", "Packets put to a flow.", workers.accounted.packets);
  one("accounted", "octets", "Octets put to a flow: IPv4 total lengths.", workers.accounted.octets);
  one("accounted_frame", "octets", "Octets of the frames whose packets were put to a flow.",
      fates[accounted].octets);
  text.counter("skipped", "packets", "Frames not put to a flow, by reason.");
  for (size_t i = accounted + 1; i < fates.size(); ++i)
    text.sample({{"reason", std::string(packet::fate_names[i])}}, fates[i].packets);
  text.counter("skipped", "octets", "Octets of frames not put to a flow, by reason.");
  for (size_t i = accounted + 1; i < fates.size(); ++i)
    text.sample({{"reason", std::string(packet::fate_names[i])}}, fates[i].octets);
}

struct Reasoned {
  std::string_view reason;
  RecordTally tally;
};

// Three families: records, packets, octets. A tally without a reason has no label.
void add_records(Text& text, bool counted, std::string_view name, std::string_view predicate,
                 std::initializer_list<Reasoned> tallies) {
  for (const RecordUnit& unit : record_units) {
    const std::string help = fmt::format("{} {}", unit.subject, predicate);
    if (counted) {
      text.counter(name, unit.unit, help);
    } else {
      text.gauge(name, unit.unit, help);
    }
    for (const Reasoned& one : tallies) {
      if (one.reason.empty()) {
        text.sample({}, unit.of(one.tally));
      } else {
        text.sample({{"reason", std::string(one.reason)}}, unit.of(one.tally));
      }
    }
  }
}

void add_flows(Text& text, const flow::Ledger& ledger) {
  text.gauge("in_tables", "flows", "Flows in the tables now.");
  text.sample({}, ledger.in_tables.records);
  text.gauge("in_tables", "packets", "Packets of the flows in the tables now.");
  text.sample({}, ledger.in_tables.carried.packets);
  text.gauge("in_tables", "octets", "IPv4 octets of the flows in the tables now.");
  text.sample({}, ledger.in_tables.carried.octets);

  const auto& workers = ledger.workers;
  const auto created = [&](flow::EndReason reason) {
    const size_t i = index_of(reason);
    return Reasoned{flow::end_reason_names[i], workers.expired[i] + workers.lost[i]};
  };
  using flow::EndReason;
  add_records(
      text, true, "created", "that left a table, by why.",
      {created(EndReason::idle), created(EndReason::active), created(EndReason::end),
       created(EndReason::forced), created(EndReason::overflow), created(EndReason::evicted)});
  const flow::ExportCounters& exported = ledger.exported;
  add_records(text, false, "in_rings", "on their way to the export lcore now.",
              {{"", ledger.in_rings()}});
  add_records(text, false, "in_datagram", "in the datagram being built now.",
              {{"", exported.in_datagram}});
  add_records(text, true, "sent", "handed to a collector, or without one to an output.",
              {{"", exported.sent}});
  add_records(text, true, "lost", "that nobody got, by why.",
              {{"ring_full", ledger.lost_ring_full()},
               {"send_failed", exported.lost_send_failed},
               {"write_failed", exported.lost_write_failed}});
  text.gauge("flow_sequence", "", "What the next datagram's header would carry, modulo 2^32.");
  text.sample({}, exported.flow_sequence & UINT32_MAX);
}

struct WorkerFigure {
  bool counted;
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  uint64_t (*of)(const WorkerStatistics&);
};

constexpr std::array worker_figures = {
    WorkerFigure{true, "worker_received", "packets", "Frames that the worker received.",
                 [](const WorkerStatistics& w) { return w.report.counters.received.packets; }},
    WorkerFigure{true, "worker_nic_hashed", "packets",
                 "Packets put to a flow by the NIC's RSS hash, sparing the worker to hash them.",
                 [](const WorkerStatistics& w) { return w.report.counters.nic_hashed; }},
    WorkerFigure{true, "worker_second_look", "packets",
                 "Packets whose flow had to be looked for in its second bucket too.",
                 [](const WorkerStatistics& w) { return w.report.second_looks; }},
    WorkerFigure{false, "worker", "flows", "Flows in the worker's table now.",
                 [](const WorkerStatistics& w) { return w.report.held.records; }},
    WorkerFigure{false, "worker_flows_max", "", "Flows that the worker's table can hold.",
                 [](const WorkerStatistics& w) { return uint64_t{w.flows_max}; }},
    WorkerFigure{false, "worker_flows_high_water", "", "Most flows in the worker's table so far.",
                 [](const WorkerStatistics& w) { return w.report.flows_high_water; }},
    WorkerFigure{false, "worker_ring", "records", "Flow records in the worker's ring now.",
                 [](const WorkerStatistics& w) { return w.report.ring_records; }},
    WorkerFigure{
        false, "worker_ring_records_max", "", "Flow records that the worker's ring can hold.",
        [](const WorkerStatistics&) { return uint64_t{pipeline::ExpiryRing::records_max}; }},
    WorkerFigure{true, "worker_busy", "cycles",
                 "TSC cycles in turns with packets; the busy part is its rate() by that of all.",
                 [](const WorkerStatistics& w) { return w.report.cycles_busy; }},
    WorkerFigure{true, "worker", "cycles", "TSC cycles in all turns, with packets or without.",
                 [](const WorkerStatistics& w) { return w.report.cycles; }}};

void add_workers(Text& text, const Statistics& statistics) {
  for (const WorkerFigure& figure : worker_figures) {
    if (figure.counted) {
      text.counter(figure.name, figure.unit, figure.help);
    } else {
      text.gauge(figure.name, figure.unit, figure.help);
    }
    for (const WorkerStatistics& worker : statistics.workers)
      text.sample({{"lcore", fmt::to_string(worker.lcore)}}, figure.of(worker));
  }
  const flow::Lateness lateness = statistics.lateness();
  text.histogram("expiry_lateness", "seconds",
                 "How long after its deadline an idle or active flow left; 1.0 is promised.");
  uint64_t count = 0;
  for (size_t i = 0; i < flow::Lateness::bounds_ms.size(); ++i) {
    count += lateness.counts[i];
    text.bucket_ms(flow::Lateness::bounds_ms[i], count);
  }
  text.end_buckets(count + lateness.counts.back(), lateness.sum_ms);
}

struct CollectorCounter {
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  uint64_t exporter::Collector::Counters::*of;
};

using Counters = exporter::Collector::Counters;
constexpr std::array collector_counters = {
    CollectorCounter{"collector_sent", "datagrams", "Datagrams that the kernel took.",
                     &Counters::datagrams_sent},
    CollectorCounter{"collector_failed", "datagrams", "Datagrams that the kernel would not take.",
                     &Counters::datagrams_failed},
    CollectorCounter{"collector_sent", "records", "Flow records in datagrams sent.",
                     &Counters::records_sent},
    CollectorCounter{"collector_failed", "records", "Flow records in datagrams not taken.",
                     &Counters::records_failed},
    CollectorCounter{"collector_refused", "", "Times ICMP told that a datagram did not arrive.",
                     &Counters::refused},
    CollectorCounter{"collector_refused", "records",
                     "Flow records in datagrams that were answered so: sent, and yet lost.",
                     &Counters::records_refused}};

void add_outputs(Text& text, const Statistics& statistics) {
  for (const CollectorCounter& counter : collector_counters) {
    text.counter(counter.name, counter.unit, counter.help);
    size_t number = 0;  // one address may be given twice
    for (const CollectorStatistics& collector : statistics.collectors) {
      text.sample({{"collector", fmt::to_string(number++)}, {"address", collector.name}},
                  collector.counters.*counter.of);
    }
  }
  if (!statistics.csv) return;
  text.counter("csv_written", "records", "Flow records written to --flows-out.");
  text.sample({}, statistics.csv->written.records);
  text.counter("csv_failed", "records", "Flow records that --flows-out did not take.");
  text.sample({}, statistics.csv->failed.records);
}

}  // namespace

std::string openmetrics(const Statistics& statistics) {
  OpenMetricsText text;
  add_run(text, statistics);
  add_routes(text, statistics);
  add_ports(text, statistics);
  add_packets(text, statistics.ledger.workers);
  add_flows(text, statistics.ledger);
  add_workers(text, statistics);
  add_outputs(text, statistics);
  return std::move(text).end();
}

}  // namespace pollflow::control
