#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pollflow::port {

// How many receive queues a device gets.
enum class QueuePolicy : uint8_t {
  workers,  // one for each worker that serves the port: the NIC's RSS spreads over them
  all,      // every queue the device has: something else spreads, and what is not polled is lost
  power_of_two,  // as workers, rounded down to 1, 2, 4, ...
  one,
};

// What suits one poll-mode driver: drivers-config/README.md.
struct DriverPreset {
  std::string source = "default";  // the file it came from
  uint16_t rx_descriptors = 1024;  // a queue
  uint16_t buffers_per_descriptor = 1;
  uint16_t burst = 64;  // packets asked for at once
  QueuePolicy queues = QueuePolicy::workers;
  uint64_t rss_types = 0;       // RTE_ETH_RSS_* bits to ask for, as far as the device has them
  uint64_t offloads = 0;        // RTE_ETH_RX_OFFLOAD_*, likewise
  std::optional<uint16_t> mtu;  // absent: what the device has
  bool promiscuous = true;
  bool reta = true;  // write the RETA
};

// Takes `text`, lines `key = value`; what it leaves out is as in `base`. `source` names it in
// errors. Throws Failure (configuration).
DriverPreset parse_preset(const std::string& text, const std::string& source,
                          const DriverPreset& base = {});

// The preset of a driver (rte_eth_dev_info's driver_name): FOLDER/DRIVER.conf when `folder` is
// named and has it, else the one built in; what is not
// in there, or in none, is as in FOLDER/default.conf, else as in the built-in default.
DriverPreset preset_for(const std::string& driver, const std::string& folder);

// Names of RSS types as presets write them, for people: "ipv4 ipv4-tcp"; "none" for 0.
std::string rss_type_names(uint64_t types);

}  // namespace pollflow::port
