#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "flow/flow_walk.hpp"

namespace pollflow::pipeline {

// What a control thread asks a worker to do with the flows in its table. The worker does it between
// bursts, a bounded step a turn; neither waits for the other, and nothing is locked.
//
//   control thread   ──ask()──> pending                        answer read ──
//   worker                      pending ──step── ... ──step──> done
//
// One control thread at a time. Failure mode: the worker does not come by; who gives up waiting for
// it cannot ask anew until it has.
class Errand {
 public:
  enum class Kind : uint8_t { list, expire };
  static constexpr size_t flows_max = 256;  // that one list holds

  struct Question {
    Kind kind = Kind::list;
    flow::FlowWalk walk;
  };

  // The control thread.
  [[nodiscard]] bool pending() const noexcept { return pending_.load(std::memory_order_acquire); }
  // Not while it is pending.
  void ask(const Question& question) noexcept;

  // The answer, once it is not pending any more. A list ends where it is full: the walk goes on
  // from its slot unless at_end().
  [[nodiscard]] std::span<const flow::LiveFlow> flows() const noexcept {
    return {flows_.data(), count_};
  }
  [[nodiscard]] size_t next_slot() const noexcept { return question_.walk.slot; }
  [[nodiscard]] bool at_end() const noexcept { return at_end_; }
  [[nodiscard]] uint64_t expired() const noexcept { return expired_; }

  // The worker.
  [[nodiscard]] Kind kind() const noexcept { return question_.kind; }
  [[nodiscard]] flow::FlowWalk& walk() noexcept { return question_.walk; }
  [[nodiscard]] std::span<flow::LiveFlow> room() noexcept {
    return std::span(flows_).subspan(count_);
  }
  void listed(size_t more) noexcept { count_ += more; }
  void expired(size_t more) noexcept { expired_ += more; }
  void done(bool at_end) noexcept;

 private:
  std::atomic<bool> pending_ = false;
  Question question_;
  bool at_end_ = false;
  uint64_t expired_ = 0;
  size_t count_ = 0;
  std::array<flow::LiveFlow, flows_max> flows_;
};

}  // namespace pollflow::pipeline
