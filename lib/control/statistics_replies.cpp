#include "control/statistics_replies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "control/reply.hpp"
#include "pipeline/expiry_ring.hpp"

namespace pollflow::control {
namespace {

constexpr std::array<std::string_view, 4> link_names = {"unknown", "down", "up", "gone"};

// One member of each item of a list, as a list of numbers.
template <typename Items, typename Member>
std::vector<uint64_t> column(const Items& items, Member member) {
  std::vector<uint64_t> values;
  values.reserve(items.size());
  for (const auto& item : items)
    values.push_back(static_cast<uint64_t>(item.*member));
  return values;
}

void add(Reply& reply, const std::string& name, const flow::Tally& tally) {
  reply.add(name + "_packets", tally.packets);
  reply.add(name + "_octets", tally.octets);
}

void add(Reply& reply, const std::string& name, const flow::RecordTally& tally,
         const std::string& counted = "_records") {
  reply.add(name + counted, tally.records);
  add(reply, name, tally.carried);
}

void add_lateness(Reply& reply, const flow::Lateness& lateness) {
  reply.add("lateness_ms", std::vector<uint64_t>(flow::Lateness::bounds_ms.begin(),
                                                 flow::Lateness::bounds_ms.end()));
  reply.add("lateness_counts", lateness.counts);
  reply.add("lateness_sum_ms", lateness.sum_ms);
}

void add_records(Reply& reply, const flow::Ledger& ledger) {
  reply.add("records_created", ledger.created().records);
  reply.add("records_sent", ledger.exported.sent.records);
  reply.add("in_rings", ledger.in_rings().records);
  reply.add("in_datagram", ledger.exported.in_datagram.records);
  for (size_t i = 0; i < flow::end_reason_count; ++i) {
    reply.add(fmt::format("expired_{}", flow::end_reason_names[i]),
              (ledger.workers.expired[i] + ledger.workers.lost[i]).records);
  }
  reply.add("lost_ring_full", ledger.lost_ring_full().records);
  reply.add("lost_send_failed", ledger.exported.lost_send_failed.records);
  reply.add("lost_write_failed", ledger.exported.lost_write_failed.records);
  reply.add("flow_sequence", ledger.exported.flow_sequence);
}

void add_work(Reply& reply, const Statistics& statistics) {
  uint64_t second_looks = 0;
  uint64_t cycles_busy = 0;
  uint64_t cycles = 0;
  for (const WorkerStatistics& worker : statistics.workers) {
    second_looks += worker.report.second_looks;
    cycles_busy += worker.report.cycles_busy;
    cycles += worker.report.cycles;
  }
  reply.add("second_looks", second_looks);
  reply.add("tsc_hz", statistics.tsc_hz);
  reply.add("cycles_busy", cycles_busy);
  reply.add("cycles", cycles);
}

}  // namespace

void reply_info(const Statistics& statistics, const Sources& sources, const RulesInForce& rules,
                rte_tel_data* data) {
  const flow::Ledger& ledger = statistics.ledger;
  Reply reply(data);
  reply.add("version", statistics.version);
  reply.add("now_ms", static_cast<uint64_t>(statistics.now_ms));
  reply.add("boot_ms", static_cast<uint64_t>(statistics.boot_ms));
  reply.add("workers", column(sources.workers, &Sources::Worker::lcore));
  reply.add("ports", column(sources.ports, &Sources::Port::port));
  reply.add("export_lcore", statistics.export_lcore);
  reply.add("collectors", statistics.collectors.size());
  reply.add("received_packets", ledger.workers.received.packets);
  reply.add("packets", ledger.workers.accounted.packets);
  reply.add("octets", ledger.workers.accounted.octets);
  reply.add("flows", ledger.in_tables.records);
  reply.add("flows_max", statistics.flows_max());
  reply.add("flows_high_water", ledger.flows_high_water);
  add_records(reply, ledger);
  add_work(reply, statistics);
  add_lateness(reply, statistics.lateness());
  reply.add("inactive_s", static_cast<uint64_t>(rules.inactive_s));
  reply.add("active_s", static_cast<uint64_t>(rules.active_s));
  reply.add("hold_idle", uint64_t{rules.hold_idle});
}

void reply_worker(const Statistics& statistics, const Sources& sources, uint64_t lcore,
                  rte_tel_data* data) {
  const auto found = std::ranges::find(sources.workers, lcore, &Sources::Worker::lcore);
  if (found == sources.workers.end())
    throw std::invalid_argument(fmt::format("lcore {} is no worker; info lists them", lcore));
  const auto at = static_cast<size_t>(found - sources.workers.begin());
  const WorkerStatistics& worker = statistics.workers[at];
  const pipeline::WorkerReport& report = worker.report;
  Reply reply(data);
  reply.add("lcore", lcore);
  reply.add("received_packets", report.counters.received.packets);
  reply.add("packets", report.counters.accounted.packets);
  reply.add("octets", report.counters.accounted.octets);
  reply.add("nic_hashed", report.counters.nic_hashed);
  reply.add("flows", report.held.records);
  reply.add("flows_max", worker.flows_max);
  reply.add("flows_high_water", report.flows_high_water);
  reply.add("records_created", report.counters.created().records);
  reply.add("lost_ring_full", report.counters.lost_sum().records);
  reply.add("second_looks", report.second_looks);
  reply.add("ring_records", report.ring_records);
  reply.add("ring_records_max", pipeline::ExpiryRing::records_max);
  reply.add("cycles_busy", report.cycles_busy);
  reply.add("cycles", report.cycles);
  reply.add("queue_ports", column(found->queues, &port::QueueRef::port));
  reply.add("queue_ids", column(found->queues, &port::QueueRef::queue));
  reply.add("queue_packets", column(std::span(report.queues).first(found->queues.size()),
                                    &port::QueueReport::packets));
}

void reply_port(const Statistics& statistics, uint64_t port, rte_tel_data* data) {
  const auto& ports = statistics.ledger.ports;
  const auto found = std::ranges::find(ports, port, &flow::PortCounters::port);
  if (found == ports.end())
    throw std::invalid_argument(fmt::format("there is no port {}; info lists them", port));
  const PortStatistics& about = statistics.ports[static_cast<size_t>(found - ports.begin())];
  Reply reply(data);
  reply.add("port", port);
  reply.add("driver", found->driver);
  reply.add("name", about.name);
  reply.add("ifindex", about.ifindex);
  reply.add("link", link_names[static_cast<size_t>(about.link)]);
  reply.add("offered", found->offered());
  reply.add("received", found->received);
  reply.add("missed", found->missed);
  reply.add("errored", found->errored);
  reply.add("rx_nombuf", found->rx_nombuf);
  reply.add("queue_ids", column(found->queues, &flow::QueueCounters::queue));
  reply.add("queue_lcores", column(found->queues, &flow::QueueCounters::lcore));
  reply.add("queue_packets", column(found->queues, &flow::QueueCounters::packets));
  reply.add("queue_accounted", column(found->queues, &flow::QueueCounters::accounted));
  reply.add("queue_nic_hashed", column(found->queues, &flow::QueueCounters::nic_hashed));
}

void reply_collector(const Statistics& statistics, uint64_t number, rte_tel_data* data) {
  if (number >= statistics.collectors.size()) {
    throw std::invalid_argument(fmt::format("there is no collector {}; there are {}, from 0",
                                            number, statistics.collectors.size()));
  }
  const CollectorStatistics& collector = statistics.collectors[number];
  Reply reply(data);
  reply.add("name", collector.name);
  reply.add("datagrams_sent", collector.counters.datagrams_sent);
  reply.add("datagrams_failed", collector.counters.datagrams_failed);
  reply.add("records_sent", collector.counters.records_sent);
  reply.add("records_failed", collector.counters.records_failed);
  reply.add("refused", collector.counters.refused);
  reply.add("records_refused", collector.counters.records_refused);
}

void reply_ledger(const Statistics& statistics, rte_tel_data* data) {
  const flow::Ledger& ledger = statistics.ledger;
  const auto& workers = ledger.workers;
  const auto accounted = index_of(packet::Fate::accounted);
  const auto broken = ledger.broken_equations();
  uint64_t offered = 0;
  uint64_t missed = 0;
  uint64_t errored = 0;
  uint64_t rx_nombuf = 0;
  for (const flow::PortCounters& port : ledger.ports) {
    offered += port.offered();
    missed += port.missed;
    errored += port.errored;
    rx_nombuf += port.rx_nombuf;
  }
  Reply reply(data);
  reply.add("balanced", uint64_t{broken.empty()});
  reply.add("broken", broken);
  reply.add("offered", offered);
  reply.add("missed", missed);
  reply.add("errored", errored);
  reply.add("rx_nombuf", rx_nombuf);
  add(reply, "received", workers.received);
  add(reply, "accounted", workers.accounted);
  reply.add("accounted_frame_octets", workers.fates[accounted].octets);
  for (size_t i = accounted + 1; i < packet::fate_count; ++i)
    add(reply, fmt::format("skipped_{}", packet::fate_names[i]), workers.fates[i]);
  add(reply, "in_tables", ledger.in_tables, "_flows");
  add(reply, "created", ledger.created());
  add(reply, "in_rings", ledger.in_rings());
  add(reply, "in_datagram", ledger.exported.in_datagram);
  add(reply, "sent", ledger.exported.sent);
  add(reply, "lost_ring_full", ledger.lost_ring_full());
  add(reply, "lost_send_failed", ledger.exported.lost_send_failed);
  add(reply, "lost_write_failed", ledger.exported.lost_write_failed);
}

}  // namespace pollflow::control
