#include "port/port_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pollflow::port {
namespace {

constexpr uint64_t link_wait_ns = 9'000'000'000;  // what autonegotiation may take
constexpr uint64_t enough_packets = 1000;         // to judge RSS by
constexpr uint64_t spread_wait_ns = 3'000'000'000;

}  // namespace

std::vector<std::string> PortWatch::look(std::span<const QueueReport> queues,
                                         uint64_t monotonic_ns) {
  if (began_ns_ == 0) began_ns_ = monotonic_ns;
  news_.clear();
  port_.look_for_removal();
  if (port_.removed()) {
    link_up_ = false;
    tell_once(unplugged, "the device is gone; what it delivered before is kept, other ports go on");
  } else {
    look_at_link(monotonic_ns);
    look_for_loss();
    look_at_rss(queues, monotonic_ns);
  }
  return std::exchange(news_, {});
}

void PortWatch::look_at_link(uint64_t monotonic_ns) {
  const auto link = port_.link();
  if (!link) return;
  const uint32_t events = port_.link_events();
  const bool flapped = events != std::exchange(link_events_, events) && link_up_ == link->up;
  if (!link_up_ && !link->gone) {
    if (link->up || monotonic_ns - began_ns_ > link_wait_ns) link_up_ = link->up;
    if (link_up_ == false) tell_once(no_link, "no link so far; check cable, optics and far end");
  } else if (link_up_ != link->up) {
    link_up_ = link->up;
    tell(fmt::format("link is {}", link->text));
  } else if (flapped) {
    tell(fmt::format("link changed and is {} again", link->text));
  }
}

void PortWatch::look_for_loss() {
  counters_ = port_.counters(UINT64_MAX);
  if (counters_.missed > 0) {
    tell_once(missing,
              fmt::format("the device misses packets ({} so far): workers do not keep up; give EAL "
                          "more lcores, or the queues more descriptors",
                          counters_.missed));
  }
  if (counters_.rx_nombuf > 0) {
    tell_once(no_buffers,
              fmt::format("{} times the device had no packet buffer to fill", counters_.rx_nombuf));
  }
}

void PortWatch::look_at_rss(std::span<const QueueReport> queues, uint64_t monotonic_ns) {
  const RssGrant& rss = port_.rss();
  if (rss.types == 0) return;
  uint64_t accounted = 0;
  uint64_t hashed = 0;
  uint64_t packets = 0;
  uint64_t busiest = 0;
  for (const QueueReport& queue : queues) {
    packets += queue.packets;
    busiest = std::max(busiest, queue.packets);
    accounted += queue.accounted;
    hashed += queue.nic_hashed;
  }
  if (rss.hash_delivered && hashed == 0 && accounted >= enough_packets) {
    tell_once(no_hash,
              fmt::format("the device promised its RSS hash with each packet, yet none of {} had "
                          "one; it is computed in software",
                          accounted));
  }
  // A thousand packets may come within a millisecond: time to see another queue's is given, too.
  if (packets > 0 && first_packets_ns_ == 0) first_packets_ns_ = monotonic_ns;
  const bool long_enough = packets > 0 && monotonic_ns - first_packets_ns_ >= spread_wait_ns;
  if (queues.size() > 1 && busiest == packets && packets >= enough_packets && long_enough) {
    tell_once(one_queue,
              fmt::format("all of {} packets came on one of {} queues: they are of one pair of "
                          "addresses, or the device does not do the RSS that it granted",
                          packets, queues.size()));
  }
}

void PortWatch::tell(const std::string& sentence) {
  news_.push_back(fmt::format("{}: {}", name_of(port_.facts()), sentence));
}

void PortWatch::tell_once(Once what, const std::string& sentence) {
  const unsigned bit = 1U << what;
  if ((told_ & bit) == 0) tell(sentence);
  told_ |= bit;
}

}  // namespace pollflow::port
