// How the export lcore compares with a bare loop that sends as many equal datagrams, made
// beforehand, to the same sink: send against send, GSO against GSO. TSC cycles per record.
//
//   export_bench [--json] [--tiny] [--rounds N] [--cpu N]
//
// The subjects take turns, 132 datagrams each, in one process on one CPU; a round's sample is the
// median of its turns, so that a moment that the CPU was somebody else's does not count. Pushing
// records onto the ring is the workers' work and is not timed. What was sent, what the collector
// counts and what the sink counts must be equal, or there is no figure (exit 1).

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bare_sender.hpp"
#include "counting_sink.hpp"
#include "pipeline/export_loop.hpp"

using namespace pollflow;

namespace {

constexpr unsigned records_each = netflow::v5_records_max;
constexpr size_t datagram_bytes =
    sizeof(netflow::V5Header) + records_each * sizeof(netflow::V5Record);
// Three rows as full as they go, which a ring holds.
constexpr unsigned load_datagrams = 3 * perf::BareSender::batch_max;
constexpr unsigned load_records = load_datagrams * records_each;
static_assert(load_records <= pipeline::ExpiryRing::records_max);

constexpr int64_t now_ms = 1'700'000'000'000;

struct Settings {
  bool json = false;
  unsigned rounds = 7;
  unsigned turns = 300;  // of each subject in a round
  unsigned cpu = 0;
};

// What the 132 datagrams took, and how many of them the kernel took.
struct Turn {
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

  Turn send_load() {
    const uint64_t sent = outputs_.collectors[0].counters().datagrams_sent;
    const uint64_t settled = loop_->settled_records() + load_records;
    ring_.push(records_);
    const uint64_t begin = rte_rdtsc_precise();
    while (loop_->settled_records() < settled)
      loop_->turn(now_ms, begin);
    const uint64_t cycles = rte_rdtsc_precise() - begin;
    return {cycles, outputs_.collectors[0].counters().datagrams_sent - sent};
  }

 private:
  pipeline::ExpiryRing ring_;
  std::array<pipeline::ExpiryRing*, 1> rings_;
  pipeline::Outputs outputs_;
  std::optional<pipeline::ExportLoop> loop_;
  std::vector<flow::Record> records_;
};

template <typename Send>
Turn timed(Send send) {
  const uint64_t begin = rte_rdtsc_precise();
  const uint64_t datagrams = send(load_datagrams);
  return {rte_rdtsc_precise() - begin, datagrams};
}

double quantile(std::vector<double> values, double part) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

struct Subject {
  const char* name;
  std::function<Turn()> send_load;
  std::vector<double> turns = {};    // of this round, cycles per record
  std::vector<double> samples = {};  // one a round
};

// One turn of a subject; what went out and what came in add up, or it throws.
void take_turn(Subject& subject, perf::CountingSink& sink) {
  const uint64_t before = sink.total();
  const Turn turn = subject.send_load();
  // The loopback may hand over the last of them a moment later.
  const uint64_t deadline = rte_rdtsc() + rte_get_tsc_hz();
  uint64_t arrived = sink.total() - before;
  while (arrived < load_datagrams && rte_rdtsc() < deadline)
    arrived = sink.total() - before;
  if (turn.datagrams != load_datagrams || arrived != load_datagrams)
    throw std::runtime_error(
        fmt::format("{}: of {} datagrams the kernel took {} and {} arrived; no figure",
                    subject.name, load_datagrams, turn.datagrams, arrived));
  subject.turns.push_back(static_cast<double>(turn.cycles) / load_records);
}

void print_json(const Settings& settings, const std::vector<Subject>& subjects) {
  std::string samples;
  for (const Subject& subject : subjects) {
    samples += fmt::format("{}\"{}\":[{:.3f}]", samples.empty() ? "" : ",", subject.name,
                           fmt::join(subject.samples, ","));
  }
  fmt::print(
      "{{\"unit\":\"tsc_cycles_per_record\",\"tsc_hz\":{},\"rounds\":{},\"turns_per_sample\":{},"
      "\"records_per_turn\":{},"
      "\"records_per_datagram\":{},\"samples\":{{{}}}}}\n",
      rte_get_tsc_hz(), settings.rounds, settings.turns, load_records, records_each, samples);
}

void print_table(const std::vector<Subject>& subjects) {
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  fmt::print("{:<14} {:>14} {:>18} {:>12}\n", "", "cycles/record", "of the rounds", "records/s");
  for (const Subject& subject : subjects) {
    const double median = quantile(subject.samples, 0.5);
    fmt::print("{:<14} {:>14.1f} {:>8.1f} .. {:<6.1f} {:>12.0f}\n", subject.name, median,
               quantile(subject.samples, 0), quantile(subject.samples, 1), hz / median);
  }
  const auto print_ratio = [](const Subject& bare, const Subject& exporter) {
    std::vector<double> ratios;
    for (size_t i = 0; i < bare.samples.size(); ++i)
      ratios.push_back(bare.samples[i] / exporter.samples[i]);
    fmt::print("{} reaches {:.3f} of {} (rounds {:.3f} .. {:.3f})\n", exporter.name,
               quantile(ratios, 0.5), bare.name, quantile(ratios, 0), quantile(ratios, 1));
  };
  print_ratio(subjects[0], subjects[1]);
  print_ratio(subjects[2], subjects[3]);
}

void run(const Settings& settings) {
  perf::CountingSink sink;
  perf::BareSender bare(sink.address(), datagram_bytes);
  Exporter single("bench_single", sink);
  Exporter rows("bench_rows", sink);
  std::vector<Subject> subjects;
  subjects.push_back(
      {"bare_send", [&] { return timed([&](uint64_t count) { return bare.send_each(count); }); }});
  subjects.push_back({"export_send", [&] {
                        without_gso = true;
                        const Turn turn = single.send_load();
                        without_gso = false;
                        return turn;
                      }});
  subjects.push_back({"bare_gso", [&] {
                        return timed([&](uint64_t count) { return bare.send_segmented(count); });
                      }});
  subjects.push_back({"export_gso", [&] { return rows.send_load(); }});
  for (unsigned round = 0; round < settings.rounds; ++round) {
    for (unsigned turn = 0; turn < settings.turns; ++turn) {
      for (Subject& subject : subjects)
        take_turn(subject, sink);
    }
    for (Subject& subject : subjects)
      subject.samples.push_back(quantile(std::exchange(subject.turns, {}), 0.5));
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
  const auto number = [&](std::string_view option, int& i) {
    unsigned value = 0;
    const std::string_view text = i + 1 < argc ? argv[++i] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > 10'000)
      throw std::runtime_error(fmt::format("{}: a number up to 10000 is wanted", option));
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--json") {
      settings.json = true;
    } else if (option == "--tiny") {
      settings.rounds = 2;
      settings.turns = 3;
    } else if (option == "--rounds") {
      settings.rounds = std::max(1U, number(option, i));
    } else if (option == "--cpu") {
      settings.cpu = number(option, i);
    } else {
      throw std::runtime_error(fmt::format(
          "{}: no such option; there are --json, --tiny, --rounds N and --cpu N", option));
    }
  }
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
