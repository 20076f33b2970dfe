#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>

namespace pollflow::pipeline {

// A value that one lcore tells and any thread reads whole: a sequence lock over atomic words.
//
//   version  odd while words are being written | words ...
//
// Telling never waits and costs a store a word; a reader that comes in between reads again. Failure
// mode: a reader spins (yielding) for as long as the teller is kept from finishing.
template <typename Value>
class Published {
  static_assert(std::has_unique_object_representations_v<Value>, "no padding, no pointers to text");
  static_assert(sizeof(Value) % sizeof(uint64_t) == 0);
  using Words = std::array<uint64_t, sizeof(Value) / sizeof(uint64_t)>;

 public:
  // The one lcore.
  void publish(const Value& value) noexcept {
    const auto words = std::bit_cast<Words>(value);
    const uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    // Released, so that whoever sees a new word also sees the odd version.
    for (size_t i = 0; i < words.size(); ++i)
      words_[i].store(words[i], std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  // Any thread. All zeros before the first publish().
  [[nodiscard]] Value read() const noexcept {
    Words words;
    for (;;) {
      const uint64_t version = version_.load(std::memory_order_acquire);
      for (size_t i = 0; i < words.size(); ++i)
        words[i] = words_[i].load(std::memory_order_acquire);
      const bool whole = version_.load(std::memory_order_relaxed) == version;
      if (whole && version % 2 == 0) return std::bit_cast<Value>(words);
      std::this_thread::yield();
    }
  }

 private:
  std::atomic<uint64_t> version_ = 0;
  std::array<std::atomic<uint64_t>, sizeof(Value) / sizeof(uint64_t)> words_{};
};

}  // namespace pollflow::pipeline
