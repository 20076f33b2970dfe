#pragma once

#include <fmt/format.h>
#include <rte_memory.h>

#include <array>
#include <optional>
#include <vector>

#include "pipeline/export_loop.hpp"
#include "support/catch.hpp"
#include "support/export_records.hpp"
#include "support/scripted_kernel.hpp"
#include "support/udp_listener.hpp"
#include "support/v5_reader.hpp"

namespace pollflow::test {

// An export loop whose collectors are sockets of this program, and whose kernel is scripted.
class RowsFixture {
 public:
  explicit RowsFixture(size_t collectors = 1, pipeline::ExportLoop::Options with = {})
      : listeners_(collectors), ring_("rows_test", SOCKET_ID_ANY), rings_{&ring_} {
    for (const Listener& listener : listeners_)
      outputs_.collectors.emplace_back(
          exporter::CollectorAddress{"127.0.0.1", fmt::to_string(listener.port())});
    with.boot_ms = boot_ms;
    loop.emplace(with, rings_, outputs_);
    scripted_sends.clear();
    scripted_rows.clear();
    sends_passed_on = rows_passed_on = 0;
  }

  void push(const flow::Record& record) { ring_.push({&record, 1}); }
  void push(unsigned count, int64_t left_ms = start_ms) {
    for (; count > 0; --count)
      push(numbered_record(left_ms, pushed_++));
  }

  // To the end, in turns of a millisecond of the monotonic clock.
  void finish(int64_t now_ms, uint64_t now_ns = 1000 * second_ns) {
    for (int turns = 0; !loop->finish(now_ms, now_ns); now_ns += 1'000'000)
      REQUIRE(++turns < 10'000);
  }

  // What has come since the last time, as it came.
  std::vector<Bytes> bytes(size_t listener = 0) const {
    std::vector<Bytes> all;
    while (!listeners_[listener].silent())
      all.push_back(listeners_[listener].receive());
    return all;
  }
  // Likewise, read. Fails unless the numbers of records go on from `first` in order, and sequences
  // with them.
  std::vector<V5Datagram> in_order(uint32_t first = 0, size_t listener = 0) const {
    std::vector<V5Datagram> datagrams;
    for (const Bytes& each : bytes(listener)) {
      datagrams.push_back(read_v5(each));
      REQUIRE(datagrams.back().flow_sequence == first);
      for (const auto& flow : datagrams.back().flows)
        REQUIRE(flow.src_addr == first++);
    }
    return datagrams;
  }
  exporter::Collector::Counters collector(size_t number = 0) const {
    return outputs_.collectors[number].counters();
  }
  bool adds_up() const {
    const auto counters = loop->counters();
    return counters.taken == counters.in_datagram + counters.sent + counters.lost_send_failed;
  }

  std::optional<pipeline::ExportLoop> loop;

 private:
  std::vector<Listener> listeners_;
  pipeline::ExpiryRing ring_;
  std::array<pipeline::ExpiryRing*, 1> rings_;
  pipeline::Outputs outputs_;
  uint32_t pushed_ = 0;
};

}  // namespace pollflow::test
