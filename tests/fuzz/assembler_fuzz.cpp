// The assembler, read back byte by byte: each field of each record and header, whatever is kept,
// skipped and released between them.
//
//   input: most records per datagram, engine, boot time, steps

#include <algorithm>
#include <memory>
#include <vector>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "netflow/assembler.hpp"
#include "support/v5_reader.hpp"

using namespace pollflow;
using namespace pollflow::test;
using netflow::Assembler;

namespace {

struct Entry {
  flow::Record record;
  flow::Routing routing;
};

struct Datagram {
  std::vector<Entry> entries;
  uint32_t sequence = 0;
  int64_t sealed_ms = 0;
  int64_t wall_offset_ms = 0;  // as it was when it was stamped
};

Entry draw_entry(Input& input, int64_t boot_ms) {
  // Field by field: each byte of the datagram has a byte of the input behind it.
  Entry entry{};
  entry.record = {.key = {.src = input.u32(),
                          .dst = input.u32(),
                          .src_port = input.u16(),
                          .dst_port = input.u16(),
                          .in_if = input.u16(),
                          .protocol = input.byte(),
                          .tos = input.byte()},
                  .packets = input.u32(),
                  .octets = input.u32(),
                  .first_ms = boot_ms + input.u32(),
                  .last_ms = boot_ms + input.u32() - input.byte(),
                  .left_ms = 0,
                  .tcp_flags = input.byte(),
                  .reason = flow::EndReason::idle};
  entry.routing = {.next_hop = input.u32(),
                   .out_if = input.u16(),
                   .src_mask = input.byte(),
                   .dst_mask = input.byte(),
                   .src_as = input.u16(),
                   .dst_as = input.u16()};
  return entry;
}

// The assembler and what should come of it.
class Pair {
 public:
  Pair(const netflow::AssemblerOptions& options, int64_t boot_ms)
      : options_(options),
        boot_ms_(boot_ms),
        assembler_(std::make_unique<Assembler>(options, boot_ms)) {}

  [[nodiscard]] bool takes_records() const {
    return !assembler_->full() && !assembler_->all_kept();
  }
  [[nodiscard]] bool can_keep() const { return !assembler_->empty() && !assembler_->all_kept(); }
  [[nodiscard]] unsigned room() const { return options_.records_max - assembler_->count(); }

  void add(Input& input, unsigned count) {
    std::vector<flow::Record> records;
    std::vector<flow::Routing> routings;
    flow::Tally carried;
    for (unsigned i = 0; i < count; ++i) {
      open_.entries.push_back(draw_entry(input, boot_ms_));
      records.push_back(open_.entries.back().record);
      routings.push_back(open_.entries.back().routing);
      carried += records.back().carried();
    }
    expect(assembler_->add(records, routings.data()) == carried, "add() answers what they carry");
  }
  void skip(uint32_t records) {
    skipped_ += records;
    assembler_->skip(records);
  }
  void set_wall_offset(int64_t ms) {
    wall_offset_ms_ = ms;
    assembler_->set_wall_offset(ms);
  }
  void seal(int64_t now_ms) {
    open_.sealed_ms = now_ms;
    open_.wall_offset_ms = wall_offset_ms_;
    open_.sequence = sequence_;
    check(assembler_->seal(now_ms), open_);
  }
  void keep() {
    assembler_->keep();
    kept_.push_back(open_);
    begin_next();
  }
  void next() {
    assembler_->next();
    kept_.clear();
    begin_next();
  }
  void stamp_kept(int64_t now_ms) {
    assembler_->stamp_kept(now_ms);
    for (Datagram& datagram : kept_) {
      datagram.sealed_ms = std::max(datagram.sealed_ms, now_ms);
      datagram.wall_offset_ms = wall_offset_ms_;
    }
  }
  void release() {
    assembler_->release();
    kept_.clear();
  }

  void check_all() const {
    expect(assembler_->count() == open_.entries.size(), "count() is the records added");
    expect(assembler_->flow_sequence() == sequence_, "flow_sequence() is the records before");
    expect(assembler_->kept() == kept_.size(), "kept() is the datagrams kept");
    auto rest = assembler_->kept_bytes();
    uint64_t records = 0;
    for (const Datagram& datagram : kept_) {
      const size_t bytes = std::min(rest.size(), assembler_->datagram_bytes());
      check(rest.first(bytes), datagram);
      rest = rest.subspan(bytes);
      records += datagram.entries.size();
    }
    expect(rest.empty(), "kept_bytes() has nothing else");
    expect(assembler_->kept_records() == records, "kept_records() is those in datagrams kept");
  }

 private:
  void begin_next() {
    sequence_ += static_cast<uint32_t>(open_.entries.size()) + skipped_;
    skipped_ = 0;
    open_ = {};
  }
  [[nodiscard]] uint32_t uptime(int64_t ms) const { return static_cast<uint32_t>(ms - boot_ms_); }

  void check(std::span<const uint8_t> bytes, const Datagram& wanted) const {
    if (wanted.entries.empty()) return;  // nobody sends it
    const V5Datagram read = read_v5(bytes);
    expect(read.count == wanted.entries.size(), "a datagram has its records");
    expect(read.sys_uptime == uptime(wanted.sealed_ms), "SysUptime is the time since boot");
    const int64_t unix_ms = int64_t{read.unix_secs} * 1000 + read.unix_nsecs / 1'000'000;
    const int64_t wanted_ms = wanted.sealed_ms + wanted.wall_offset_ms;
    expect(read.unix_nsecs % 1'000'000 == 0 && read.unix_nsecs < 1'000'000'000, "nanoseconds");
    // Seconds are modulo 2^32, and so before 1970, too.
    expect((unix_ms - wanted_ms) % (int64_t{1000} << 32) == 0, "Unix time is the wall clock's");
    expect(read.flow_sequence == wanted.sequence, "flow_sequence is the records before it");
    expect(read.engine_type == options_.engine_type && read.engine_id == options_.engine_id,
           "engine type and id");
    expect(read.sampling == 0, "nothing is sampled");
    for (size_t i = 0; i < read.flows.size(); ++i)
      expect(read.flows[i] == flow_of(wanted.entries[i]), "each field of a record");
  }

  [[nodiscard]] V5Flow flow_of(const Entry& entry) const {
    const auto& [record, routing] = entry;
    return {.src_addr = record.key.src,
            .dst_addr = record.key.dst,
            .next_hop = routing.next_hop,
            .input = record.key.in_if,
            .output = routing.out_if,
            .packets = record.packets,
            .octets = record.octets,
            .first = uptime(record.first_ms),
            .last = uptime(record.last_ms),
            .src_port = record.key.src_port,
            .dst_port = record.key.dst_port,
            .pad1 = 0,
            .tcp_flags = record.tcp_flags,
            .protocol = record.key.protocol,
            .tos = record.key.tos,
            .src_as = routing.src_as,
            .dst_as = routing.dst_as,
            .src_mask = routing.src_mask,
            .dst_mask = routing.dst_mask,
            .pad2 = 0};
  }

  netflow::AssemblerOptions options_;
  int64_t boot_ms_;
  std::unique_ptr<Assembler> assembler_;  // in memory of its own, which ends where it ends
  Datagram open_;
  std::vector<Datagram> kept_;
  uint32_t sequence_ = 0;
  uint32_t skipped_ = 0;
  int64_t wall_offset_ms_ = 0;
};

// As ExportLoop goes about it: a datagram is sealed right before it is kept.
void step(Input& input, Pair& pair, int64_t& now_ms) {
  now_ms += static_cast<int8_t>(input.byte()) * int64_t{1} << input.below(28);
  switch (input.below(8)) {
    case 0:
    case 1:
    case 2:
      if (pair.takes_records()) pair.add(input, 1 + input.below(pair.room()));
      break;
    case 3:
      if (pair.can_keep()) {
        pair.seal(now_ms);
        pair.keep();
      }
      break;
    case 4:
      pair.skip(input.u32() >> input.below(32));
      break;
    case 5:
      pair.stamp_kept(now_ms);
      break;
    case 6:
      if (input.flag()) {
        pair.release();
      } else {
        pair.next();
      }
      break;
    default:
      pair.set_wall_offset(static_cast<int32_t>(input.u32()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  netflow::AssemblerOptions options;
  options.records_max = 1 + input.below(netflow::v5_records_max);
  options.engine_type = input.byte();
  options.engine_id = input.byte();
  const int64_t boot_ms = static_cast<int32_t>(input.u32()) * int64_t{1000};
  Pair pair(options, boot_ms);
  int64_t now_ms = boot_ms;
  while (!input.empty()) {
    step(input, pair, now_ms);
    pair.check_all();
  }
  return 0;
}
