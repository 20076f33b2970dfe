// For tests that need mbufs and rings: EAL starts once in a process, so once around all of a
// binary's tests, without huge pages, devices or files.

#define CATCH_CONFIG_RUNNER
#include <rte_eal.h>

#include <array>

#include "support/catch.hpp"

int main(int argc, char** argv) {
  std::array<const char*, 9> eal = {"test",     "--no-huge", "--no-shconf", "--no-telemetry",
                                    "--no-pci", "-m",        "256",         "--log-level=error"};
  if (rte_eal_init(8, const_cast<char**>(eal.data())) < 0) return 1;
  const int failed = Catch::Session().run(argc, argv);
  rte_eal_cleanup();
  return failed;
}
