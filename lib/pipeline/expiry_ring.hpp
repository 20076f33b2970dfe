#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "flow/record.hpp"

struct rte_ring;

namespace pollflow::pipeline {

// Finished flows on their way from one worker to the export lcore: rte_ring with records by value,
// one producer, one consumer.
class ExpiryRing {
 public:
  static constexpr unsigned records_max = 4095;

  // Allocates on NUMA node `socket`; throws Failure when there is no memory. EAL must be up.
  ExpiryRing(const std::string& name, int socket);
  ExpiryRing(const ExpiryRing&) = delete;
  ExpiryRing& operator=(const ExpiryRing&) = delete;
  ~ExpiryRing();

  // Bytes of EAL memory that a ring takes.
  static size_t bytes_needed() noexcept;

  // Producer: records that there is room for (more once the consumer has gone on).
  [[nodiscard]] unsigned room() const noexcept;
  // Anyone: records it holds now.
  [[nodiscard]] unsigned count() const noexcept;
  // Records that have gone in and come out in all, modulo 2^32, as rte_ring itself counts them:
  // exact on the producer's and the consumer's lcore.
  [[nodiscard]] uint32_t pushed() const noexcept;
  [[nodiscard]] uint32_t popped() const noexcept;
  // Producer: there must be room for all of them.
  void push(std::span<const flow::Record> records) noexcept;
  // Consumer: some of the records in front, at most `most`, none when it is empty. They stay in the
  // ring, and are not counted as popped, until drop_front() of as many; only then front() again.
  std::span<const flow::Record> front(unsigned most) noexcept;
  void drop_front(unsigned count) noexcept;

 private:
  void ask_for_room(size_t records) noexcept;

  rte_ring* ring_;
};

}  // namespace pollflow::pipeline
