// The flow table beside a model: bursts, steps in time, room for records or none, sweeps, new
// rules, walks, flushes; tables small enough to evict, and hashes poor enough to collide.
//
//   input: size of the table, rules, kind of hash, steps

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "fuzz/table_oracle.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::RecordBatch;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;
constexpr int64_t pass_ms = 750;  // of the sweep over the whole table

flow::ExpiryRules draw_rules(Input& input) {
  return {.inactive_timeout_ms = 1 + input.u16(),
          .active_timeout_ms = 1 + 4 * int64_t{input.u16()},
          .hold_idle = input.flag()};
}

// Mostly few buckets, sometimes two blocks of the sweep.
size_t draw_flows_max(Input& input) {
  const uint32_t wanted = input.byte();
  return wanted < 240 ? 1 + wanted : 1 + (wanted - 239) * 80;
}

// Keys that differ in one field only, too.
packet::FlowKey draw_key(Input& input) {
  const uint16_t number = input.u16();
  packet::FlowKey key = key_number(number % 64);
  switch (number / 64 % 8) {
    case 0:
      break;
    case 1:
      ++key.dst;
      break;
    case 2:
      ++key.src_port;
      break;
    case 3:
      ++key.dst_port;
      break;
    case 4:
      ++key.in_if;
      break;
    case 5:
      ++key.protocol;
      break;
    case 6:
      ++key.tos;
      break;
    default:
      key.src += uint32_t{number} << 8;
  }
  return key;
}

class Run {
 public:
  explicit Run(Input& input)
      : input_(input),
        flows_max_(draw_flows_max(input)),
        oracle_(flows_max_, draw_rules(input)),
        fixture_({.flows_max = flows_max_, .rules = oracle_.rules(), .hash_secret = 42}),
        hashes_(input.below(3)) {}

  void steps() {
    while (!input_.empty()) {
      step();
      if (input_.below(4) == 0) oracle_.check(table());
    }
    finish();
  }

 private:
  flow::FlowTable& table() { return fixture_.table(); }

  void step() {
    switch (input_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return arrive(1 + input_.below(16));
      case 4:
        without_room_ = input_.below(5) == 0;
        return update(input_.byte());
      case 5:
      case 6:
        return pass_time();
      case 7:
        return sweep(input_.below(3) == 0 ? input_.below(4) : RecordBatch::records_max);
      case 8:
        return walk();
      case 9:
        return expire();
      case 10:
        return rarely();
      default:
        return new_rules();
    }
  }

  void rarely() {
    const uint32_t what = input_.byte();
    if (what < 64) return flush(1 + what % 8);
    if (what == 255 && input_.u16() == 0xffff && !flooded_) return flood();
    many_new_flows();
  }

  // Packets come, and are led as far as to the look at their tags.
  void arrive(uint32_t count) {
    std::vector<flow::Arrival> burst;
    for (; count > 0; --count) {
      const uint8_t flags = input_.byte();
      add_arrival({.key = draw_key(input_),
                   .octets = static_cast<uint16_t>(flags % 8 == 7 ? 65535 : 20 + flags),
                   .tcp_flags = flags});
    }
    if (under_way_.size() > 64) update(255);
  }
  void add_arrival(const packet::Packet& packet) {
    flow::Arrival arrival{.packet = packet, .first = 0, .at_ms = now_ms_, .rest = 0, .slot = 0};
    table().locate(arrival, hash_of(packet.key));
    table().look({&arrival, 1});
    ++looks_;
    under_way_.push_back(arrival);
  }
  // Flows of which each packet is the first.
  void many_new_flows() {
    for (uint32_t count = 4 * input_.byte(); count > 0; --count) {
      add_arrival({.key = key_number(0x10000 + fresh_++), .octets = 40, .tcp_flags = 0});
      update(1);
    }
  }
  // So many octets of one flow that they do not fit into 32 bits. Takes its time: once in a run.
  void flood() {
    flooded_ = true;
    const packet::FlowKey key = draw_key(input_);
    for (int count = 0; count < 65600; ++count) {
      add_arrival({.key = key, .octets = 65535, .tcp_flags = 0});
      update(1);
    }
  }
  // What is not decided by a hash must not depend on one.
  [[nodiscard]] uint64_t hash_of(const packet::FlowKey& key) {
    constexpr uint64_t spread = 0x9e3779b97f4a7c15;
    if (hashes_ == 0) return table().hash(key);
    if (hashes_ == 1) return (key.src % 8) * spread;
    return table().hash(key) & 0xffffffffffff0000;  // all with the same tag
  }

  // The first of those under way reach their flows.
  void update(size_t count) {
    for (; count > 0 && !under_way_.empty(); --count) {
      const flow::Arrival arrival = under_way_.front();
      under_way_.pop_front();
      const bool room = !without_room_;
      batch_.reset(room ? 1 : 0);
      table().update({&arrival, 1}, batch_);
      oracle_.packet(arrival.packet, arrival.at_ms, room, table(), batch_.records());
      behind_ms_ = std::max(behind_ms_, latest_ms_ - arrival.at_ms);
      forget_the_left();
    }
  }

  void pass_time() {
    const uint32_t how = input_.byte();
    const int64_t ms = int64_t{input_.byte()} << how % 24;
    if (how >= 224) {
      now_ms_ -= ms;
    } else {
      now_ms_ += ms;
      passed_ms_ += ms;
    }
  }

  void sweep(size_t room) {
    batch_.reset(room);
    note_time();
    const bool done = table().sweep(now_ms_, batch_);
    oracle_.sweep(now_ms_, batch_.records());
    expect(done || batch_.full(), "a sweep stops early for want of room only");
    forget_the_left();
    if (!done) return;
    // Each block is met once between this sweep and the one before the last.
    const int64_t gap_ms = passed_ms_ - swept_before_ms_;
    swept_before_ms_ = swept_ms_;
    swept_ms_ = passed_ms_;
    if (!oracle_.rules().hold_idle) oracle_.check_punctual(now_ms_, 1000 + gap_ms + behind_ms_);
  }

  // A step back by more than a pass is noticed, and all promises are void. By less, and by packets
  // that are behind the sweep, a promise is off by as much.
  void note_time() {
    if (now_ms_ + pass_ms < latest_ms_) {
      latest_ms_ = now_ms_;
      behind_ms_ = 0;
      oracle_.clock_stepped_back_to(now_ms_);
    }
    latest_ms_ = std::max(latest_ms_, now_ms_);
    behind_ms_ = std::max(behind_ms_, latest_ms_ - now_ms_);
  }

  // Then they are void, too.
  void new_rules() {
    latest_ms_ = std::max(latest_ms_, now_ms_);
    behind_ms_ = 0;
    oracle_.set_rules(draw_rules(input_), latest_ms_);
    table().set_rules(oracle_.rules(), now_ms_);
  }

  // A step of a walk that goes on between the others. A flow that lives throughout is met once.
  void walk() {
    if (!walk_) {
      walk_ = {.filter = draw_filter(), .before_ms = now_ms_ + input_.byte()};
      met_.clear();
      lived_.clear();
      for (const auto& [key, flow] : oracle_.live()) {
        if (walk_->filter.matches(flow.key) && flow.first_ms < walk_->before_ms) lived_.insert(key);
      }
    }
    std::vector<flow::LiveFlow> page(1 + input_.below(40));
    page.resize(table().list(*walk_, page));
    for (const flow::LiveFlow& flow : page) {
      expect(walk_->filter.matches(flow.key) && flow.first_ms < walk_->before_ms,
             "a walk meets flows that are meant");
      ++met_[fields_of(flow.key)];
    }
    if (!table().at_end(*walk_)) return;
    for (const KeyFields& key : lived_)
      expect(met_[key] == 1, "a walk meets each flow that lives throughout once");
    walk_.reset();
    lived_.clear();
  }
  void forget_the_left() {
    if (lived_.empty()) return;
    std::erase_if(lived_, [&](const KeyFields& key) {
      return std::ranges::any_of(batch_.records(), [&](const flow::Record& record) {
        return fields_of(record.key) == key;
      });
    });
    // What was lost left without a record.
    if (without_room_)
      std::erase_if(lived_, [&](const KeyFields& key) { return !oracle_.live().contains(key); });
  }
  [[nodiscard]] flow::FlowFilter draw_filter() {
    constexpr std::array texts = {"", "udp", "net 10.0.0.0/28", "dst host 192.168.0.2", "if 2"};
    return flow::FlowFilter::parse(texts[input_.below(texts.size())]);
  }

  void expire() {
    flow::FlowWalk walk{.filter = draw_filter(), .before_ms = now_ms_ - input_.byte() + 1};
    for (size_t rooms = 1 + input_.below(4); rooms > 0 && !table().at_end(walk); --rooms) {
      batch_.reset(1 + input_.below(40));
      const size_t count = table().expire(walk, now_ms_, batch_);
      expect(count == batch_.records().size(), "expire() answers how many left");
      oracle_.expire(walk, now_ms_, batch_.records());
      forget_the_left();
    }
  }

  void flush(size_t room) {
    const bool pressure = oracle_.pressure();
    for (bool done = false; !done;) {
      batch_.reset(room);
      done = table().flush(now_ms_, batch_);
      expect(done || batch_.full(), "a flush stops early for want of room only");
      oracle_.flush(now_ms_, pressure, batch_.records());
      forget_the_left();
    }
    expect(oracle_.live().empty(), "a flush lets every flow leave");
  }

  void finish() {
    update(under_way_.size());
    oracle_.check(table());
    flush(RecordBatch::records_max);
    oracle_.check(table());
    expect(table().second_looks() <= looks_, "a packet is looked for in its second bucket once");
  }

  Input& input_;
  size_t flows_max_;
  TableOracle oracle_;
  TableFixture fixture_;
  uint32_t hashes_;
  RecordBatch batch_;
  int64_t now_ms_ = start_ms;
  std::deque<flow::Arrival> under_way_;
  uint64_t looks_ = 0;
  uint32_t fresh_ = 0;
  bool without_room_ = false;
  bool flooded_ = false;
  int64_t latest_ms_ = 0;  // that the sweep has seen
  int64_t behind_ms_ = 0;  // that, at most, while its promises held
  // What has passed, steps back apart: now, at the last sweep that was done, at the one before.
  int64_t passed_ms_ = 0;
  int64_t swept_ms_ = 0;
  int64_t swept_before_ms_ = 0;
  std::optional<flow::FlowWalk> walk_;
  std::set<KeyFields> lived_;  // flows that it must meet
  std::map<KeyFields, unsigned> met_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  if (input.empty()) return 0;
  Run(input).steps();
  return 0;
}
