#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/collector_view.hpp"
#include "sim/dice.hpp"
#include "sim/trace.hpp"

namespace pollflow::test {

// What the kernel answers when datagrams are sent, and which collectors get them.
class Network {
 public:
  static constexpr uint16_t first_port = 20'001;  // collectors' ports go on from here

  enum class Mood : uint8_t {
    well,
    busy,     // EAGAIN, ENOBUFS, EINTR: later perhaps
    hostile,  // what a firewall, a route, an interface or no memory answers
    no_rows,  // what refuses rows
    any,      // any errno there is
    cuts,     // takes less than it is offered
    gone,     // takes all, the network loses it, and answers that nobody listens
  };
  static constexpr std::array mood_names = {"well", "busy", "hostile", "no rows",
                                            "any",  "cuts", "gone"};

  Network(Dice& dice, Trace& trace, size_t collectors, unsigned records_max);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  // From now on; of a thousand calls so many meet it.
  void set_mood(size_t collector, Mood mood, uint64_t in_thousand);
  [[nodiscard]] bool all_well() const;

  [[nodiscard]] const std::vector<CollectorView>& views() const noexcept { return views_; }
  [[nodiscard]] uint64_t refusals() const noexcept { return refusals_; }
  // The first thing that was wrong with a datagram: who sends must not be thrown at.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  struct State {
    Mood mood = Mood::well;
    uint64_t in_thousand = 1000;
    bool must_answer = false;  // that nobody listens, at the next call
  };

  ssize_t answer(int socket, std::span<const uint8_t> bytes, size_t datagram_bytes) noexcept;
  int error_for(State& state);
  size_t collector_of(int socket);
  size_t datagrams_taken(State& state, size_t offered);
  void deliver(size_t collector, std::span<const uint8_t> datagram, bool taken);
  void hand_over(size_t collector, std::span<const uint8_t> datagram);

  Dice& dice_;
  Trace& trace_;
  std::vector<State> states_;
  std::vector<CollectorView> views_;
  std::map<int, size_t> collectors_;      // by socket
  std::map<uint32_t, uint64_t> sent_as_;  // hash of each datagram, by sequence
  uint64_t refusals_ = 0;
  std::string failure_;
};

}  // namespace pollflow::test
