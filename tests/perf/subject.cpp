#include "subject.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_pause.h>

#include "failure.hpp"

namespace pollflow::perf {
namespace {

void must_equal(const char* what, uint64_t is, uint64_t should_be) {
  if (is == should_be) return;
  throw Failure(ExitCode::failed, fmt::format("{}: {}, not {}", what, is, should_be));
}

}  // namespace

void pin_to(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  if (pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) != 0)
    throw Failure(ExitCode::failed, fmt::format("there is no CPU {} to run on", cpu));
}

Subject::Subject(const Options& options)
    : memory_(flow::FlowTable::bytes_needed(options.flows_max)),
      table_({.flows_max = options.flows_max, .rules = options.rules, .hash_secret = 1},
             memory_.bytes()),
      ring_(options.name, -1),
      worker_(table_, ring_) {
  if (options.drain_cpu < 0) return;
  drainer_ = std::thread([this, cpu = options.drain_cpu] {
    pin_to(cpu);
    while (!stop_.load(std::memory_order_relaxed)) {
      pop();
      rte_pause();
    }
  });
}

Subject::~Subject() {
  stop_ = true;
  if (drainer_.joinable()) drainer_.join();
}

void Subject::pop() noexcept {
  for (auto records = ring_.front(64); !records.empty(); records = ring_.front(64)) {
    for (const flow::Record& record : records)
      popped_.add(record.carried());
    ring_.drop_front(static_cast<unsigned>(records.size()));
  }
}

void Subject::must_be_exact(Source& source, uint64_t packets) {
  const flow::Tally frames = source.frames(packets);
  const flow::Tally ip = source.ip(packets);
  const port::Burst end = source.nothing();
  worker_.process(end);
  worker_.settle();
  stop_ = true;
  if (drainer_.joinable()) drainer_.join();
  const flow::WorkerCounters& counters = worker_.counters();
  const flow::RecordTally live = table_.walk();
  must_equal("live packets, walked", live.carried.packets, table_.held().carried.packets);
  must_equal("live octets, walked", live.carried.octets, table_.held().carried.octets);
  do {
    pop();
  } while (!worker_.flush(end.now_ms));
  pop();
  must_equal("packets received", counters.received.packets, packets);
  must_equal("octets received", counters.received.octets, frames.octets);
  must_equal("packets accounted", counters.accounted.packets, packets);
  must_equal("octets accounted", counters.accounted.octets, ip.octets);
  const flow::RecordTally all = popped_ + counters.lost_sum();
  must_equal("records", all.records, counters.created().records);
  must_equal("packets in records", all.carried.packets, packets);
  must_equal("octets in records", all.carried.octets, ip.octets);
  if (!source.all_freed()) throw Failure(ExitCode::failed, "not every mbuf was freed");
}

}  // namespace pollflow::perf
