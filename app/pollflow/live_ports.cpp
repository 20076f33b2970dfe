#include "live_ports.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <random>

#include "failure.hpp"
#include "port/burst.hpp"

namespace pollflow::app {
namespace {

using port::NicPort;

constexpr unsigned cache_mbufs = 256;  // of a worker's lcore; an mbuf there is not in the pool
constexpr size_t mempool_overhead_bytes = 128;

// Those that no other port owns, as net_failsafe owns its sub-devices.
std::vector<uint16_t> probed_ports() {
  const auto next = [](unsigned from) {
    return rte_eth_find_next_owned_by(static_cast<uint16_t>(from), RTE_ETH_DEV_NO_OWNER);
  };
  std::vector<uint16_t> ids;
  for (uint64_t id = next(0); id < RTE_MAX_ETHPORTS; id = next(static_cast<unsigned>(id) + 1))
    ids.push_back(static_cast<uint16_t>(id));
  return ids;
}

}  // namespace

LivePorts::LivePorts(const Options& options) : rss_key_(options.rss_key) {
  for (const uint16_t id : probed_ports()) {
    rte_eth_dev_info info{};
    const char* driver = rte_eth_dev_info_get(id, &info) == 0 ? info.driver_name : "default";
    ports_.push_back(
        std::make_unique<NicPort>(id, port::preset_for(driver, options.driver_config)));
  }
  for (const auto& [named, index] : options.ifindex)
    check_exists(named, fmt::format("--ifindex {}={}", named, index));
  for (const auto& [named, partner] : options.pairs)
    check_exists(named,
                 fmt::format("--pair {}={}", std::min(named, partner), std::max(named, partner)));
}

void LivePorts::check_exists(uint16_t id, const std::string& option) const {
  if (std::ranges::any_of(ports_, [&](const auto& port) { return port->facts().port == id; }))
    return;
  throw Failure(ExitCode::usage,
                fmt::format("{}: there is no port {}; EAL found {}, numbered from 0", option, id,
                            ports_.size()));
}

std::vector<port::PortFacts> LivePorts::facts() const {
  std::vector<port::PortFacts> facts;
  for (const auto& port : ports_)
    facts.push_back(port->facts());
  return facts;
}

NicPort& LivePorts::at(uint16_t port) const {
  return **std::ranges::find_if(ports_, [&](const auto& p) { return p->facts().port == port; });
}

bool LivePorts::any_of_the_kernel() const {
  return std::ranges::any_of(ports_, [](const auto& port) { return port->is_of_the_kernel(); });
}

// Every descriptor holds a buffer; beside them a burst of each queue is in work and the lcore's
// cache holds up to one and a half times its size.
LivePorts::BufferNeeds LivePorts::buffer_needs(const WorkerPlan& worker) const {
  BufferNeeds needs{.mbufs = 2 * cache_mbufs, .mbuf_bytes = 0};
  for (const QueueRef& queue : worker.queues) {
    const NicPort& port = at(queue.port);
    needs.mbufs += port.facts().descriptors * port.preset().buffers_per_descriptor;
    needs.mbufs += port::burst_packets_max;
    needs.mbuf_bytes = std::max(needs.mbuf_bytes, port.mbuf_bytes());
  }
  return needs;
}

size_t LivePorts::buffer_bytes(const WorkerPlan& worker) const {
  const BufferNeeds needs = buffer_needs(worker);
  return size_t{needs.mbufs} * (sizeof(rte_mbuf) + needs.mbuf_bytes + mempool_overhead_bytes);
}

rte_mempool* LivePorts::make_pool(const WorkerPlan& worker) {
  const BufferNeeds needs = buffer_needs(worker);
  const std::string name = fmt::format("packets_{}", worker.lcore.id);
  rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), needs.mbufs, cache_mbufs, 0,
                                              needs.mbuf_bytes, worker.lcore.node);
  if (pool == nullptr) {
    throw Failure(
        ExitCode::no_device,
        fmt::format(
            "no memory for {} packet buffers of {} bytes on NUMA node {} ({}); reserve huge "
            "pages there (scripts/hugepages), give EAL a greater -m, or fewer descriptors "
            "(--driver-config)",
            needs.mbufs, needs.mbuf_bytes, worker.lcore.node, rte_strerror(rte_errno)));
  }
  return pool;  // for good: a device that would not stop may still write there
}

// One key may be meant for several devices: each takes as much of it as it has room for.
port::RssKey LivePorts::key_for(const NicPort& port) const {
  const port::RssGrant offered = port.rss_offered();
  if (offered.key_bytes == 0) return {};
  if (rss_key_.empty()) {
    std::random_device random("/dev/urandom");  // a CPU's own may take 40 us a number
    return port::draw_rss_key(offered.key_bytes, offered.reta_entries, std::ref(random));
  }
  if (rss_key_.size() >= offered.key_bytes)
    return {rss_key_.begin(), rss_key_.begin() + static_cast<ptrdiff_t>(offered.key_bytes)};
  throw Failure(
      ExitCode::usage,
      fmt::format("--rss-key: {} takes a key of {} bytes, not {}; give as many, or random",
                  name_of(port.facts()), offered.key_bytes, rss_key_.size()));
}

void LivePorts::start(const LcorePlan& plan) {
  std::vector<rte_mempool*> pool_of_worker;
  for (const WorkerPlan& worker : plan.workers)
    pool_of_worker.push_back(make_pool(worker));
  for (const auto& port : ports_) {
    std::vector<rte_mempool*> pools(plan.queues_of(port->facts().port));
    for (size_t worker = 0; worker < plan.workers.size(); ++worker) {
      for (const QueueRef& queue : plan.workers[worker].queues) {
        if (queue.port == port->facts().port) pools[queue.queue] = pool_of_worker[worker];
      }
    }
    const port::RssKey key = key_for(*port);
    if (key.empty() && !rss_key_.empty()) {
      start_warnings_.push_back(
          fmt::format("{}: the device takes no RSS key, --rss-key changes nothing there",
                      name_of(port->facts())));
    }
    if (!key.empty() && !port::has_full_rank(key, port->rss_offered().reta_entries)) {
      start_warnings_.push_back(
          fmt::format("{}: --rss-key does not spread every network over all of the RETA; random "
                      "draws one that does",
                      name_of(port->facts())));
    }
    port->start(pools, key);
  }
}

void LivePorts::listen() {
  for (const auto& port : ports_) {
    if (port->listen()) continue;
    start_warnings_.push_back(
        fmt::format("{}: the device cannot be promiscuous; only frames addressed to it will arrive",
                    name_of(port->facts())));
  }
}

void LivePorts::deafen() {
  for (const auto& port : ports_)
    port->deafen();
}

void LivePorts::stop() {
  for (const auto& port : ports_)
    port->stop();
}

std::string LivePorts::description() const {
  std::string text;
  for (const auto& port : ports_) {
    text += fmt::format("  port {}: preset {}; {}\n", port->facts().port, port->preset().source,
                        describe(port->rss()));
  }
  return text;
}

std::vector<std::string> LivePorts::warnings() const {
  std::vector<std::string> all = start_warnings_;
  for (const auto& port : ports_) {
    const bool elsewhere = port->preset().queues == port::QueuePolicy::all;
    if (port->preset().source.ends_with("default.conf")) {
      all.push_back(fmt::format("{}: there is no preset for this driver, the default is used",
                                name_of(port->facts())));
    }
    for (const std::string& warning : port::warnings(port->rss(), port->queues(), elsewhere))
      all.push_back(fmt::format("{}: {}", name_of(port->facts()), warning));
  }
  return all;
}

}  // namespace pollflow::app
