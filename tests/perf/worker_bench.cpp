// What a packet costs a worker lcore, in TSC cycles, beside what the source of packets costs, what
// memory alone costs, and what DPDK's hash table would cost. Prints JSON: for each case one sample
// of each a round. tests/perf/bench.py makes a table of it, scripts/bench runs both.
//
//   worker_bench [--tiny] [--rounds N] [--only NAME]

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "library_worker.hpp"
#include "memory.hpp"
#include "pipeline/free_frames.hpp"
#include "raw_floor.hpp"
#include "source.hpp"
#include "subject.hpp"
#include "traffic.hpp"

namespace pollflow::perf {
namespace {

constexpr int64_t never_ms = 3'600'000;
constexpr std::array<size_t, 5> looks_ahead = {8, 16, 32, 64, 128};

struct Options {
  bool tiny = false;
  unsigned rounds = 7;
  std::string only;

  // Packets of a slice: some tens of milliseconds.
  [[nodiscard]] size_t slice() const { return (tiny ? 4 : 256) * size_t{Source::mbufs}; }
  // Flows of a case, or in the tiny run enough to have walked every path.
  [[nodiscard]] uint32_t flows(uint32_t number) const {
    return tiny ? std::min(number, 16U << 10) : number;
  }
};

struct Case {
  std::string name;
  size_t flows_max;
  Sequence warm;      // whole rounds of the mbufs
  Sequence measured;  // a slice for each round
  Hashes hashes = Hashes::spread;
  bool library = false;
  bool drain = false;
};

using Samples = std::map<std::string, std::vector<double>>;

// This thread's processor time in TSC cycles: what it waited for the processor does not count.
double cycles_now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  const double seconds = static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  return seconds * static_cast<double>(rte_get_tsc_hz());
}

template <typename Consume>
double cycles_per_packet(size_t packets, Consume consume) {
  const double begin = cycles_now();
  consume();
  return (cycles_now() - begin) / static_cast<double>(packets);
}

template <typename Process>
void feed(Source& source, std::span<const uint32_t> flows, Hashes hashes, Process process) {
  source.follow(flows, hashes);
  for (size_t fed = 0; fed < flows.size();) {
    const port::Burst burst = source.receive();
    process(burst);
    fed += burst.packets.size();
  }
}

// Flows 0 to flows - 1 once each, and the first again to fill a round of the mbufs.
Sequence each_once(uint32_t flows) {
  const size_t packets = (flows + Source::mbufs - 1) / Source::mbufs * size_t{Source::mbufs};
  Sequence sequence(packets);
  for (size_t i = 0; i < packets; ++i)
    sequence[i] = static_cast<uint32_t>(i % flows);
  return sequence;
}

size_t best_look_ahead(RawFloor& raw, std::span<const uint32_t> flows) {
  return *std::ranges::min_element(looks_ahead, {}, [&](size_t ahead) {
    return cycles_per_packet(flows.size(), [&] { raw.run(flows, ahead); });
  });
}

class Run {
 public:
  Run(const Case& setting, Source& source, const Options& options)
      : setting_(setting),
        source_(source),
        slice_(options.slice()),
        subject_({.name = setting.name,
                  .flows_max = setting.flows_max,
                  .rules = {.inactive_timeout_ms = never_ms, .active_timeout_ms = never_ms},
                  .drain_cpu = setting.drain ? 1 : -1}),
        raw_memory_(setting.flows_max / 4 * 5 * sizeof(RawFloor::Line)),
        raw_(raw_memory_.bytes()) {
    if (setting.library) library_ = std::make_unique<LibraryWorker>(setting.flows_max / 4 * 5);
  }

  Samples measure() {
    warm();
    const size_t ahead = best_look_ahead(raw_, slice(0));
    for (size_t round = 0; round < setting_.measured.size() / slice_; ++round)
      take_round(slice(round), ahead);
    subject_.must_be_exact(source_, packets_);
    if (library_ && library_->accounted() != source_.ip(packets_))
      throw Failure(ExitCode::failed, "rte_hash in our place: totals differ");
    samples_["look ahead"].push_back(static_cast<double>(ahead));
    return std::move(samples_);
  }
  [[nodiscard]] const char* pages() const { return subject_.memory().pages(); }

 private:
  [[nodiscard]] std::span<const uint32_t> slice(size_t round) const {
    return std::span(setting_.measured).subspan(round * slice_, slice_);
  }

  void warm() {
    for_worker(setting_.warm);
    for_library(setting_.warm);
    raw_.run(setting_.warm, looks_ahead.back());
  }

  void take_round(std::span<const uint32_t> flows, size_t ahead) {
    const auto sample = [&](const char* name, auto consume) {
      samples_[name].push_back(cycles_per_packet(flows.size(), consume));
    };
    sample("null", [&] {
      feed(source_, flows, setting_.hashes,
           [](const port::Burst& burst) { pipeline::free_frames(burst.packets); });
    });
    sample("worker", [&] { for_worker(flows); });
    if (library_) sample("library", [&] { for_library(flows); });
    sample("raw", [&] { raw_.run(flows, ahead); });
  }

  void for_worker(std::span<const uint32_t> flows) {
    feed(source_, flows, setting_.hashes,
         [this](const port::Burst& burst) { subject_.worker().process(burst); });
    subject_.worker().settle();
    packets_ += flows.size();
  }
  void for_library(std::span<const uint32_t> flows) {
    if (!library_) return;
    feed(source_, flows, setting_.hashes,
         [this](const port::Burst& burst) { library_->process(burst); });
  }

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

void print(std::string_view name, std::string_view pages, const Samples& samples) {
  static bool first = true;
  fmt::print("{}  {{\"name\": \"{}\", \"pages\": \"{}\", \"samples\": {{", first ? "" : ",\n", name,
             pages);
  first = false;
  bool comma = false;
  for (const auto& [what, values] : samples) {
    fmt::print("{}\"{}\": [{:.2f}]", comma ? ", " : "", what, fmt::join(values, ", "));
    comma = true;
  }
  fmt::print("}}}}");
  std::fflush(stdout);
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options), source_("source") {}

  void run() {
    for (const uint32_t flows : {1U << 10, 64U << 10, 100'000U, 1U << 20, 4U << 20, 16U << 20})
      uniform_case(fmt::format("uniform {}", flows), flows, Hashes::spread);
    uniform_case("hashes equal", 1U << 20, Hashes::equal);
    uniform_case("hashes of one queue", 1U << 20, Hashes::one_queue);
    const uint32_t million = options_.flows(1U << 20);
    take("zipf", [&] {
      return Case{.name = "zipf",
                  .flows_max = million,
                  .warm = each_once(million),
                  .measured = zipf(packets(), million)};
    });
    take("campus", [&] { return campus_case(million); });
    take("one-packet flows", [&] {
      Sequence all = one_packet_flows(2 * size_t{million} + packets());
      return split({.name = "one-packet flows", .flows_max = million, .drain = true}, all,
                   2 * million);
    });
    take("twice the flows", [&] {
      return Case{.name = "twice the flows",
                  .flows_max = million,
                  .warm = each_once(2 * million),
                  .measured = uniform(packets(), 2 * million),
                  .drain = true};
    });
  }

 private:
  [[nodiscard]] size_t packets() const { return options_.rounds * options_.slice(); }

  void uniform_case(const std::string& name, uint32_t wanted, Hashes hashes) {
    const uint32_t flows = options_.flows(wanted);
    take(name, [&] {
      return Case{.name = name,
                  .flows_max = flows,
                  .warm = each_once(flows),
                  .measured = uniform(packets(), flows),
                  .hashes = hashes,
                  .library = wanted == 1U << 20 && hashes == Hashes::spread};
    });
  }

  // Half of the table's flows under way at once; those that are over stay in it for a while.
  Case campus_case(uint32_t flows) const {
    const size_t warm = 4 * size_t{flows};
    Sequence all = campus(warm + packets(), flows);
    return split({.name = "campus", .flows_max = 2 * flows}, all, warm);
  }

  static Case split(Case setting, const Sequence& all, size_t warm) {
    setting.warm.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(warm));
    setting.measured.assign(all.begin() + static_cast<ptrdiff_t>(warm), all.end());
    return setting;
  }

  template <typename Make>
  void take(const std::string& name, Make make) {
    if (!options_.only.empty() && name.find(options_.only) == std::string::npos) return;
    const Case setting = make();
    Run run(setting, source_, options_);
    const Samples samples = run.measure();
    print(name, run.pages(), samples);
  }

  Options options_;
  Source source_;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--tiny") {
      options.tiny = true;
      options.rounds = 2;
    } else if (argument == "--rounds" && i + 1 < argc) {
      options.rounds = static_cast<unsigned>(std::stoul(argv[++i]));
    } else if (argument == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    } else {
      throw Failure(ExitCode::usage, "worker_bench [--tiny] [--rounds N] [--only NAME]");
    }
  }
  return options;
}

bool huge_pages_free() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string word; meminfo >> word;) {
    uint64_t pages = 0;
    if (word == "HugePages_Free:" && meminfo >> pages) return pages >= 512;
  }
  return false;
}

void start_eal() {
  std::vector<const char*> eal = {
      "bench", "--no-pci", "--no-telemetry", "--log-level=error", "-m", "600", "-l", "0"};
  eal.push_back(huge_pages_free() ? "--in-memory" : "--no-huge");
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0)
    throw Failure(ExitCode::no_device, "EAL does not start");
}

}  // namespace
}  // namespace pollflow::perf

int main(int argc, char** argv) {
  using namespace pollflow;
  try {
    const perf::Options options = perf::parse(argc, argv);
    perf::start_eal();
    fmt::print("{{\"tsc_hz\": {}, \"cases\": [\n", rte_get_tsc_hz());
    perf::Bench(options).run();
    fmt::print("\n]}}\n");
    return 0;
  } catch (const Failure& failure) {
    fmt::print(stderr, "worker_bench: {}\n", failure.what());
    return static_cast<int>(failure.code);
  }
}
