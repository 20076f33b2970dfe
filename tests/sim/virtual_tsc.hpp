#pragma once

#include <rte_cycles.h>

#include <cstdint>

// Included in front of the program's own sources that read the TSC (meson.build says which), so
// that they are run as they are, on a TSC that does not exist: virtual_clock.hpp.

namespace pollflow::test {

uint64_t virtual_tsc() noexcept;
uint64_t virtual_tsc_hz() noexcept;

}  // namespace pollflow::test

#define rte_rdtsc pollflow::test::virtual_tsc
#define rte_get_tsc_hz pollflow::test::virtual_tsc_hz
