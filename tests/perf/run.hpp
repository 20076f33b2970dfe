#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "library_worker.hpp"
#include "measure.hpp"
#include "memory.hpp"
#include "raw_floor.hpp"
#include "subject.hpp"

namespace pollflow::perf {

struct Case {
  std::string name;
  size_t flows_max;
  Sequence warm;      // whole rounds of the mbufs
  Sequence measured;  // a slice for each round
  Hashes hashes = Hashes::spread;
  bool with_rte_hash = false;  // in our place, too
  bool drain = false;          // records leave the ring meanwhile, on the second CPU
};

// One case: in each round the same packets through the source alone, the worker, memory alone and,
// if wanted, a worker with rte_hash.
class Run {
 public:
  Run(const Case& setting, Source& source, const Options& options);

  // Throws Failure, with the difference, where totals are not exact.
  Samples measure();
  [[nodiscard]] const char* pages() const { return subject_.memory().pages(); }

 private:
  [[nodiscard]] std::span<const uint32_t> slice(size_t round) const;
  [[nodiscard]] size_t best_look_ahead();
  void warm();
  void take_round(std::span<const uint32_t> flows, size_t ahead);
  void for_worker(std::span<const uint32_t> flows);
  void for_library(std::span<const uint32_t> flows);

  const Case& setting_;
  Source& source_;
  size_t slice_;
  Subject subject_;
  Memory raw_memory_;
  RawFloor raw_;
  std::unique_ptr<LibraryWorker> library_;
  uint64_t packets_ = 0;  // that the worker has had
  Samples samples_;
};

}  // namespace pollflow::perf
