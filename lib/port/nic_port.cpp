#include "port/nic_port.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "failure.hpp"

namespace pollflow::port {
namespace {

// Ethernet header, two VLAN tags and the frame check sequence around an MTU's worth of payload.
constexpr uint32_t frame_overhead_bytes = RTE_ETHER_HDR_LEN + 2 * 4 + RTE_ETHER_CRC_LEN;
constexpr uint16_t max_queues_polled = 1024;

int on_event(uint16_t, rte_eth_event_type event, void* events, void*) {
  auto* const of_port = static_cast<NicPort::Events*>(events);
  if (event == RTE_ETH_EVENT_INTR_LSC) ++of_port->link;
  if (event == RTE_ETH_EVENT_INTR_RMV) of_port->removed = true;
  return 0;
}

std::string device_name(uint16_t port) {
  std::array<char, RTE_ETH_NAME_MAX_LEN> name{};
  return rte_eth_dev_get_name_by_port(port, name.data()) == 0 ? name.data() : "?";
}

std::string speed(uint32_t mbps) {
  if (mbps == RTE_ETH_SPEED_NUM_NONE || mbps == RTE_ETH_SPEED_NUM_UNKNOWN) return "";
  return mbps >= 1000 ? fmt::format(", {:g} Gbit/s", mbps / 1000.0)
                      : fmt::format(", {} Mbit/s", mbps);
}

// IFF_* of a kernel interface; nullopt when there is none, or no more.
std::optional<int> kernel_flags(unsigned if_index) {
  ifreq request{};
  if (if_indextoname(if_index, request.ifr_name) == nullptr) return std::nullopt;
  const int any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int result = ioctl(any_socket, SIOCGIFFLAGS, &request);
  close(any_socket);
  return result == 0 ? std::optional<int>(request.ifr_flags) : std::nullopt;
}

// Drivers that sit on a kernel interface (net_af_packet, for one) say that their link is always up.
NicPort::Link kernel_link(unsigned if_index) {
  const std::optional<int> flags = kernel_flags(if_index);
  if (!flags) return {.up = false, .text = "down: the kernel's interface is gone", .gone = true};
  const bool up = (*flags & IFF_RUNNING) != 0;
  return {.up = up, .text = up ? "up" : "down"};
}

uint16_t data_room(uint32_t frame_bytes) {
  const uint32_t bytes = std::max<uint32_t>(frame_bytes + RTE_PKTMBUF_HEADROOM,  //
                                            RTE_MBUF_DEFAULT_BUF_SIZE);
  return static_cast<uint16_t>(std::min<uint32_t>((bytes + 63) / 64 * 64, UINT16_MAX));
}

}  // namespace

NicPort::NicPort(uint16_t id, const DriverPreset& preset)
    : preset_(preset), facts_{.port = id, .device = device_name(id)} {
  look_at_device(ask());
}

rte_eth_dev_info NicPort::ask() const {
  rte_eth_dev_info info{};
  must(rte_eth_dev_info_get(facts_.port, &info), "asking what it can do");
  return info;
}

void NicPort::look_at_device(const rte_eth_dev_info& info) {
  facts_.driver = info.driver_name;
  kernel_if_index_ = info.if_index;
  facts_.node = rte_eth_dev_socket_id(facts_.port);
  offloads_ = preset_.offloads & info.rx_offload_capa;
  rss_types_ = preset_.rss_types & info.flow_type_rss_offloads;
  const bool spreads = rss_types_ != 0 && info.max_rx_queues > 1;
  const uint16_t most = std::clamp<uint16_t>(info.max_rx_queues, 1, max_queues_polled);
  facts_.queues_min = preset_.queues == QueuePolicy::all ? most : uint16_t{1};
  facts_.power_of_two = preset_.queues == QueuePolicy::power_of_two;
  facts_.queues_max = preset_.queues == QueuePolicy::all ||  //
                              (preset_.queues != QueuePolicy::one && spreads)
                          ? most
                          : uint16_t{1};
  rss_key_bytes_ = rss_types_ == 0 ? 0 : info.hash_key_size;
  reta_entries_ = rss_types_ == 0 || !preset_.reta ? 0 : info.reta_size;

  uint16_t descriptors = preset_.rx_descriptors;
  if (rte_eth_dev_adjust_nb_rx_tx_desc(facts_.port, &descriptors, nullptr) != 0)
    descriptors = std::clamp(descriptors, info.rx_desc_lim.nb_min, info.rx_desc_lim.nb_max);
  facts_.descriptors = descriptors;

  if (rte_eth_dev_get_mtu(facts_.port, &mtu_) != 0) mtu_ = RTE_ETHER_MTU;
  if (preset_.mtu) mtu_ = std::min(*preset_.mtu, std::max(info.max_mtu, info.min_mtu));
  const bool chains = (offloads_ & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
  mbuf_bytes_ = data_room(std::max(info.min_rx_bufsize, chains ? 0 : mtu_ + frame_overhead_bytes));
}

NicPort::~NicPort() {
  stop();
  for (const auto event : {RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_INTR_RMV})
    rte_eth_dev_callback_unregister(facts_.port, event, on_event, &events_);
  rte_eth_dev_close(facts_.port);
}

void NicPort::must(int result, const std::string& step) const {
  if (result >= 0) return;
  throw Failure(ExitCode::no_device,
                fmt::format("{}: {} failed ({}); preset {} was used, other values may be given by "
                            "--driver-config",
                            name_of(facts_), step, rte_strerror(-result), preset_.source));
}

RssGrant NicPort::rss_offered() const noexcept {
  return {.types = rss_types_,
          .hash_delivered = (offloads_ & RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0,
          .key_bytes = rss_key_bytes_,
          .reta_entries = reta_entries_};
}

void NicPort::start(std::span<rte_mempool* const> pool_of_queue, const RssKey& key) {
  queues_ = static_cast<uint16_t>(pool_of_queue.size());
  rss_key_ = key;
  configure(queues_);
  for (const auto event : {RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_INTR_RMV})
    rte_eth_dev_callback_register(facts_.port, event, on_event, &events_);
  set_up_queues(pool_of_queue);
  // Some devices know their RETA only once they are configured.
  if (rss_types_ != 0 && preset_.reta) reta_entries_ = ask().reta_size;
  rte_eth_stats_reset(facts_.port);
  must(rte_eth_dev_start(facts_.port), "starting");
  started_ = true;
  rss_ = rss_offered();
  if (rss_.types == 0) return;
  // Devices take a RETA only once they are started; until listen() hardly a frame arrives.
  if (reta_entries_ > 0) rss_.reta_even = write_even_reta(facts_.port, reta_entries_, queues_);
  read_back(facts_.port, rss_key_, rss_);
}

// Nothing is ever sent. But net_vhost receives nothing without a transmit queue and does not say
// so, net_tap wants as many as it receives on, others have none; and some devices offer interrupts
// that they then refuse.
void NicPort::configure(uint16_t queues) {
  int result = -1;
  for (const uint16_t tx_queues : {uint16_t{1}, queues, uint16_t{0}}) {
    for (const bool interrupts : {true, false}) {
      result = try_configure(queues, tx_queues, interrupts);
      if (result != 0) continue;
      set_up_tx_queues(tx_queues);
      set_mtu();
      return;
    }
  }
  must(result, fmt::format("configuring {} receive queues, MTU {}, RSS on {}", queues, mtu_,
                           rss_type_names(rss_types_)));
}

int NicPort::try_configure(uint16_t queues, uint16_t tx_queues, bool interrupts) {
  const rte_eth_dev_info info = ask();
  rte_eth_conf conf{};
  conf.rxmode.mtu = mtu_;
  conf.rxmode.offloads = offloads_;
  if (rss_types_ != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf = {.rss_key = rss_key_.empty() ? nullptr : rss_key_.data(),
                                 .rss_key_len = static_cast<uint8_t>(rss_key_.size()),
                                 .rss_hf = rss_types_};
  }
  conf.intr_conf.lsc = interrupts && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
  conf.intr_conf.rmv = interrupts && (*info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
  return rte_eth_dev_configure(facts_.port, queues, tx_queues, &conf);
}

void NicPort::set_up_tx_queues(uint16_t queues) {
  uint16_t few_descriptors = 512;
  rte_eth_dev_adjust_nb_rx_tx_desc(facts_.port, nullptr, &few_descriptors);
  for (uint16_t queue = 0; queue < queues; ++queue) {
    must(rte_eth_tx_queue_setup(facts_.port, queue, few_descriptors,
                                static_cast<unsigned>(SOCKET_ID_ANY), nullptr),
         fmt::format("setting up transmit queue {}", queue));
  }
}

// Most drivers take the MTU from their configuration; net_ena, for one, wants to be told. One that
// does not take it goes on with what it has, and counts longer frames as errors.
void NicPort::set_mtu() noexcept {
  if (preset_.mtu) rte_eth_dev_set_mtu(facts_.port, mtu_);
}

void NicPort::set_up_queues(std::span<rte_mempool* const> pool_of_queue) {
  rte_eth_rxconf conf = ask().default_rxconf;
  conf.offloads = offloads_;
  for (uint16_t queue = 0; queue < queues_; ++queue) {
    must(rte_eth_rx_queue_setup(facts_.port, queue, facts_.descriptors,
                                static_cast<unsigned>(facts_.node), &conf, pool_of_queue[queue]),
         fmt::format("setting up receive queue {} with {} descriptors", queue, facts_.descriptors));
  }
}

bool NicPort::listen() noexcept {
  if (!preset_.promiscuous) return true;
  // A kernel interface may be so by somebody else's wish.
  was_promiscuous_ = (kernel_flags(kernel_if_index_).value_or(0) & IFF_PROMISC) != 0;
  rte_eth_allmulticast_enable(facts_.port);
  return rte_eth_promiscuous_enable(facts_.port) == 0;
}

void NicPort::deafen() noexcept {
  if (!preset_.promiscuous || was_promiscuous_) return;
  rte_eth_allmulticast_disable(facts_.port);
  rte_eth_promiscuous_disable(facts_.port);
}

void NicPort::stop() noexcept {
  if (!started_) return;
  started_ = false;
  at_stop_ = count();
  rte_eth_dev_stop(facts_.port);  // also when it is gone: else its driver cannot be closed
}

std::optional<NicPort::Link> NicPort::link() const {
  if (kernel_if_index_ != 0) return kernel_link(kernel_if_index_);
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(facts_.port, &link) != 0) return std::nullopt;
  std::string text =
      link.link_status == RTE_ETH_LINK_UP ? "up" + speed(link.link_speed) : std::string("down");
  return Link{.up = link.link_status == RTE_ETH_LINK_UP, .text = std::move(text)};
}

void NicPort::look_for_removal() noexcept {
  if (rte_eth_dev_is_removed(facts_.port) == 1) events_.removed = true;
}

std::optional<NicPort::Counted> NicPort::count() const noexcept {
  rte_eth_stats stats{};
  if (rte_eth_stats_get(facts_.port, &stats) != 0) return std::nullopt;
  return Counted{.received = stats.ipackets,
                 .missed = stats.imissed,
                 .errored = stats.ierrors,
                 .no_buffer = stats.rx_nombuf};
}

flow::PortCounters NicPort::counters(uint64_t received) const {
  flow::PortCounters counters{.port = facts_.port, .driver = facts_.driver, .received = received};
  const std::optional<Counted> device = started_ ? count() : at_stop_;
  if (!device) return counters;
  if (device->received > received) counters.undelivered = device->received - received;
  // A device that has been unplugged counts no more, or from 0 again; virtual ones count their
  // first queues only.
  const bool counts_all = queues_ <= RTE_ETHDEV_QUEUE_STAT_CNTRS && !events_.removed;
  if (device->received < received && counts_all)
    counters.overdelivered = received - device->received;
  counters.missed = device->missed + counters.undelivered;
  counters.errored = device->errored;
  counters.rx_nombuf = device->no_buffer;
  return counters;
}

}  // namespace pollflow::port
