#include "control/flow_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "whole_number.hpp"

namespace pollflow::control {
namespace {

using pipeline::Errand;

// A worker takes a step between two bursts, and a thousand of them for a table of half a million.
// What it shall export has to wait for room in its ring besides.
constexpr auto list_patience = std::chrono::seconds(5);
constexpr auto expire_patience = std::chrono::seconds(50);

// A total order, so that the same flows give the same list.
bool before(const flow::LiveFlow& a, const flow::LiveFlow& b, FlowOrder order) {
  const auto rank = [order](const flow::LiveFlow& f) {
    const int64_t wanted = order == FlowOrder::octets    ? -int64_t{f.octets}
                           : order == FlowOrder::packets ? -int64_t{f.packets}
                                                         : f.first_ms;
    return std::tuple(wanted, -int64_t{f.octets}, f.first_ms, f.key.src, f.key.dst, f.key.src_port,
                      f.key.dst_port, f.key.protocol, f.key.tos, f.key.in_if);
  };
  return rank(a) < rank(b);
}

}  // namespace

Cursor Cursor::parse(std::string_view text) {
  if (text.empty() || text == "0") return {};
  const size_t first = text.find(':');
  const size_t second = text.find(':', first + 1);
  if (first != std::string_view::npos && second != std::string_view::npos) {
    const auto worker = whole_number<size_t>(text.substr(0, first), 0, SIZE_MAX);
    const auto slot = whole_number<size_t>(text.substr(first + 1, second - first - 1), 0, SIZE_MAX);
    const auto began_ms = whole_number<int64_t>(text.substr(second + 1), 1, INT64_MAX);
    if (worker && slot && began_ms) return {*worker, *slot, *began_ms};
  }
  throw std::invalid_argument(fmt::format(
      "cursor '{}' is none; begin with 0, then give the one that came with the page before", text));
}

std::string Cursor::text() const {
  return fmt::format("{}:{}:{}", worker, slot, began_ms);
}

void FlowDesk::ask(size_t worker, const Errand::Question& question) {
  using Clock = std::chrono::steady_clock;
  Errand& errand = *sources_.workers[worker].errand;
  const bool exports = question.kind == Errand::Kind::expire;
  const auto deadline = Clock::now() + (exports ? expire_patience : list_patience);
  const auto wait = [&] {
    auto pause = std::chrono::microseconds(20);
    while (errand.pending()) {
      if (sources_.over->load(std::memory_order_acquire))
        throw std::runtime_error("pollflow has just stopped; its flows have been exported");
      if (Clock::now() > deadline) {
        throw std::runtime_error(
            fmt::format("the worker on lcore {} is not done in time; look "
                        "whether it still receives (info)",
                        sources_.workers[worker].lcore));
      }
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(1000));
    }
  };
  wait();  // for what somebody gave up waiting for
  errand.ask(question);
  wait();
}

std::span<const flow::LiveFlow> FlowDesk::list(Cursor& cursor, const flow::FlowFilter& filter) {
  if (cursor.began_ms == 0) cursor.began_ms = sources_.clock->now_ms();
  if (at_end(cursor)) return {};
  ask(cursor.worker,
      {.kind = Errand::Kind::list,
       .walk = {.filter = filter, .before_ms = cursor.began_ms, .slot = cursor.slot}});
  const Errand& answer = *sources_.workers[cursor.worker].errand;
  cursor.slot = answer.next_slot();
  if (answer.at_end()) {
    ++cursor.worker;
    cursor.slot = 0;
  }
  return answer.flows();
}

FlowDesk::Top FlowDesk::top(size_t count, FlowOrder order, const flow::FlowFilter& filter) {
  const auto first = [order](const flow::LiveFlow& a, const flow::LiveFlow& b) {
    return before(a, b, order);
  };
  Top top;
  for (Cursor cursor; !at_end(cursor);) {
    for (const flow::LiveFlow& flow : list(cursor, filter)) {
      ++top.matched;
      if (top.flows.size() == count) {
        if (count == 0 || !first(flow, top.flows.front())) continue;
        std::ranges::pop_heap(top.flows, first);
        top.flows.pop_back();
      }
      top.flows.push_back(flow);
      std::ranges::push_heap(top.flows, first);
    }
  }
  std::ranges::sort(top.flows, first);
  return top;
}

uint64_t FlowDesk::expire(const flow::FlowFilter& filter) {
  constexpr int64_t whenever_it_began = std::numeric_limits<int64_t>::max();
  uint64_t expired = 0;
  for (size_t worker = 0; worker < sources_.workers.size(); ++worker) {
    ask(worker, {.kind = Errand::Kind::expire,
                 .walk = {.filter = filter, .before_ms = whenever_it_began, .slot = 0}});
    expired += sources_.workers[worker].errand->expired();
  }
  return expired;
}

}  // namespace pollflow::control
