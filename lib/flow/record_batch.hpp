#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "flow/record.hpp"

namespace pollflow::flow {

// Records that leave the table during one turn of a worker. Its room is set before the turn to what
// the expiry ring can take, so a flow is only taken out of the table when its record has a place: a
// record is reserved first, the entry is reused second.
class RecordBatch {
 public:
  static constexpr size_t records_max = 256;

  // Empties the batch; it will take at most `room` records, and at most records_max.
  void reset(size_t room) noexcept {
    count_ = 0;
    room_ = std::min(room, records_max);
  }

  [[nodiscard]] bool full() const noexcept { return count_ == room_; }
  // The batch must not be full.
  void push(const Record& record) noexcept { records_[count_++] = record; }
  [[nodiscard]] std::span<const Record> records() const noexcept {
    return {records_.data(), count_};
  }

 private:
  size_t count_ = 0;
  size_t room_ = 0;
  std::array<Record, records_max> records_;
};

}  // namespace pollflow::flow
