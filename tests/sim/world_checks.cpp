// What has to hold in a simulated world: after each step, and at the end of the run.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "sim/virtual_clock.hpp"
#include "sim/world.hpp"

namespace pollflow::test {
namespace {

template <typename... Values>
void want(bool good, fmt::format_string<Values...> sentence, Values&&... values) {
  if (!good) throw std::runtime_error(fmt::format(sentence, std::forward<Values>(values)...));
}

template <typename Value>
void want_equal(const char* what, const Value& is, const char* other, const Value& should) {
  want(is == should, "{} is {}, but {} is {}", what, is, other, should);
}

void want_equal(const char* what, const flow::Tally& is, const char* other,
                const flow::Tally& should) {
  want(is == should, "{} is {} packets of {} octets, but {} is {} of {}", what, is.packets,
       is.octets, other, should.packets, should.octets);
}

void want_equal(const char* what, const flow::RecordTally& is, const char* other,
                const flow::RecordTally& should) {
  want_equal(what, is.records, other, should.records);
  want_equal(what, is.carried, other, should.carried);
}

void want_balanced(const char* which, const flow::Ledger& ledger) {
  const auto broken = ledger.broken_equations();
  want(broken.empty(), "{}: {}", which, fmt::join(broken, "; "));
}

}  // namespace

void World::check() {
  want(network_.failure().empty(), "{}", network_.failure());
  check_told();
  if (setup_.looks_closely) {
    for (app::Lane& lane : lanes_)
      lane.flows().worker().settle();
    want_balanced("the ledger", ledger());
  }
  check_counted(ledger());
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    want(table(lane).flows() <= setup_.flows_max, "lane {} holds {} flows, more than {}", lane,
         table(lane).flows(), setup_.flows_max);
    check_idle(lane);
  }
  check_partial_datagram();
}

// What control threads are told, at any moment, without asking anybody.
void World::check_told() const {
  want_balanced("the ledger that is told", control::collect(sources_).ledger);
}

// The program's account beside that of who fed it.
void World::check_counted(const flow::Ledger& ledger) const {
  want_equal("received", ledger.workers.received, "what was polled", received_);
  want_equal("accounted", ledger.workers.accounted, "what belongs to flows", accounted_);
  for (size_t fate = 0; fate < packet::fate_count; ++fate)
    want_equal(packet::fate_names[fate].data(), ledger.workers.fates[fate], "what was made so",
               fates_[fate]);
  want_equal("offered", port_.offered(), "received + missed + waiting",
             ledger.workers.received.packets + port_.missed() + port_.waiting());
}

// An idle flow leaves within its timeout and a second, with no further traffic needed; a wait
// between two turns is the machine's fault.
void World::check_idle(size_t lane) const {
  if (phase_ != app::Phase::receive) return;
  const LaneWatch& watch = watches_[lane];
  const flow::ExpiryRules& rules = settings().rules;
  const int64_t timeout_ms = rules.hold_idle
                                 ? rules.active_timeout_ms
                                 : std::min(rules.inactive_timeout_ms, rules.active_timeout_ms);
  const int64_t drift_ms = 2 + timeout_ms * std::abs(virtual_clock.tsc_fast_ppm()) / 1'000'000;
  const int64_t since_ms =
      std::max({watch.fed_ms, watch.tight_ms, std::max(disturbed_ms_, stepped_ms_) + follow_ms,
                times_wrong_until_ms_});
  const int64_t quiet_ms = watch.turned_ms - since_ms;
  // A turn lets no more flows leave than fill a batch.
  const auto turns = static_cast<int64_t>(setup_.flows_max / flow::RecordBatch::records_max + 2);
  const int64_t most_ms =
      timeout_ms + flow::expiry_lateness_ms_max + turns * watch.longest_wait_ms + drift_ms;
  const size_t flows = lanes_[lane].flows().table().flows();
  want(quiet_ms <= most_ms || flows == 0,
       "lane {} got no packet for {} ms and holds {} flows, whose timeout is {} ms", lane, quiet_ms,
       flows, timeout_ms);
}

// A datagram that is partly filled leaves within --export-delay.
void World::check_partial_datagram() const {
  const app::LiveSettings& now = settings();
  if (now.export_rate > 0) return;
  const int64_t waits_ms = exported_ms_ - std::max(open_since_ms_, disturbed_ms_ + follow_ms);
  const int64_t most_ms = now.export_delay_ms + longest_export_wait_ms_ + 10;
  want(waits_ms <= most_ms || exporter_->loop().counters().in_datagram.records == 0,
       "a record waits in the datagram for {} ms, more than --export-delay {}", waits_ms,
       now.export_delay_ms);
}

// Workers say that they hold all that the queues held.
void World::check_drained() const {
  want(!deaf_ || port_.waiting() == 0, "{} frames are left in the queues of a deaf port",
       port_.waiting());
}

void World::finish() {
  constexpr int turns_max = 20'000;
  uint64_t gap_ms = 1;
  for (int turns = 1; !exporter_->over(); ++turns) {
    want(turns < turns_max, "the run does not end within {} turns", turns_max);
    // However slow the pace is, the end of a run is not a matter of many turns.
    if (turns % 200 == 0) gap_ms = std::min<uint64_t>(2 * gap_ms, 10'000);
    pass_ms(gap_ms);
    turn_all();
    if (turns % 16 == 0) check();
  }
  over_ = true;
  trace_.add("over: " + summary());
  check_told();
  check_end();
}

void World::check_end() {
  want(network_.failure().empty(), "{}", network_.failure());
  const flow::Ledger last = ledger();
  want_balanced("the ledger at the end", last);
  check_counted(last);
  want_equal("flows left in tables", last.in_tables, "what should be", flow::RecordTally{});
  want_equal("records left in rings", last.ring_records, "what should be", uint64_t{0});
  want_equal("records left in the datagram", last.exported.in_datagram, "what should be",
             flow::RecordTally{});
  for (size_t i = 0; i < outputs_.collectors.size(); ++i)
    check_view(network_.views()[i], outputs_.collectors[i].counters());
  check_send_losses();
  if (outputs_.csv) {
    const flow::RecordTally taken = last.exported.taken;
    want_equal("rows written or not", outputs_.csv->written() + outputs_.csv->failed(),
               "records taken", taken);
  }
}

// One collector's account of its stream beside ours.
void World::check_view(const CollectorView& view,
                       const exporter::Collector::Counters& counters) const {
  const flow::Ledger last = ledger();
  flow::RecordTally refused;
  for (const auto& [sequence, flows] : view.refused())
    refused += tally_of(flows);
  const flow::RecordTally sent = view.received() + view.lost_on_the_way();
  want_equal("records that a collector got", sent.records, "records sent to it",
             counters.records_sent);
  want_equal("datagrams that it got", view.datagrams() + view.datagrams_lost(), "sent to it",
             counters.datagrams_sent);
  want_equal("records refused", refused.records, "records that failed", counters.records_failed);
  want_equal("datagrams refused", view.refused().size(), "datagrams that failed",
             counters.datagrams_failed);
  const uint64_t behind = last.exported.flow_sequence - view.next_sequence();
  want_equal("gaps in the sequence", view.gaps() + behind, "records lost",
             last.lost_ring_full().records + refused.records + view.lost_on_the_way().records);
  want(view.base_changes() <= walls_set_,
       "unix time minus SysUptime changed {} times, the wall clock was set {} times",
       view.base_changes(), walls_set_);
  // Each packet in exactly one record, also by key: what is missing was in records lost before they
  // reached a ring.
  flow::Tally missing;
  Sums sums = view.sums();
  for (const auto& [key, offered] : offered_) {
    const flow::Tally& got = sums[key];
    want(got.packets <= offered.packets && got.octets <= offered.octets,
         "of a flow with {} packets of {} octets {} packets of {} octets are in records",
         offered.packets, offered.octets, got.packets, got.octets);
    missing += offered - got;
  }
  want(sums.size() == offered_.size(), "records of flows that were not");
  want_equal("what no record tells", missing, "what records carried that were lost",
             last.lost_ring_full().carried);
}

// A record is lost in sending when no collector took it.
void World::check_send_losses() const {
  flow::RecordTally lost;
  if (!network_.views().empty()) {
    for (const auto& [sequence, flows] : network_.views().front().refused()) {
      const bool by_all = std::ranges::all_of(network_.views(), [at = sequence](const auto& view) {
        return view.refused().contains(at);
      });
      if (by_all) lost += tally_of(flows);
    }
  }
  const flow::ExportCounters exported = ledger().exported;
  want_equal("lost in sending", exported.lost_send_failed, "what every collector refused", lost);
  want_equal("sent", exported.sent, "taken - lost",
             exported.taken - lost - exported.lost_write_failed);
}

}  // namespace pollflow::test
