#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "route/resolve.hpp"

namespace pollflow::route {

// The prefix table in force in a live run: one lcore looks up in it without a lock, while control
// threads read new ones and exchange them.
//
//   control thread   read, build ── offered ──>              <── taken ── free the old one
//   export lcore                     take(), once a turn: from here on the new one
//
// Costs: two tables at once during an exchange. Failure mode: what cannot be read or has no memory
// throws, and the table in force stays.
class LiveTable {
 public:
  struct About {
    std::string source;  // empty: there is no table
    uint64_t routes = 0;
    int64_t loaded_ms = 0;  // Unix
    uint64_t failures = 0;  // loads that left the table as it was
  };

  explicit LiveTable(const PortPairs& pairs) : pairs_(pairs) {}

  // Tables to come are built on this NUMA node (-1: any, as without it). Before the run.
  void build_on(int node) noexcept { node_ = node; }

  // A control thread: reads and builds (some seconds for a million routes), then returns once the
  // export lcore has taken it, or the run is over. An empty source: no routes. Throws Failure.
  void load(const std::string& source);
  // Likewise, of what has been read already; before the run, when nobody takes it yet.
  void begin_with(const std::string& source, std::span<const Route> routes);

  // A control thread.
  [[nodiscard]] About about() const;
  void resolve(std::span<const packet::FlowKey> keys, std::span<flow::Routing> out) const;

  // Before the first turn of the export lcore, and after its last one.
  void open() noexcept { open_.store(true, std::memory_order_release); }
  void close() noexcept { open_.store(false, std::memory_order_release); }

  // The export lcore: the table for this turn, which is good until the next call.
  const RouteTable* take() noexcept {
    const RouteTable* offered = offered_.load(std::memory_order_acquire);
    if (offered != taken_.load(std::memory_order_relaxed))
      taken_.store(offered, std::memory_order_release);
    return offered;
  }

 private:
  void exchange(std::unique_ptr<RouteTable> table, About about);

  PortPairs pairs_;
  int node_ = -1;
  std::mutex loading_;          // one at a time
  mutable std::mutex current_;  // of the two below; held for moments
  std::unique_ptr<RouteTable> table_;
  About about_;
  std::atomic<const RouteTable*> offered_ = nullptr;
  std::atomic<const RouteTable*> taken_ = nullptr;
  std::atomic<bool> open_ = false;
};

}  // namespace pollflow::route
