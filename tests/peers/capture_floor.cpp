// What reading a capture through DPDK costs by itself, the floor for `pollflow --read`: net_pcap's
// one queue in bursts of 64, each packet counted and freed.
//
//   capture_floor FILE.pcap    packets N octets N cpu_seconds S process_cpu_seconds S
//
// octets: of frames. cpu_seconds: from before the first burst to behind the last;
// process_cpu_seconds: since the process began, EAL's start and end included. Exit 64 without a
// file, 66 when it is no capture or a damaged one, 69 when EAL or the port does not start.
#include <fcntl.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cpu_clock.hpp"

namespace {

constexpr uint16_t port = 0;
constexpr uint16_t burst_packets = 64;
// As pollflow has it: a burst of packets of 256 KiB, each in a chain of mbufs, and the lcore's
// cache.
constexpr unsigned cached_mbufs = 256;
constexpr unsigned pool_mbufs =
    burst_packets * (262144 / RTE_MBUF_DEFAULT_DATAROOM + 1) + 2 * cached_mbufs;

struct Count {
  uint64_t packets = 0;
  uint64_t octets = 0;
};

[[noreturn]] void end(int code, const std::string& sentence) {
  fmt::print(stderr, "capture_floor: {}\n", sentence);
  std::exit(code);
}

// Like pollflow's one lcore, free to run on any CPU.
std::string allowed_cpus() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof(set), &set);
  std::string list;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) list += fmt::format("{}{}", list.empty() ? "" : ",", cpu);
  }
  return list;
}

// The driver takes the descriptor's name, since commas in a path would be its own.
void start_eal(char* program, const std::string& file_name) {
  const int file = open(file_name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) end(66, fmt::format("{}: there is no such capture", file_name));
  std::vector<std::string> arguments = {program,
                                        "--no-huge",
                                        "--no-shconf",
                                        "--no-pci",
                                        "--no-telemetry",
                                        "--log-level=error",
                                        "-m",
                                        "64",
                                        "--lcores",
                                        fmt::format("0@({})", allowed_cpus()),
                                        "--vdev",
                                        fmt::format("net_pcap0,rx_pcap=/proc/self/fd/{}", file)};
  std::vector<char*> words;
  for (std::string& argument : arguments)
    words.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(words.size()), words.data()) < 0)
    end(69, "EAL did not start; its own lines say why");
  if (rte_eth_dev_count_avail() == 0) end(66, fmt::format("{}: not a capture", file_name));
}

void start_port() {
  rte_mempool* pool = rte_pktmbuf_pool_create("floor", pool_mbufs, cached_mbufs, 0,
                                              RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  const rte_eth_conf conf{};
  const bool started = pool != nullptr && rte_eth_dev_configure(port, 1, 0, &conf) == 0 &&
                       rte_eth_rx_queue_setup(port, 0, 512, 0, nullptr, pool) == 0 &&
                       rte_eth_dev_start(port) == 0;
  if (!started) end(69, "the port of the capture does not start");
}

Count receive_all() {
  Count count;
  std::array<rte_mbuf*, burst_packets> packets{};
  while (const uint16_t received = rte_eth_rx_burst(port, 0, packets.data(), burst_packets)) {
    for (uint16_t i = 0; i < received; ++i)
      count.octets += packets[i]->pkt_len;
    count.packets += received;
    rte_pktmbuf_free_bulk(packets.data(), received);
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) end(64, "name one capture: capture_floor FILE.pcap");
  start_eal(argv[0], argv[1]);
  start_port();
  const uint64_t began_us = pollflow::perf::cpu_us();
  const Count count = receive_all();
  const uint64_t ended_us = pollflow::perf::cpu_us();
  rte_eth_stats stats{};
  rte_eth_stats_get(port, &stats);
  if (stats.ierrors > 0 || stats.rx_nombuf > 0)
    end(66, fmt::format("{}: damaged behind packet {}", argv[1], count.packets));
  rte_eth_dev_stop(port);
  rte_eth_dev_close(port);
  rte_eal_cleanup();
  fmt::print("packets {} octets {} cpu_seconds {:.6f} process_cpu_seconds {:.6f}\n", count.packets,
             count.octets, static_cast<double>(ended_us - began_us) / 1e6,
             static_cast<double>(pollflow::perf::cpu_us()) / 1e6);
  return 0;
}
