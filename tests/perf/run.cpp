#include "run.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "failure.hpp"
#include "pipeline/free_frames.hpp"

namespace pollflow::perf {
namespace {

constexpr int64_t never_ms = 3'600'000;
constexpr std::array<size_t, 5> looks_ahead = {8, 16, 32, 64, 128};

}  // namespace

Run::Run(const Case& setting, Source& source, const Options& options)
    : setting_(setting),
      source_(source),
      slice_(options.slice()),
      subject_({.name = setting.name,
                .flows_max = setting.flows_max,
                .rules = {.inactive_timeout_ms = never_ms, .active_timeout_ms = never_ms},
                .drain_cpu = setting.drain ? 1 : -1}),
      raw_memory_(setting.flows_max / 4 * 5 * sizeof(RawFloor::Line)),
      raw_(raw_memory_.bytes()) {
  if (setting.with_rte_hash)
    library_ = std::make_unique<LibraryWorker>(static_cast<uint32_t>(setting.flows_max / 4 * 5));
}

Samples Run::measure() {
  warm();
  const size_t ahead = best_look_ahead();
  for (size_t round = 0; round < setting_.measured.size() / slice_; ++round)
    take_round(slice(round), ahead);
  subject_.must_be_exact(source_, packets_);
  if (library_ && library_->accounted() != source_.ip(packets_))
    throw Failure(ExitCode::failed, "rte_hash in our place: totals differ");
  samples_["look ahead of raw"].push_back(static_cast<double>(ahead));
  return std::move(samples_);
}

std::span<const uint32_t> Run::slice(size_t round) const {
  return std::span(setting_.measured).subspan(round * slice_, slice_);
}

size_t Run::best_look_ahead() {
  return *std::ranges::min_element(looks_ahead, {}, [this](size_t ahead) {
    return cycles_of([&] { raw_.run(slice(0), ahead); });
  });
}

void Run::warm() {
  for_worker(setting_.warm);
  for_library(setting_.warm);
  raw_.run(setting_.warm, looks_ahead.back());
}

void Run::take_round(std::span<const uint32_t> flows, size_t ahead) {
  const auto sample = [&](const char* name, auto work) {
    samples_[name].push_back(cycles_of(work) / static_cast<double>(flows.size()));
  };
  const auto discard = [](const port::Burst& burst) { pipeline::free_frames(burst.packets); };
  sample("null", [&] { feed(source_, flows, setting_.hashes, discard); });
  sample("worker", [&] { for_worker(flows); });
  if (library_) sample("library", [&] { for_library(flows); });
  sample("raw", [&] { raw_.run(flows, ahead); });
}

void Run::for_worker(std::span<const uint32_t> flows) {
  pipeline::Worker& worker = subject_.worker();
  feed(source_, flows, setting_.hashes, [&](const port::Burst& burst) { worker.process(burst); });
  worker.settle();
  packets_ += flows.size();
}

void Run::for_library(std::span<const uint32_t> flows) {
  if (!library_) return;
  feed(source_, flows, setting_.hashes,
       [this](const port::Burst& burst) { library_->process(burst); });
}

}  // namespace pollflow::perf
