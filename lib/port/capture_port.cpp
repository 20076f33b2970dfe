#include "port/capture_port.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "failure.hpp"
#include "port/time_stamp.hpp"

namespace pollflow::port {
namespace {

// A burst of the largest records that libpcap reads, each in a chain of mbufs, and as many again in
// the lcore's cache: the pool cannot run dry while one burst is held.
constexpr unsigned capture_bytes_max = 262144;
constexpr unsigned segments_max = capture_bytes_max / RTE_MBUF_DEFAULT_DATAROOM + 1;
constexpr unsigned cache_mbufs = 256;
constexpr unsigned pool_mbufs = burst_packets_max * segments_max + 2 * cache_mbufs;
constexpr uint16_t descriptors = 512;  // the driver keeps none, but ethdev wants a number

void must(int result, const char* step) {
  if (result >= 0) return;
  throw Failure(ExitCode::no_device,
                fmt::format("the capture's port: {} failed ({}); this is a fault of "
                            "pollflow or of DPDK's pcap driver, please report it",
                            step, rte_strerror(-result)));
}

}  // namespace

size_t CapturePort::bytes_needed() noexcept {
  constexpr size_t per_mbuf =
      sizeof(rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE + 128;  // with its header
  return pool_mbufs * per_mbuf;
}

CapturePort::CapturePort(uint16_t port_id, packet::LinkType link, uint16_t in_if)
    : port_id_(port_id), link_(link), in_if_(in_if) {
  const int socket = rte_eth_dev_socket_id(port_id);
  pool_ = rte_pktmbuf_pool_create("capture", pool_mbufs, cache_mbufs, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                  socket);
  if (pool_ == nullptr) {
    throw Failure(ExitCode::no_device,
                  fmt::format("no memory for {} packet buffers ({}); give EAL more memory",
                              pool_mbufs, rte_strerror(rte_errno)));
  }
  uint64_t timestamp_flag = 0;
  must(rte_mbuf_dyn_rx_timestamp_register(&timestamp_offset_, &timestamp_flag),
       "registering time stamps");
  const rte_eth_conf conf{};
  must(rte_eth_dev_configure(port_id, 1, 0, &conf), "configuring");
  must(rte_eth_rx_queue_setup(port_id, 0, descriptors, static_cast<unsigned>(socket), nullptr,
                              pool_),
       "setting up its queue");
  must(rte_eth_dev_start(port_id), "starting");
}

CapturePort::~CapturePort() {
  rte_eth_dev_stop(port_id_);
  rte_eth_dev_close(port_id_);
  rte_mempool_free(pool_);
}

Burst CapturePort::receive() noexcept {
  if (ended_) return {{}, {}, now_ms_, link_, in_if_};
  const uint16_t received = rte_eth_rx_burst(port_id_, 0, packets_.data(), burst_packets_max);
  if (received < burst_packets_max) look_for_end(received);
  for (uint16_t i = 0; i < received; ++i) {
    const auto us = *RTE_MBUF_DYNFIELD(packets_[i], timestamp_offset_, const rte_mbuf_timestamp_t*);
    arrival_ms_[i] = arrival_ms(us);
  }
  if (received > 0) now_ms_ = arrival_ms_[received - 1];
  return {{packets_.data(), received}, {arrival_ms_.data(), received}, now_ms_, link_, in_if_};
}

void CapturePort::look_for_end(uint16_t received) noexcept {
  rte_eth_stats stats{};
  rte_eth_stats_get(port_id_, &stats);
  damaged_ = stats.ierrors > 0;
  const bool at_end = received == 0 && stats.rx_nombuf == nombuf_seen_;
  nombuf_seen_ = stats.rx_nombuf;
  ended_ = damaged_ || at_end;
}

flow::PortCounters CapturePort::counters() const {
  rte_eth_stats stats{};
  rte_eth_dev_info info{};
  if (rte_eth_stats_get(port_id_, &stats) != 0 || rte_eth_dev_info_get(port_id_, &info) != 0) {
    throw Failure(ExitCode::failed, fmt::format("port {} does not tell its counters", port_id_));
  }
  return {.port = port_id_,
          .driver = info.driver_name,
          .received = stats.ipackets,
          .missed = stats.imissed,
          .errored = stats.ierrors,
          .rx_nombuf = stats.rx_nombuf};
}

}  // namespace pollflow::port
