#include "sim/collector_view.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace pollflow::test {
namespace {

void want(bool good, const V5Datagram& datagram, const char* what) {
  if (good) return;
  throw std::runtime_error(fmt::format("datagram of sequence {} and SysUptime {}: {}",
                                       datagram.flow_sequence, datagram.sys_uptime, what));
}

packet::FlowKey key_of(const V5Flow& flow) {
  return {.src = flow.src_addr,
          .dst = flow.dst_addr,
          .src_port = flow.src_port,
          .dst_port = flow.dst_port,
          .in_if = flow.input,
          .protocol = flow.protocol,
          .tos = flow.tos};
}

// 32 bits of milliseconds run round: which of two is later is told by the shorter way.
bool in_order(uint32_t earlier, uint32_t later) {
  return static_cast<int32_t>(later - earlier) >= 0;
}

// Unix time minus SysUptime, modulo 2^32 milliseconds.
uint32_t base_of(const V5Datagram& datagram) {
  const uint64_t unix_ms = uint64_t{datagram.unix_secs} * 1000 + datagram.unix_nsecs / 1'000'000;
  return static_cast<uint32_t>(unix_ms) - datagram.sys_uptime;
}

void add(Sums& sums, const std::vector<V5Flow>& flows) {
  for (const V5Flow& flow : flows)
    sums[key_of(flow)] += {flow.packets, flow.octets};
}

}  // namespace

flow::RecordTally tally_of(const std::vector<V5Flow>& flows) {
  flow::RecordTally tally;
  for (const V5Flow& flow : flows)
    tally.add({flow.packets, flow.octets});
  return tally;
}

void CollectorView::take(std::span<const uint8_t> bytes) {
  const V5Datagram datagram = read_v5(bytes);
  check_header(datagram);
  ++datagrams_;
  received_ += enter(datagram);
  gaps_ += datagram.flow_sequence - next_;
  next_ = datagram.flow_sequence + datagram.count;
}

void CollectorView::lose(std::span<const uint8_t> bytes) {
  ++datagrams_lost_;
  lost_ += enter(read_v5(bytes));
}

void CollectorView::refuse(std::span<const uint8_t> bytes) {
  V5Datagram datagram = read_v5(bytes);
  refused_.try_emplace(datagram.flow_sequence, std::move(datagram.flows));
}

flow::RecordTally CollectorView::enter(const V5Datagram& datagram) {
  refused_.erase(datagram.flow_sequence);
  for (const V5Flow& flow : datagram.flows)
    check_flow(datagram, flow);
  add(sums_, datagram.flows);
  return tally_of(datagram.flows);
}

void CollectorView::check_header(const V5Datagram& datagram) {
  want(datagram.count <= records_max_, datagram, "more records than --max-records");
  want(in_order(next_, datagram.flow_sequence), datagram, "sequence goes back");
  want(!uptime_ms_ || in_order(*uptime_ms_, datagram.sys_uptime), datagram, "SysUptime goes back");
  want(datagram.unix_nsecs < 1'000'000'000, datagram, "a second has no more nanoseconds");
  const uint32_t base_ms = base_of(datagram);
  if (base_ms_ && *base_ms_ != base_ms) ++base_changes_;
  base_ms_ = base_ms;
  uptime_ms_ = datagram.sys_uptime;
}

// Tables of routes are numbered by the next hop that they give to all.
void CollectorView::check_flow(const V5Datagram& datagram, const V5Flow& flow) {
  want(flow.next_hop >= next_hop_, datagram, "routes that were replaced are in force again");
  next_hop_ = flow.next_hop;
  want(flow.packets > 0, datagram, "a flow without packets");
  want(flow.octets >= flow.packets, datagram, "a flow with fewer octets than packets");
  want(in_order(flow.first, flow.last), datagram, "Last is before First");
  want(in_order(flow.last, datagram.sys_uptime), datagram, "SysUptime is before Last");
}

Sums CollectorView::sums() const {
  Sums all = sums_;
  for (const auto& [sequence, flows] : refused_)
    add(all, flows);
  return all;
}

}  // namespace pollflow::test
