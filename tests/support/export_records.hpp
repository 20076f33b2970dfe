#pragma once

#include <cstdint>

#include "flow/record.hpp"

namespace pollflow::test {

// When an exporter under test began, when its records leave, and records to tell apart.

inline constexpr int64_t boot_ms = 1'700'000'000'000;
inline constexpr int64_t start_ms = boot_ms + 60'000;
inline constexpr uint64_t second_ns = 1'000'000'000;

inline flow::Record numbered_record(int64_t left_ms, uint32_t number) {
  return {.key = {.src = number,
                  .dst = 2,
                  .src_port = 3,
                  .dst_port = 4,
                  .in_if = 1,
                  .protocol = 17,
                  .tos = 0},
          .packets = 2,
          .octets = 100 + number,
          .first_ms = left_ms - 20'000,
          .last_ms = left_ms - 16'000,
          .left_ms = left_ms,
          .tcp_flags = 0,
          .reason = flow::EndReason::idle};
}

}  // namespace pollflow::test
