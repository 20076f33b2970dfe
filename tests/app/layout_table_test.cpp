#include "layout_table.hpp"

#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::app;

TEST_CASE("the layout is a line for each queue, with its owner and the owner's memory") {
  const std::vector<port::PortFacts> ports = {
      {.port = 0, .device = "0000:3b:00.0", .driver = "net_ice", .node = 0},
      {.port = 1, .device = "net_af_packet0", .driver = "net_af_packet", .node = -1}};
  const LcorePlan plan{.control = {0, 0},
                       .exporter = {3, 1},
                       .workers = {{{1, 0}, {{0, 0}, {1, 0}}}, {{2, 1}, {{0, 1}}}},
                       .idle = {{4, 1}}};
  CHECK(layout_table(plan, ports, {5 << 20, (1 << 20) + 1}) ==
        "\n"
        "port  driver          device              queue  lcore  node      memory\n"
        "   0  net_ice         0000:3b:00.0            0      1     0       5 MiB\n"
        "   0  net_ice         0000:3b:00.0            1      2     1       2 MiB\n"
        "   1  net_af_packet   net_af_packet0          0      1     0      (same)\n"
        "lcore 0 controls, lcore 3 exports, lcore 4 has no queue to poll\n");
}
