#include "support/chosen_flows.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"
#include "support/toeplitz.hpp"

// Whoever knows all but the secret of this start cannot make the table slow, nor make it let flows
// go before their time: to it his flows are as good as random ones. Secrets are other ones each
// time.

using namespace pollflow;
using flow::FlowHash;
using flow::TagBucket;
using packet::FlowKey;
using test::ChosenFlows;

namespace {

#if defined(POLLFLOW_SLOW_BUILD)
constexpr int secrets = 1;        // each takes twenty times as long
constexpr size_t one_set_of = 7;  // goes into a table
#else
constexpr int secrets = 12;
constexpr size_t one_set_of = 1;
#endif

constexpr int64_t now_ms = 1'700'000'000'000;

uint64_t secret_of_a_start() {
  std::random_device random("/dev/urandom");
  return uint64_t{random()} << 32 | random();
}

std::vector<ChosenFlows> make_all_sets() {
  std::vector<ChosenFlows> sets;
  for (auto* make :
       {test::against_rss_keys, test::against_rss_keys_narrow, test::plain_patterns,
        test::unseen_by_rss, test::against_table_hashes, test::against_table_hashes_narrow}) {
    for (ChosenFlows& set : make())
      sets.push_back(std::move(set));
  }
  sets.push_back(test::against_zero_secret_and_rss());
  return sets;
}

const std::vector<ChosenFlows>& all_sets() {
  static const std::vector<ChosenFlows> sets = make_all_sets();
  return sets;
}

// What RSS hash the NIC says: none, one of a key that is not known, the same for all.
struct RssCase {
  const char* name;
  std::function<std::optional<uint32_t>(const FlowKey&)> rss;
};

std::vector<RssCase> rss_cases() {
  std::mt19937_64 random(secret_of_a_start());
  std::vector<uint8_t> key(40);
  std::ranges::generate(key, [&] { return static_cast<uint8_t>(random()); });
  return {{"no RSS hash", [](const FlowKey&) { return std::nullopt; }},
          {"RSS hash of a random key", test::Toeplitz(key)},
          {"RSS hash 0 for all", [](const FlowKey&) { return 0; }}};
}

// Sum over parts of (flows - mean)^2 / mean, beside what chance gives. 1 with a standard deviation
// of 0.022 for 4096 parts: 1.2 is nine of them.
template <typename PartOf>
double unevenness(const std::vector<uint64_t>& hashes, PartOf part_of) {
  constexpr size_t parts = 4096;
  std::vector<double> load(parts);
  for (const uint64_t hash : hashes)
    ++load[part_of(hash)];
  const double mean = static_cast<double>(hashes.size()) / parts;
  double sum = 0;
  for (const double flows : load)
    sum += (flows - mean) * (flows - mean) / mean;
  return sum / (parts - 1);
}

// A table that is as full as it may be, and what it takes to find its flows.
class FullTable {
 public:
  FullTable(const std::vector<FlowKey>& flows, const RssCase& rss)
      : flows_(flows),
        rss_(rss),
        fixture_({.flows_max = flows.size(), .rules = {}, .hash_secret = secret_of_a_start()}) {
    each_once();
    const uint64_t looks = fixture_.table().second_looks();
    each_once();
    second_looks_ = fixture_.table().second_looks() - looks;
  }

  // Flows that left although there was room for all.
  [[nodiscard]] size_t evicted() { return fixture_.records().size(); }
  // Flows that were looked for in a second bucket too, when each had a packet.
  [[nodiscard]] uint64_t second_looks() const { return second_looks_; }

  struct Reads {
    size_t most = 0;
    double mean = 0;
  };
  // Entries read for each flow to find it: those of its two buckets that have its tag, up to it.
  Reads entries_read() {
    std::vector<flow::LiveFlow> live;
    std::array<flow::LiveFlow, 64> some;
    flow::FlowWalk walk{.before_ms = now_ms + 1};
    while (!fixture_.table().at_end(walk)) {
      const size_t count = fixture_.table().list(walk, some);
      live.insert(live.end(), some.begin(), some.begin() + static_cast<ptrdiff_t>(count));
    }
    tags_.assign(buckets_ * TagBucket::slots, no_tag);
    for (const flow::LiveFlow& flow : live)
      tags_[flow.slot] = static_cast<uint16_t>(hash_of(flow.key));
    Reads reads;
    for (const flow::LiveFlow& flow : live) {
      const size_t read = entries_read_for(flow);
      reads.most = std::max(reads.most, read);
      reads.mean += static_cast<double>(read) / static_cast<double>(live.size());
    }
    return reads;
  }

 private:
  static constexpr uint32_t no_tag = UINT32_MAX;

  [[nodiscard]] uint64_t hash_of(const FlowKey& key) {
    const auto rss = rss_.rss(key);
    return rss ? fixture_.table().hash(key, *rss) : fixture_.table().hash(key);
  }

  void each_once() {
    for (const FlowKey& key : flows_)
      fixture_.update_hashed({.key = key, .octets = 100, .tcp_flags = 0}, hash_of(key), now_ms);
  }
  // As flow_table.hpp says: 32 bits for the first bucket, 32 for the distance of the second, of
  // which 16 are the tag.
  size_t entries_read_for(const flow::LiveFlow& flow) {
    const uint64_t hash = hash_of(flow.key);
    const size_t first = (hash >> 32) * buckets_ >> 32;
    const size_t second = (first + 1 + ((hash & 0xffffffff) * (buckets_ - 1) >> 32)) % buckets_;
    size_t read = 0;
    for (const size_t bucket : {first, second}) {
      for (size_t slot = bucket * TagBucket::slots; slot < (bucket + 1) * TagBucket::slots;
           ++slot) {
        read += tags_[slot] == static_cast<uint16_t>(hash);
        if (slot == flow.slot) return read;
      }
    }
    FAIL("a flow lives in neither of its two buckets");
    return 0;
  }

  const std::vector<FlowKey>& flows_;
  const RssCase& rss_;
  test::TableFixture fixture_;
  size_t buckets_ = (flows_.size() / 4 * 5 + TagBucket::slots - 1) / TagBucket::slots;
  uint64_t second_looks_ = 0;
  std::vector<uint32_t> tags_;  // by slot
};

}  // namespace

TEST_CASE("sets of chosen flows are as many as they should be, and no two flows equal") {
  for (const ChosenFlows& set : all_sets()) {
    CAPTURE(set.name);
    std::vector<std::array<uint64_t, 2>> keys;
    for (const FlowKey& key : set.flows)
      keys.push_back(key.words());
    std::ranges::sort(keys);
    CHECK(keys.size() == test::chosen_flows);
    CHECK(std::ranges::adjacent_find(keys) == keys.end());
  }
}

TEST_CASE("sets chosen against hashes without a secret have one value under them") {
  const auto one_value = [](const ChosenFlows& set, auto hash) {
    return std::ranges::all_of(set.flows, [value = hash(set.flows[0]), &hash](const FlowKey& key) {
      return hash(key) == value;
    });
  };
  const FlowHash ours(0);
  for (const auto& sets : {test::against_table_hashes(), test::against_table_hashes_narrow()}) {
    for (const uint32_t initial : {0U, 0xffffffffU})
      CHECK(one_value(sets[0], [&](const FlowKey& key) { return test::crc32c(key, initial); }));
    CHECK(one_value(sets[1], test::exclusive_or));
  }
  const auto found = test::against_table_hashes();
  CHECK(one_value(found[2], [](const FlowKey& key) { return test::fnv1a(key) % 64; }));
  CHECK(one_value(found[3], [](const FlowKey& key) { return test::jenkins(key) % 64; }));
  CHECK(one_value(found[4], [&](const FlowKey& key) { return ours(key) >> 58; }));
  CHECK(one_value(test::against_zero_secret_and_rss(),
                  [&](const FlowKey& key) { return ours(key, 0); }));
}

TEST_CASE("chosen flows come to all buckets evenly under any secret, and have all tags") {
  const auto& sets = all_sets();
  for (int i = 0; i < secrets; ++i) {
    const FlowHash hash(secret_of_a_start());
    for (const RssCase& rss : rss_cases()) {
      for (const ChosenFlows& set : sets) {
        std::vector<uint64_t> hashes;
        for (const FlowKey& key : set.flows) {
          const auto given = rss.rss(key);
          hashes.push_back(given ? hash(key, *given) : hash(key));
        }
        CAPTURE(rss.name, set.name);
        CHECK(unevenness(hashes, [](uint64_t h) { return h >> 52; }) < 1.2);         // first bucket
        CHECK(unevenness(hashes, [](uint64_t h) { return h >> 20 & 4095; }) < 1.2);  // second
        CHECK(unevenness(hashes, [](uint64_t h) { return h >> 4 & 4095; }) < 1.2);   // tag
        CHECK(unevenness(hashes, [](uint64_t h) { return h & 4095; }) < 1.2);
      }
    }
  }
}

// In the mean 1.0005 entries are read for a flow. That a lookup meets four others with its tag
// among the 51 beside it comes once in 10^9 tables.
TEST_CASE("a table of chosen flows, full to the last, is as quick as one of random flows") {
  for (const RssCase& rss : rss_cases()) {
    const auto random = test::random_flows(secret_of_a_start()).flows;
    FullTable others(random, rss);
    CHECK(others.evicted() == 0);
    for (size_t i = 0; i < all_sets().size(); i += one_set_of) {
      const ChosenFlows& set = all_sets()[i];
      CAPTURE(rss.name, set.name);
      FullTable table(set.flows, rss);
      CHECK(table.evicted() == 0);
      // The standard deviation of each is 2 % of it.
      CHECK(static_cast<double>(table.second_looks()) <
            1.2 * static_cast<double>(others.second_looks()));
      const auto reads = table.entries_read();
      CHECK(reads.most <= 4);
      CHECK(reads.mean < 1.002);
    }
  }
}
