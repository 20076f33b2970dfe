#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <random>

#include "pipeline/free_frames.hpp"
#include "subject.hpp"
#include "support/chosen_flows.hpp"
#include "support/toeplitz.hpp"
#include "whole_run.hpp"

namespace pollflow::perf {
namespace {

constexpr int64_t never_ms = 3'600'000;

using RssHash = std::function<uint32_t(const packet::FlowKey&)>;

// A worker and what it is given: as many flows as its table holds, all of them in it.
class Attacked {
 public:
  Attacked(const test::ChosenFlows& set, const RssHash& rss, const Options& options)
      : name_(set.name),
        subject_({.name = fmt::format("chosen {}", number_++),
                  .flows_max = options.flows(test::chosen_flows),
                  .rules = {.inactive_timeout_ms = never_ms, .active_timeout_ms = never_ms}}) {
    for (uint32_t i = 0; i < options.flows(test::chosen_flows); ++i)
      images_.emplace_back(set.flows[i], rss(set.flows[i]));
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<FlowImage>& images() const { return images_; }

  // Of the sequence, once each flow has had a packet: others were at work since it was last here.
  double cycles(Source& source, const Sequence& each_once, const Sequence& sequence) {
    give(source, each_once);
    const double all = cycles_of([&] { give(source, sequence); });
    return all / static_cast<double>(sequence.size());
  }
  [[nodiscard]] const char* pages() const { return subject_.memory().pages(); }
  void must_be_exact(Source& source) { subject_.must_be_exact(source, packets_); }

 private:
  static inline unsigned number_ = 0;

  void give(Source& source, const Sequence& sequence) {
    feed(source, sequence, images_,
         [this](const port::Burst& burst) { subject_.worker().process(burst); });
    subject_.worker().settle();
    packets_ += sequence.size();
  }

  std::string name_;
  std::vector<FlowImage> images_;
  Subject subject_;
  uint64_t packets_ = 0;
};

using Attacks = std::vector<std::unique_ptr<Attacked>>;

// The NIC's hash by a key that nobody knows, and for some the same for all. UDP, as the random ones
// are: what is neither UDP nor TCP takes the decoder more cycles, whoever chose it.
Attacks make_attacks(const Options& options) {
  std::mt19937_64 random(std::random_device{}());
  std::vector<uint8_t> key(40);
  std::ranges::generate(key, [&] { return static_cast<uint8_t>(random()); });
  const test::Toeplitz unknown(key);
  const RssHash none = [](const packet::FlowKey&) { return 0U; };
  Attacks attacks;
  const auto add = [&](const test::ChosenFlows& set, const RssHash& rss) {
    attacks.push_back(std::make_unique<Attacked>(set, rss, options));
  };
  for (const auto& sets :
       {test::against_rss_keys(), test::against_rss_keys_narrow(), test::plain_patterns(),
        test::against_table_hashes(), test::against_table_hashes_narrow()}) {
    for (const auto& set : sets)
      add(set, unknown);
  }
  for (test::ChosenFlows& set : test::plain_patterns()) {
    set.name += ", RSS hashes equal";
    add(set, none);
  }
  add(test::against_zero_secret_and_rss(), none);
  return attacks;
}

}  // namespace

ChosenCase chosen_case(const Options& options) {
  const Attacks attacks = make_attacks(options);
  const auto flows = options.flows(test::chosen_flows);
  Attacked others(test::random_flows(1), test::Toeplitz(test::public_rss_keys()[0].bytes), options);
  Source source("chosen");
  Sequence each_once(flows);
  std::iota(each_once.begin(), each_once.end(), 0U);
  const Sequence sequence = uniform(options.slice(), flows);

  const auto discard = [](const port::Burst& burst) { pipeline::free_frames(burst.packets); };
  Samples samples;
  for (unsigned round = 0; round < options.rounds; ++round) {
    const double alone = cycles_of([&] { feed(source, sequence, others.images(), discard); }) /
                         static_cast<double>(sequence.size());
    double before = others.cycles(source, each_once, sequence) - alone;
    for (const auto& attack : attacks) {
      const double chosen = attack->cycles(source, each_once, sequence) - alone;
      const double behind = others.cycles(source, each_once, sequence) - alone;
      samples["random"].push_back(behind);
      samples[attack->name()].push_back(chosen / ((before + behind) / 2));
      before = behind;
    }
  }
  others.must_be_exact(source);
  for (const auto& attack : attacks)
    attack->must_be_exact(source);
  return {std::move(samples), others.pages()};
}

}  // namespace pollflow::perf
