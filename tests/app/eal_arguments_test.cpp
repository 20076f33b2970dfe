#include "eal_arguments.hpp"

#include <sched.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/catch.hpp"

using pollflow::app::allowed_cpus;
using pollflow::app::CaptureNeeds;
using pollflow::app::eal_arguments;
using pollflow::app::live_eal_arguments;

namespace {

using Arguments = std::vector<std::string>;

constexpr size_t mib = size_t{1} << 20;

CaptureNeeds needs(const Arguments& operator_arguments = {}) {
  return {.vdev = "net_pcap0,rx_pcap=in.pcap",
          .memory_bytes = 100 * mib,
          .cpus = {0},
          .operator_arguments = operator_arguments};
}

// What stands behind `option`; empty when it is not there.
std::string value_of(const Arguments& arguments, const std::string& option) {
  const auto at = std::ranges::find(arguments, option);
  return at == arguments.end() ? "" : *(at + 1);
}

size_t memory_mib(size_t bytes) {
  CaptureNeeds wanted = needs();
  wanted.memory_bytes = bytes;
  return std::stoul(value_of(eal_arguments(wanted), "-m"));
}

// The CPUs of this thread, given back at the end.
class KeepCpus {
 public:
  KeepCpus() { sched_getaffinity(0, sizeof(before_), &before_); }
  KeepCpus(const KeepCpus&) = delete;
  KeepCpus& operator=(const KeepCpus&) = delete;
  ~KeepCpus() { sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_{};
};

}  // namespace

TEST_CASE("the whole vector for a capture, without any argument of the operator's") {
  CHECK(eal_arguments(needs()) == Arguments{"pollflow", "--no-huge", "--no-shconf",
                                            "--no-telemetry", "--no-pci", "-m", "124", "--vdev",
                                            "net_pcap0,rx_pcap=in.pcap", "--lcores", "0@(0)"});
}

TEST_CASE("one lcore runs on any of the CPUs allowed") {
  CaptureNeeds wanted = needs();
  wanted.cpus = {2, 3, 17};
  CHECK(value_of(eal_arguments(wanted), "--lcores") == "0@(2,3,17)");
}

TEST_CASE("memory is asked for in whole MiB, rounded up, with some for EAL itself") {
  const size_t eal_mib = memory_mib(0);
  CHECK(eal_mib >= 16);
  CHECK(memory_mib(1) == eal_mib + 1);
  CHECK(memory_mib(mib - 1) == eal_mib + 1);
  CHECK(memory_mib(mib) == eal_mib + 1);
  CHECK(memory_mib(mib + 1) == eal_mib + 2);
  CHECK(memory_mib((size_t{1} << 40) + 1) == eal_mib + mib + 1);
}

TEST_CASE("the operator's arguments come last, in their order, unchanged") {
  const Arguments given = {"--log-level=debug", "-m", "999", "--file-prefix", "x y", ""};
  const Arguments plain = eal_arguments(needs());
  const Arguments all = eal_arguments(needs(given));
  REQUIRE(all.size() == plain.size() + given.size());
  CHECK(std::equal(plain.begin(), plain.end(), all.begin()));
  CHECK(std::equal(given.begin(), given.end(), all.end() - static_cast<std::ptrdiff_t>(6)));
}

TEST_CASE("an operator who lays out lcores is the only one to do so") {
  for (const Arguments& given :
       {Arguments{"-l", "0,1"}, Arguments{"-l0,1"}, Arguments{"-c", "3"}, Arguments{"-c3"},
        Arguments{"--lcores", "0,1"}, Arguments{"--lcores=0@(0,1)"}, Arguments{"--lcor=0"},
        Arguments{"--log-level=debug", "-l", "0"}}) {
    CAPTURE(given);
    Arguments expected = eal_arguments(needs());
    expected.resize(expected.size() - 2);  // without --lcores and its value
    expected.insert(expected.end(), given.begin(), given.end());
    CHECK(eal_arguments(needs(given)) == expected);
  }
}

TEST_CASE("arguments that only look like a layout of lcores leave ours") {
  for (const Arguments& given :
       {Arguments{"--log-level", "debug"}, Arguments{"--log-level=lib.eal:debug"},
        Arguments{"-d", "driver.so"}, Arguments{"--legacy-mem"}, Arguments{"--main-lcore", "0"},
        Arguments{"-n", "4"}, Arguments{"--file-prefix=c"}}) {
    CAPTURE(given);
    CHECK(value_of(eal_arguments(needs(given)), "--lcores") == "0@(0)");
  }
}

TEST_CASE("live ports on huge pages leave no file of them behind, and nothing else is added") {
  for (const Arguments& given :
       {Arguments{}, Arguments{"-l", "0-3", "-a", "0000:3b:00.0"},
        Arguments{"--file-prefix", "tap"}, Arguments{"--huge-dir=/mnt/huge", "-m", "512"},
        Arguments{"--no-pci", "--no-shconf"}, Arguments{"--huge-worker-stack"}}) {
    CAPTURE(given);
    Arguments expected = {"pollflow", "--huge-unlink=always"};
    expected.insert(expected.end(), given.begin(), given.end());
    CHECK(live_eal_arguments(given, 100 * mib) == expected);
  }
}

TEST_CASE("the operator's own word on the files of huge pages stands, also cut short") {
  for (const Arguments& given :
       {Arguments{"--in-memory"}, Arguments{"--in-m"}, Arguments{"--huge-unlink"},
        Arguments{"--huge-unlink=existing"}, Arguments{"--huge-u=never"},
        Arguments{"--single-file-segments"}, Arguments{"--proc-type=secondary"},
        Arguments{"--proc-type", "auto"}, Arguments{"-l", "0", "--in-memory"}}) {
    CAPTURE(given);
    Arguments expected = {"pollflow"};
    expected.insert(expected.end(), given.begin(), given.end());
    CHECK(live_eal_arguments(given, 100 * mib) == expected);
  }
}

TEST_CASE(
    "without huge pages the memory is asked for, unless the operator did, and no file named") {
  CHECK(live_eal_arguments({"--no-huge"}, 100 * mib) ==
        Arguments{"pollflow", "-m", "124", "--no-huge"});
  CHECK(live_eal_arguments({"--no-huge", "-m", "999"}, 100 * mib) ==
        Arguments{"pollflow", "--no-huge", "-m", "999"});
}

TEST_CASE("the CPUs allowed are those of this thread, ascending") {
  const KeepCpus keep;
  const std::vector<unsigned> cpus = allowed_cpus();
  REQUIRE_FALSE(cpus.empty());
  CHECK(std::ranges::is_sorted(cpus));
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpus.back(), &set);
  REQUIRE(sched_setaffinity(0, sizeof(set), &set) == 0);
  CHECK(allowed_cpus() == std::vector<unsigned>{cpus.back()});
}
