#include <rte_cycles.h>

#include <array>
#include <utility>

#include "failure.hpp"
#include "subject.hpp"
#include "whole_run.hpp"

namespace pollflow::perf {
namespace {

constexpr int64_t timeout_ms = 15'000;
constexpr uint32_t calls_a_ms = 4;  // a worker polls far more often

// 4 million flows on a clock of its own.
class Ageing {
 public:
  explicit Ageing(const Options& options)
      : flows_(options.flows(4U << 20)),
        source_("sweep"),
        subject_(
            {.name = "sweep",
             .flows_max = flows_ + flows_ / 4,
             .rules = {.inactive_timeout_ms = timeout_ms, .active_timeout_ms = 10 * timeout_ms},
             .drain_cpu = 1}) {
    sequence_ = one_packet_flows(4 * size_t{flows_});
    source_.follow(sequence_, Hashes::spread);
    for (int64_t age_ms = 0; age_ms < timeout_ms; ++age_ms) {
      ++now_ms_;
      begin_flows(static_cast<uint64_t>(flows_) * static_cast<uint64_t>(age_ms + 1) / timeout_ms);
    }
  }

  // The cycles of one second's sweep, and how many flows left. Who takes the records does not
  // count.
  std::pair<uint64_t, uint64_t> second() {
    const size_t before = subject_.table().flows();
    uint64_t cycles = 0;
    for (int64_t ms = 0; ms < 1000; ++ms) {
      ++now_ms_;
      const uint64_t begin = rte_rdtsc();
      for (uint32_t call = 0; call < calls_a_ms; ++call)
        subject_.worker().process({{}, {}, now_ms_, packet::LinkType::ethernet, 1});
      cycles += rte_rdtsc() - begin;
      subject_.pop();
    }
    const uint64_t left = before - subject_.table().flows();
    begin_flows(begun_ + left);
    return {cycles, left};
  }

  [[nodiscard]] const flow::Lateness& lateness() const { return subject_.table().lateness(); }

 private:
  void begin_flows(uint64_t until) {
    std::array<int64_t, port::burst_packets_max> arrival_ms;
    arrival_ms.fill(now_ms_);
    while (begun_ < until) {
      port::Burst burst = source_.receive();
      burst.now_ms = now_ms_;
      burst.arrival_ms = arrival_ms;
      subject_.worker().process(burst);
      begun_ += burst.packets.size();
    }
    subject_.worker().settle();
  }

  uint32_t flows_;
  Source source_;
  Subject subject_;
  Sequence sequence_;
  uint64_t begun_ = 0;
  int64_t now_ms_ = 1'700'000'000'000;
};

int64_t latest_ms(const flow::Lateness& lateness) {
  int64_t bound_ms = 0;
  for (size_t i = 0; i < lateness.bounds_ms.size(); ++i)
    if (lateness.counts[i] != 0) bound_ms = lateness.bounds_ms[i];
  return lateness.counts.back() != 0 ? INT64_MAX : bound_ms;
}

}  // namespace

Samples sweep_case(const Options& options) {
  Ageing ageing(options);
  ageing.second();
  Samples samples;
  for (unsigned round = 0; round < options.rounds; ++round) {
    const auto [cycles, flows] = ageing.second();
    samples["share"].push_back(static_cast<double>(cycles) / static_cast<double>(rte_get_tsc_hz()));
    samples["flows"].push_back(static_cast<double>(flows));
  }
  const int64_t late_ms = latest_ms(ageing.lateness());
  if (late_ms > flow::expiry_lateness_ms_max)
    throw Failure(ExitCode::failed, "the sweep was late by more than a second");
  samples["late_ms"].push_back(static_cast<double>(late_ms));
  return samples;
}

}  // namespace pollflow::perf
