#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/sources.hpp"
#include "flow/flow_filter.hpp"
#include "flow/flow_walk.hpp"

namespace pollflow::control {

// Where a snapshot of all workers' live flows goes on: "WORKER:SLOT:BEGAN", docs/reference/
// telemetry.md.
struct Cursor {
  size_t worker = 0;  // the first, second, ... of the run's
  size_t slot = 0;
  int64_t began_ms = 0;  // Unix; 0: not yet

  // Throws std::invalid_argument with a sentence.
  static Cursor parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  bool operator==(const Cursor&) const = default;
};

enum class FlowOrder : uint8_t { octets, packets, age };

// Asks the workers of a run about their live flows, one control thread at a time. Each throws
// std::runtime_error with a sentence when a worker does not answer.
class FlowDesk {
 public:
  explicit FlowDesk(const Sources& sources) : sources_(sources) {}

  // The next flows of the snapshot that `cursor` is in, at most flows_max of one worker, perhaps
  // none; the cursor moves on. They stay valid until the next question.
  std::span<const flow::LiveFlow> list(Cursor& cursor, const flow::FlowFilter& filter);
  // Nothing is left behind the cursor.
  [[nodiscard]] bool at_end(const Cursor& cursor) const noexcept {
    return cursor.worker >= sources_.workers.size();
  }

  struct Top {
    std::vector<flow::LiveFlow> flows;  // first first
    uint64_t matched = 0;
  };
  // The `count` first of all flows by an order.
  Top top(size_t count, FlowOrder order, const flow::FlowFilter& filter);

  // Lets all flows leave that the filter matches, and returns how many.
  uint64_t expire(const flow::FlowFilter& filter);

 private:
  void ask(size_t worker, const pipeline::Errand::Question& question);

  const Sources& sources_;
};

}  // namespace pollflow::control
