#pragma once

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "port/driver_preset.hpp"
#include "support/catch.hpp"

namespace pollflow::test {

// A virtual device for the length of a test.
class Vdev {
 public:
  explicit Vdev(const std::string& name, const std::string& arguments = "") : name_(name) {
    REQUIRE(rte_vdev_init(name.c_str(), arguments.c_str()) == 0);
    REQUIRE(rte_eth_dev_get_port_by_name(name.c_str(), &port_) == 0);
  }
  Vdev(const Vdev&) = delete;
  Vdev& operator=(const Vdev&) = delete;
  ~Vdev() { rte_vdev_uninit(name_.c_str()); }

  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  std::string name_;
  uint16_t port_ = 0;
};

class Pool {
 public:
  Pool()
      : pool_(rte_pktmbuf_pool_create("nic_port_test", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                      SOCKET_ID_ANY)) {
    REQUIRE(pool_ != nullptr);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { rte_mempool_free(pool_); }

  [[nodiscard]] std::vector<rte_mempool*> times(size_t queues) const {
    return std::vector<rte_mempool*>(queues, pool_);
  }

 private:
  rte_mempool* pool_;
};

inline port::DriverPreset preset_with(uint64_t rss_types,
                                      port::QueuePolicy queues = port::QueuePolicy::workers) {
  port::DriverPreset preset;
  preset.rss_types = rss_types;
  preset.offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH | RTE_ETH_RX_OFFLOAD_SCATTER;
  preset.queues = queues;
  preset.rx_descriptors = 512;
  return preset;
}

inline constexpr uint64_t usual_types =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;

}  // namespace pollflow::test
