#include <barrier>
#include <thread>

#include "cases.hpp"
#include "subject.hpp"
#include "whole_run.hpp"

namespace pollflow::perf {
namespace {

constexpr uint32_t flows_each = 1U << 20;

// One worker, its source and its packets, on a CPU of its own.
class Lane {
 public:
  Lane(const std::string& name, const Options& options)
      : flows_(options.flows(flows_each)),
        source_(name),
        subject_({.name = name, .flows_max = flows_, .rules = {}}),
        sequence_(uniform(options.slice(), flows_)) {
    run();
  }

  double run() {
    const double cycles = cycles_of([this] {
      feed(source_, sequence_, Hashes::spread,
           [this](const port::Burst& burst) { subject_.worker().process(burst); });
      subject_.worker().settle();
    });
    packets_ += sequence_.size();
    return cycles / static_cast<double>(sequence_.size());
  }
  void must_be_exact() { subject_.must_be_exact(source_, packets_); }

 private:
  uint32_t flows_;
  Source source_;
  Subject subject_;
  Sequence sequence_;
  uint64_t packets_ = 0;
};

}  // namespace

Samples two_workers_case(const Options& options) {
  Lane first("first", options);
  Lane second("second", options);
  Samples samples;
  for (unsigned round = 0; round < options.rounds; ++round) {
    samples["alone"].push_back(first.run());
    std::barrier together(2);
    double beside = 0;
    std::thread other([&] {
      pin_to(1);
      together.arrive_and_wait();
      beside = second.run();
    });
    together.arrive_and_wait();
    samples["first"].push_back(first.run());
    other.join();
    samples["second"].push_back(beside);
  }
  first.must_be_exact();
  second.must_be_exact();
  return samples;
}

}  // namespace pollflow::perf
