#include "eal_trouble.hpp"

#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::app;

TEST_CASE("what EAL says is wrong is explained with the command that mends it") {
  struct Case {
    const char* log;
    ExitCode code;
    const char* words;
  };
  const Case cases[] = {
      {"EAL: Detected CPU lcores: 2\nEAL: Selected IOVA mode 'PA'\nEAL: Cannot get hugepage "
       "information.\n",
       ExitCode::no_device, "scripts/hugepages"},
      {"EAL: No free 2048 kB hugepages reported on node 0\nEAL: Cannot get hugepage "
       "information.\n",
       ExitCode::no_device, "scripts/hugepages"},
      {"EAL: No supported IOMMU extensions found!\nEAL: 0000:00:05.0 failed to select IOMMU type\n",
       ExitCode::no_device, "vfio_iommu_type1"},
      {"EAL: Cannot open /dev/vfio/12: Device or resource busy\n", ExitCode::no_device,
       "in use by another program"},
      {"EAL: Cannot create lock on '/var/run/dpdk/rte/config'. Is another primary process "
       "running?\nEAL: Cannot init config\n",
       ExitCode::no_device, "--file-prefix"},
      {"EAL: lcore 2 unavailable\nEAL: invalid core list, please check specified cores\n",
       ExitCode::usage, "may not run on their CPUs"},
      {"EAL: Error - cannot open /dev/vfio/12: Permission denied\n", ExitCode::no_permission,
       "VFIO group"},
      {"EAL: Cannot find device (0000:77:00.0)\n", ExitCode::no_device, "scripts/bind-nic"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.log);
    const auto trouble = explain_eal(each.log);
    REQUIRE(trouble.has_value());
    CHECK(trouble->code == each.code);
    CHECK_THAT(trouble->sentence, Catch::Contains(each.words));
  }
}

TEST_CASE("a log without trouble, or with trouble unheard of, is left to EAL's own words") {
  CHECK_FALSE(explain_eal("").has_value());
  // Of two sizes of huge pages one may well be there.
  CHECK_FALSE(explain_eal("EAL: No free 1048576 kB hugepages reported on node 0\nEAL: Physical "
                          "addresses are unavailable, selecting IOVA as VA mode.\n")
                  .has_value());
  CHECK_FALSE(explain_eal("EAL: Detected CPU lcores: 2\nEAL: Detected NUMA nodes: 1\nEAL: Selected "
                          "IOVA mode 'VA'\nEAL: something odd\n")
                  .has_value());
}
