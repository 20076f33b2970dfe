#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/dice.hpp"
#include "sim/trace.hpp"
#include "sim/traffic.hpp"
#include "sim/virtual_port.hpp"
#include "sim/world.hpp"

namespace pollflow::test {

// Lets a world run step by step, and whatever can go wrong do so: each step may begin with a fault,
// a reload or a question, some of which last for a while; then come some turns with packets or
// without, as long as the dice say. All is drawn from a seed.
class FaultInjector {
 public:
  FaultInjector(World& world, VirtualPort& port, Dice& dice, Trace& trace);

  // Turns that lanes did not have because they were kept from them.
  struct TurnsKept {
    uint64_t workers;
    uint64_t exporter;
  };

  // A step, after which everything is checked.
  void step();
  // The word to stop comes in the next step, before the turn of some lane.
  void stop_in_next_step(bool deaf) { stop_deaf_ = deaf; }

  [[nodiscard]] const TurnsKept& turns_kept() const noexcept { return turns_kept_; }

 private:
  // What the turns of a step are like.
  struct Pace {
    uint64_t turns;
    uint64_t gap_ms;       // between two of them
    uint64_t packets_max;  // in each
    uint32_t flows;        // 0: each packet is a flow of its own
  };

  Pace pace();
  std::string strike(Pace& pace);
  std::string strike_collector();
  std::string strike_clock();
  std::string reload();
  void turn(const Pace& pace);
  void may_stop();
  void elephant();

  World& world_;
  VirtualPort& port_;
  Dice& dice_;
  Trace& trace_;
  Traffic traffic_;
  uint32_t flows_;  // that packets are of, so many as to fill the tables twice in some worlds
  uint64_t steps_ = 0;
  uint32_t next_hop_ = 0;
  TurnsKept turns_kept_{};
  std::optional<bool> stop_deaf_;
  uint64_t stop_in_ = 0;  // turns of a lane; 0: not

  // Turns that these are still kept from theirs, or from their buffers.
  uint64_t exporter_stalled_ = 0;
  std::vector<uint64_t> lanes_stalled_;
  uint64_t buffers_kept_ = 0;
};

// Timeouts and pace of export as an operator may give them.
app::LiveSettings any_settings(Dice& dice);

}  // namespace pollflow::test
