#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <random>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::EndReason;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

// A table's memory with a page behind it that nobody may touch.
class FencedMemory {
 public:
  explicit FencedMemory(size_t bytes) : wanted_((bytes + 63) / 64 * 64) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t pages = (wanted_ + page - 1) / page * page;
    mapped_ = pages + page;
    void* at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    begin_ = static_cast<std::byte*>(at);
    end_ = begin_ + pages;
    REQUIRE(mprotect(end_, page, PROT_NONE) == 0);
  }
  FencedMemory(const FencedMemory&) = delete;
  FencedMemory& operator=(const FencedMemory&) = delete;
  ~FencedMemory() { munmap(begin_, mapped_); }

  [[nodiscard]] std::span<std::byte> bytes() const { return {end_ - wanted_, wanted_}; }

 private:
  size_t wanted_;
  size_t mapped_;
  std::byte* begin_;
  std::byte* end_;
};

}  // namespace

TEST_CASE("a table of few flows stays in its memory, and the sum of each key is exact") {
  const size_t flows_max = GENERATE(as<size_t>{}, 1, 2, 3, 20, 21, 27, 41, 42, 60);
  CAPTURE(flows_max);
  const FencedMemory memory(flow::FlowTable::bytes_needed(flows_max));
  flow::FlowTable table({.flows_max = flows_max, .rules = {}, .hash_secret = 42}, memory.bytes());
  std::mt19937 random(static_cast<uint32_t>(flows_max));
  std::map<uint32_t, uint64_t> offered;
  std::map<uint32_t, uint64_t> seen;
  flow::RecordBatch batch;
  const auto collect = [&] {
    for (const flow::Record& record : batch.records())
      seen[record.key.src] += record.packets;
  };
  for (int i = 0; i < 20'000; ++i) {
    const auto packet = packet_of(static_cast<uint32_t>(random() % (2 * flows_max + 2)));
    batch.reset(1);
    update(table, packet, table.hash(packet.key), start_ms + i, batch);
    collect();
    ++offered[packet.key.src];
  }
  CHECK(table.flows() == flows_max);
  batch.reset(flow::RecordBatch::records_max);
  REQUIRE(table.flush(start_ms + 20'000, batch));
  collect();
  CHECK(seen == offered);

  // Nobody is left, so no bucket remembers that somebody lives elsewhere.
  const uint64_t second_looks = table.second_looks();
  for (uint32_t key = 0; key < flows_max; ++key) {
    update(table, packet_of(key), table.hash(key_number(key)), start_ms + 20'001, batch);
    batch.reset(flow::RecordBatch::records_max);
    REQUIRE(table.flush(start_ms + 20'001, batch));
  }
  CHECK(table.second_looks() == second_looks);
}

TEST_CASE("more flows than a bucket can count away: none is forgotten there") {
  // As somebody could make them who knows the secret: all of bucket 0, with any second one.
  TableFixture fixture(
      {.flows_max = 140'000, .rules = {.inactive_timeout_ms = 60'000}, .hash_secret = 42});
  const auto packet_to = [&](uint32_t key) {
    fixture.update_hashed(packet_of(key), uint64_t{key} * 2'654'435'761 & UINT32_MAX, start_ms);
  };
  constexpr uint32_t counted = flow::TagBucket::away_max;
  for (uint32_t key = 0; key < counted - 50; ++key)
    packet_to(key);
  size_t twice = 0;
  for (uint32_t key = counted - 50; key < counted + 200; ++key) {
    packet_to(key);
    const size_t flows = fixture.table().flows();
    packet_to(3000);
    twice += fixture.table().flows() - flows;
  }
  CHECK(twice == 0);
  CHECK(fixture.table().flows() == counted + flow::TagBucket::slots);
}
