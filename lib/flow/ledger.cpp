#include "flow/ledger.hpp"

#include <fmt/format.h>

#include <numeric>

namespace pollflow::flow {
namespace {

RecordTally sum(const RecordsByReason& tallies) noexcept {
  return std::accumulate(tallies.begin(), tallies.end(), RecordTally{});
}

class Checker {
 public:
  void check(std::string_view what, uint64_t left, std::string_view equals, uint64_t right) {
    if (left == right) return;
    broken_.push_back(fmt::format("{} is {}, but {} is {}", what, left, equals, right));
  }
  void check(std::string_view what, const Tally& left, std::string_view equals,
             const Tally& right) {
    check(fmt::format("{} (packets)", what), left.packets, equals, right.packets);
    check(fmt::format("{} (octets)", what), left.octets, equals, right.octets);
  }
  void check(std::string_view what, const RecordTally& left, std::string_view equals,
             const RecordTally& right) {
    check(fmt::format("{} (records)", what), left.records, equals, right.records);
    check(what, left.carried, equals, right.carried);
  }
  std::vector<std::string> broken() && { return std::move(broken_); }

 private:
  std::vector<std::string> broken_;
};

}  // namespace

WorkerCounters& WorkerCounters::operator+=(const WorkerCounters& other) noexcept {
  received += other.received;
  accounted += other.accounted;
  nic_hashed += other.nic_hashed;
  for (size_t i = 0; i < fates.size(); ++i)
    fates[i] += other.fates[i];
  for (size_t i = 0; i < expired.size(); ++i) {
    expired[i] += other.expired[i];
    lost[i] += other.lost[i];
  }
  return *this;
}

Tally Ledger::skipped() const noexcept {
  return std::accumulate(workers.fates.begin(), workers.fates.end(), Tally{}) -
         workers.fates[index_of(packet::Fate::accounted)];
}

RecordTally WorkerCounters::created() const noexcept {
  return sum(expired) + sum(lost);
}

RecordTally WorkerCounters::lost_sum() const noexcept {
  return sum(lost);
}

RecordTally Ledger::lost() const noexcept {
  return lost_ring_full() + exported.lost_send_failed + exported.lost_write_failed;
}

RecordTally Ledger::in_rings() const noexcept {
  return sum(workers.expired) - exported.taken;
}

std::vector<std::string> Ledger::broken_equations() const {
  Checker checker;
  uint64_t received_by_ports = 0;
  for (const PortCounters& port : ports) {
    received_by_ports += port.received;
    checker.check(fmt::format("what port {} handed over beyond its own count", port.port),
                  port.overdelivered, "what it should be", 0);
  }
  checker.check("received (packets)", workers.received.packets, "what the ports count as received",
                received_by_ports);
  const Tally& accounted_frames = workers.fates[index_of(packet::Fate::accounted)];
  checker.check("received", workers.received, "accounted + skipped", accounted_frames + skipped());
  checker.check("accounted (packets)", workers.accounted.packets, "frames decoded to a flow key",
                accounted_frames.packets);
  checker.check("accounted", workers.accounted, "in tables + records created",
                in_tables.carried + created().carried);
  checker.check("records created", created(), "in rings + in datagram + sent + lost",
                in_rings() + exported.in_datagram + exported.sent + lost());
  checker.check("records in rings", in_rings().records, "what the rings hold", ring_records);
  if (in_rings().records == 0) {
    checker.check("what is carried in rings", in_rings().carried, "nothing", Tally{});
    if (at_rest && exported.in_datagram.records == 0) {
      checker.check("flow_sequence", exported.flow_sequence, "records created modulo 2^32",
                    created().records & UINT32_MAX);
    }
  }
  return std::move(checker).broken();
}

}  // namespace pollflow::flow
