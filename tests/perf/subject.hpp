#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "flow/flow_table.hpp"
#include "memory.hpp"
#include "pipeline/expiry_ring.hpp"
#include "pipeline/worker.hpp"
#include "source.hpp"

namespace pollflow::perf {

// A worker as a run has it, and who takes its records from the ring meanwhile: the second CPU.
class Subject {
 public:
  struct Options {
    std::string name;
    size_t flows_max;
    flow::ExpiryRules rules;
    int drain_cpu = -1;  // -1: records wait in the ring until exact()
  };

  explicit Subject(const Options& options);
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject();

  [[nodiscard]] pipeline::Worker& worker() noexcept { return worker_; }
  [[nodiscard]] const flow::FlowTable& table() const noexcept { return table_; }
  [[nodiscard]] const Memory& memory() const noexcept { return memory_; }

  // Takes the records from the ring, where no drain_cpu does.
  void pop() noexcept;

  // Flushes, and compares: all these packets of the source, and their octets, came back in records
  // or were counted as lost. Throws Failure with the difference.
  void must_be_exact(Source& source, uint64_t packets);

 private:
  Memory memory_;
  flow::FlowTable table_;
  pipeline::ExpiryRing ring_;
  pipeline::Worker worker_;
  flow::RecordTally popped_;
  std::atomic<bool> stop_ = false;
  std::thread drainer_;
};

// The calling thread stays on this CPU.
void pin_to(int cpu);

}  // namespace pollflow::perf
