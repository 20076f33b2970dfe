#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exporter/collector.hpp"
#include "flow/expiry.hpp"
#include "netflow/assembler.hpp"
#include "port/rss_key.hpp"
#include "route/port_pairs.hpp"

namespace pollflow::app {

inline constexpr size_t flows_min = 1;
inline constexpr size_t flows_max = size_t{1} << 30;
// A flow's times must be told apart within half of SysUptime's 32 bits of milliseconds.
inline constexpr int64_t timeout_s_max = INT32_MAX / 1000;

using PortMap = std::map<uint16_t, uint16_t>;  // port -> ifindex, or another port

// What the command line and the configuration file ask for; docs/reference/options.md.
struct Options {
  bool help = false;
  bool version = false;
  bool check_config = false;
  std::string config;  // file, empty: none

  std::string read;  // capture file, empty: none
  std::vector<exporter::CollectorAddress> collectors;
  std::string flows_out;                              // file, "-" standard output, empty: none
  std::string ledger;                                 // likewise
  std::optional<exporter::CollectorAddress> metrics;  // where Prometheus finds the counters

  flow::ExpiryRules expiry;
  size_t flows = size_t{1} << 20;
  netflow::AssemblerOptions assembler;
  PortMap ifindex;                       // by port
  std::string routes;                    // file, "kernel", empty: none
  PortMap pairs;                         // each port's partner, both ways
  std::optional<unsigned> export_lcore;  // absent: the plan's choice
  port::RssKey rss_key;                  // empty: drawn at random
  std::string driver_config;             // folder, empty: the presets built in
  bool dry_run = false;
  int64_t export_delay_ms = 1000;
  uint64_t export_rate = 0;             // records per second, 0: no limit
  std::optional<uint64_t> hash_secret;  // absent: 0 with --read, else drawn at random
  bool hash_random = false;             // drawn at random also with --read
  bool skip_own_export = true;          // on live ports
  std::string user;                     // to become after start, empty: none
  bool seccomp = true;                  // where it was built in

  // Input ifindex of a port.
  [[nodiscard]] uint16_t in_if(uint16_t port) const;
  // The pairs by ifindex.
  [[nodiscard]] route::PortPairs port_pairs() const;
};

// A command line taken apart: EAL's part stands before "--".
struct CommandLine {
  std::vector<std::string> arguments;  // all of them, to be read again on a reload
  std::vector<std::string> eal;
  bool has_eal = false;  // there was a "--"
  Options options;
};

// Reads the command line and the configuration file it names; throws Failure (usage or
// configuration) with the option, what is wrong with its value, and what would be right.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

// Throws Failure when options that are each right do not go together. Once more after the outputs
// were created, two names may turn out to be one file.
void check_together(const Options& options);

// What --help prints.
std::string help_text();

}  // namespace pollflow::app
