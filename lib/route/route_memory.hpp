#pragma once

#include <cstddef>
#include <span>

#include "route/route.hpp"

namespace pollflow::route {

// Memory for the tables of routes of a run, set aside at its start: a reload then asks the system
// for nothing. It could not ask EAL either, whose huge pages are root's files and whose physical
// addresses only CAP_SYS_ADMIN may read, when pollflow has given both up.
//
//   mmap: [ table in force | the next one, while it is built | room to grow ]  a heap of EAL's
//
// Costs: address space; memory only as tables touch it, in transparent huge pages where the kernel
// has them, and kept until the end. Failure mode: routes that have outgrown it are not loaded
// (RouteTable throws), and those in force stay.
class RouteMemory {
 public:
  // Room for a run that begins with these routes: twice their table, and growth_bytes.
  static constexpr size_t growth_bytes = size_t{64} << 20;
  static size_t bytes_needed(std::span<const Route> routes);

  // One for a process at a time. Throws Failure when it cannot be had. EAL must be up.
  explicit RouteMemory(size_t bytes);
  RouteMemory(const RouteMemory&) = delete;
  RouteMemory& operator=(const RouteMemory&) = delete;
  ~RouteMemory();  // after the last table in it

  // The NUMA node by which EAL knows it.
  [[nodiscard]] int node() const;

 private:
  size_t bytes_;  // in whole pages
  void* memory_;
};

}  // namespace pollflow::route
