// Sends the mixture of mix.hpp out of a kernel interface, at a rate, and prints what the kernel
// took of it as JSON, in the words of pollflow's ledger.
//
//   soak_traffic --interface NAME [--rate N] [--seconds S] [--seed N] [--burst N --burst-every S]
//
//   --rate N         frames a second; 0, the default: as many as can be sent
//   --seconds S      for so long (1), or until SIGTERM
//   --burst N        so many at once, each --burst-every S
#include <fmt/format.h>
#include <getopt.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "pace.hpp"
#include "sender.hpp"

namespace pollflow::soak {
namespace {

constexpr int exit_usage = 64;
constexpr uint64_t second_ns = 1'000'000'000;
constexpr std::chrono::microseconds pause{100};

struct Options {
  std::string interface;
  uint64_t rate = 0;
  uint64_t seconds = 1;
  uint64_t seed = 1;
  uint64_t burst = 0;
  uint64_t burst_every_s = 0;
};

volatile std::sig_atomic_t stopped = 0;

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

Options parse(int argc, char** argv) {
  static const option names[] = {{"interface", required_argument, nullptr, 'i'},
                                 {"rate", required_argument, nullptr, 'r'},
                                 {"seconds", required_argument, nullptr, 's'},
                                 {"seed", required_argument, nullptr, 'n'},
                                 {"burst", required_argument, nullptr, 'b'},
                                 {"burst-every", required_argument, nullptr, 'e'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  for (int name = 0; (name = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    const auto number = [] { return std::stoull(optarg); };
    switch (name) {
      case 'i':
        options.interface = optarg;
        break;
      case 'r':
        options.rate = number();
        break;
      case 's':
        options.seconds = number();
        break;
      case 'n':
        options.seed = number();
        break;
      case 'b':
        options.burst = number();
        break;
      case 'e':
        options.burst_every_s = number();
        break;
      default:
        std::exit(exit_usage);
    }
  }
  return options;
}

struct Run {
  uint64_t ns = 0;
  uint64_t latest_ns = 0;  // longest time from one look at the clock to the next
  uint64_t forgiven = 0;
};

Run send_paced(Sender& sender, const Options& options) {
  const uint64_t began_ns = now_ns();
  Pace pace(options.rate, began_ns);
  Run run;
  uint64_t bursts = 0;
  uint64_t before_ns = began_ns;
  while (stopped == 0) {
    const uint64_t at_ns = now_ns();
    run.ns = at_ns - began_ns;
    run.latest_ns = std::max(run.latest_ns, at_ns - before_ns);
    before_ns = at_ns;
    if (run.ns >= options.seconds * second_ns) break;
    sender.send(pace.due(at_ns));
    if (options.burst_every_s != 0 && run.ns / second_ns / options.burst_every_s > bursts) {
      ++bursts;
      sender.send(options.burst);
    }
    if (options.rate != 0) std::this_thread::sleep_for(pause);
  }
  run.forgiven = pace.forgiven();
  return run;
}

nlohmann::json as_json(const Count& count) {
  return {{"packets", count.packets}, {"octets", count.octets}};
}

nlohmann::json as_json(const Sent& sent, const Run& run) {
  using packet::Fate;
  const Count& accounted = sent.seen[packet::index_of(Fate::accounted)];
  nlohmann::json skipped;
  for (size_t fate = 0; fate < packet::fate_count; ++fate) {
    if (fate != packet::index_of(Fate::accounted))
      skipped[std::string(packet::fate_names[fate])] = as_json(sent.seen[fate]);
  }
  return {{"frames", sent.frames},
          {"packets", sent.packets()},
          {"accounted",
           {{"packets", accounted.packets},
            {"octets", sent.ipv4_octets},
            {"frame_octets", accounted.octets}}},
          {"skipped", std::move(skipped)},
          {"seconds", static_cast<double>(run.ns) / 1e9},
          {"longest_pause_ms", static_cast<double>(run.latest_ns) / 1e6},
          {"forgiven", run.forgiven},
          {"refused", sent.refused}};
}

}  // namespace
}  // namespace pollflow::soak

int main(int argc, char** argv) {
  using namespace pollflow::soak;
  try {
    const Options options = parse(argc, argv);
    std::signal(SIGTERM, [](int) { stopped = 1; });
    prctl(PR_SET_TIMERSLACK, 1UL);  // else each pause is longer by half
    Sender sender(options.interface, options.seed);
    const Run run = send_paced(sender, options);
    fmt::print("{}\n", as_json(sender.sent(), run).dump());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "soak_traffic: {}\n", error.what());
    return 1;
  }
}
