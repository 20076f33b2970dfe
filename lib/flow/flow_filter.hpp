#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "packet/flow_key.hpp"

namespace pollflow::flow {

// Which flows are meant: up to terms_max terms, all of which must hold. No terms: every flow.
// Fixed in size, so that it can be handed to a worker lcore by value.
class FlowFilter {
 public:
  static constexpr size_t terms_max = 8;

  // Reads "src net 10.0.0.0/8 and tcp and dst port 443" (docs/reference/telemetry.md, "Filters").
  // Throws std::invalid_argument with a sentence about the word that is wrong.
  static FlowFilter parse(std::string_view text);

  [[nodiscard]] bool matches(const packet::FlowKey& key) const noexcept;

 private:
  enum class Field : uint8_t { address, port, protocol, in_if };
  enum Side : uint8_t { src = 1, dst = 2, either = 3 };

  struct Term {
    Field field;
    Side side;
    uint32_t mask;
    uint32_t value;
  };
  class Parser;

  static bool holds(const Term& term, const packet::FlowKey& key) noexcept;

  std::array<Term, terms_max> terms_{};
  size_t count_ = 0;
};

}  // namespace pollflow::flow
