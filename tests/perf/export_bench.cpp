// How the export lcore compares with a bare loop that sends as many equal datagrams, made
// beforehand, to the same sink: send against send, GSO against GSO. TSC cycles per record.
//
//   export_bench [--json] [--tiny] [--rounds N] [--cpu N]
//
// The subjects take turns within each round, in one process, on one CPU. Pushing records onto the
// ring is the workers' work and is not timed. What was sent, what the collector counts and what the
// sink counts must be equal, or there is no figure (exit 1).

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bare_sender.hpp"
#include "counting_sink.hpp"
#include "pipeline/export_loop.hpp"

using namespace pollflow;

namespace {

constexpr unsigned records_each = netflow::v5_records_max;
constexpr size_t datagram_bytes =
    sizeof(netflow::V5Header) + records_each * sizeof(netflow::V5Record);
// Three batches, which a ring holds.
constexpr unsigned load_datagrams = 3 * perf::BareSender::batch_max;
constexpr unsigned load_records = load_datagrams * records_each;
static_assert(load_records <= pipeline::ExpiryRing::records_max);

constexpr int64_t now_ms = 1'700'000'000'000;

struct Settings {
  bool json = false;
  bool tiny = false;
  unsigned rounds = 7;
  unsigned loads = 300;  // of each subject in a round
  unsigned cpu = 0;
};

// What one slice of work took, and what the kernel took of it.
struct Slice {
  uint64_t cycles = 0;
  uint64_t datagrams = 0;
};

// True while the kernel shall seem to know no UDP_SEGMENT: so a collector sends one by one.
bool without_gso = false;

std::vector<flow::Record> prebuilt_records() {
  std::vector<flow::Record> records;
  for (uint32_t i = 0; i < load_records; ++i) {
    records.push_back({.key = {.src = 0x0a000000 + i,
                               .dst = 0xc0a80000 + i * 7,
                               .src_port = static_cast<uint16_t>(1024 + i),
                               .dst_port = 443,
                               .in_if = 1,
                               .protocol = 6,
                               .tos = 0},
                       .packets = i + 1,
                       .octets = 100 * (i + 1),
                       .first_ms = now_ms - 20'000 - i,
                       .last_ms = now_ms - 16'000 - i,
                       .left_ms = now_ms,
                       .tcp_flags = 0x1b,
                       .reason = flow::EndReason::idle});
  }
  return records;
}

// An export lcore's loop with its ring and its collector.
class Exporter {
 public:
  Exporter(const std::string& name, const perf::CountingSink& sink)
      : ring_(name, SOCKET_ID_ANY), rings_{&ring_}, records_(prebuilt_records()) {
    outputs_.collectors.emplace_back(exporter::CollectorAddress{"127.0.0.1", sink.port()});
    loop_.emplace(pipeline::ExportLoop::Options{.boot_ms = now_ms - 1'000'000}, rings_, outputs_);
  }

  Slice run(unsigned loads) {
    Slice slice;
    const uint64_t sent = outputs_.collectors[0].counters().datagrams_sent;
    for (unsigned load = 0; load < loads; ++load) {
      ring_.push(records_);
      const uint64_t settled = loop_->settled_records() + load_records;
      const uint64_t begin = rte_rdtsc_precise();
      while (loop_->settled_records() < settled)
        loop_->turn(now_ms, begin);
      slice.cycles += rte_rdtsc_precise() - begin;
    }
    slice.datagrams = outputs_.collectors[0].counters().datagrams_sent - sent;
    return slice;
  }

 private:
  pipeline::ExpiryRing ring_;
  std::array<pipeline::ExpiryRing*, 1> rings_;
  pipeline::Outputs outputs_;
  std::optional<pipeline::ExportLoop> loop_;
  std::vector<flow::Record> records_;
};

Slice timed(unsigned loads, const std::function<uint64_t(uint64_t)>& send) {
  Slice slice;
  for (unsigned load = 0; load < loads; ++load) {
    const uint64_t begin = rte_rdtsc_precise();
    slice.datagrams += send(load_datagrams);
    slice.cycles += rte_rdtsc_precise() - begin;
  }
  return slice;
}

struct Subject {
  const char* name;
  std::function<Slice(unsigned)> run;
  std::vector<double> samples = {};  // cycles per record, one a round

  [[nodiscard]] double median() const { return quantile(0.5); }
  [[nodiscard]] double quantile(double part) const {
    std::vector<double> sorted = samples;
    std::ranges::sort(sorted);
    return sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
  }
};

// One slice of a subject; what went out and what came in add up, or it throws.
double sample(const Subject& subject, unsigned loads, perf::CountingSink& sink) {
  const uint64_t before = sink.total();
  const Slice slice = subject.run(loads);
  const uint64_t wanted = uint64_t{loads} * load_datagrams;
  // The loopback may hand over the last of them a moment later.
  const uint64_t deadline = rte_rdtsc() + rte_get_tsc_hz();
  uint64_t arrived = sink.total() - before;
  while (arrived < wanted && rte_rdtsc() < deadline)
    arrived = sink.total() - before;
  if (slice.datagrams != wanted || arrived != wanted)
    throw std::runtime_error(
        fmt::format("{}: of {} datagrams the kernel took {} and {} arrived; no figure",
                    subject.name, wanted, slice.datagrams, arrived));
  return static_cast<double>(slice.cycles) / static_cast<double>(wanted * records_each);
}

void print_json(const Settings& settings, const std::vector<Subject>& subjects) {
  std::string samples;
  for (const Subject& subject : subjects) {
    samples += fmt::format("{}\"{}\":[{:.3f}]", samples.empty() ? "" : ",", subject.name,
                           fmt::join(subject.samples, ","));
  }
  fmt::print(
      "{{\"unit\":\"tsc_cycles_per_record\",\"tsc_hz\":{},\"rounds\":{},\"records_per_sample\":{},"
      "\"records_per_datagram\":{},\"samples\":{{{}}}}}\n",
      rte_get_tsc_hz(), settings.rounds, settings.loads * load_records, records_each, samples);
}

void print_table(const std::vector<Subject>& subjects) {
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  fmt::print("{:<14} {:>14} {:>18} {:>12}\n", "", "cycles/record", "of the rounds", "records/s");
  for (const Subject& subject : subjects) {
    fmt::print("{:<14} {:>14.1f} {:>8.1f} .. {:<6.1f} {:>12.0f}\n", subject.name, subject.median(),
               subject.quantile(0), subject.quantile(1), hz / subject.median());
  }
  const auto ratio = [&](size_t bare, size_t exported) {
    Subject each{.name = "", .run = {}};
    for (size_t i = 0; i < subjects[bare].samples.size(); ++i)
      each.samples.push_back(subjects[bare].samples[i] / subjects[exported].samples[i]);
    fmt::print("{} reaches {:.3f} of {} (rounds {:.3f} .. {:.3f})\n", subjects[exported].name,
               each.median(), subjects[bare].name, each.quantile(0), each.quantile(1));
  };
  ratio(0, 1);
  ratio(2, 3);
}

void run(const Settings& settings) {
  perf::CountingSink sink;
  perf::BareSender bare(sink.address(), datagram_bytes);
  Exporter single("bench_single", sink);
  Exporter batches("bench_batches", sink);
  std::vector<Subject> subjects;
  subjects.push_back({.name = "bare_send", .run = [&](unsigned loads) {
                        return timed(loads, [&](uint64_t n) { return bare.send_each(n); });
                      }});
  subjects.push_back({.name = "export_send", .run = [&](unsigned loads) {
                        without_gso = true;
                        const Slice slice = single.run(loads);
                        without_gso = false;
                        return slice;
                      }});
  subjects.push_back({.name = "bare_gso", .run = [&](unsigned loads) {
                        return timed(loads, [&](uint64_t n) { return bare.send_segmented(n); });
                      }});
  subjects.push_back(
      {.name = "export_gso", .run = [&](unsigned loads) { return batches.run(loads); }});
  for (const Subject& subject : subjects)
    sample(subject, 2, sink);  // caches, and the collector that learns that there is no GSO
  for (unsigned round = 0; round < settings.rounds; ++round) {
    for (Subject& subject : subjects)
      subject.samples.push_back(sample(subject, settings.loads, sink));
  }
  if (settings.json) {
    print_json(settings, subjects);
  } else {
    print_table(subjects);
  }
}

unsigned last_cpu() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  unsigned last = 0;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) last = cpu;
  }
  return last;
}

Settings settings_of(int argc, char** argv) {
  Settings settings{.cpu = last_cpu()};
  const auto number = [&](int& i) {
    unsigned value = 0;
    const std::string_view text = i + 1 < argc ? argv[++i] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > 10'000)
      throw std::runtime_error(fmt::format("{}: a number up to 10000 is wanted", argv[i - 1]));
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--json") {
      settings.json = true;
    } else if (option == "--tiny") {
      settings.tiny = true;
    } else if (option == "--rounds") {
      settings.rounds = std::max(1U, number(i));
    } else if (option == "--cpu") {
      settings.cpu = number(i);
    } else {
      throw std::runtime_error(fmt::format(
          "{}: no such option; there are --json, --tiny, --rounds N and --cpu N", option));
    }
  }
  if (settings.tiny) settings.rounds = 2, settings.loads = 3;
  return settings;
}

void start_eal(unsigned cpu) {
  const std::string lcores = fmt::format("0@{}", cpu);
  std::array<const char*, 10> eal = {
      "export_bench", "--no-huge", "--no-shconf",       "--no-telemetry", "--no-pci",
      "-m",           "64",        "--log-level=error", "--lcores",       lcores.c_str()};
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0)
    throw std::runtime_error("EAL does not start");
}

}  // namespace

// Takes the place of the C library's in this program, so that a kernel without GSO can be had.
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  if (without_gso && message->msg_controllen > 0) {
    errno = EINVAL;
    return -1;
  }
  return syscall(SYS_sendmsg, socket, message, flags);
}

int main(int argc, char** argv) {
  try {
    const Settings settings = settings_of(argc, argv);
    start_eal(settings.cpu);
    run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "export_bench: {}\n", error.what());
    return 1;
  }
  rte_eal_cleanup();
  return 0;
}
