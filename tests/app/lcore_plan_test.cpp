#include "lcore_plan.hpp"

#include <algorithm>
#include <vector>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::app;
using port::PortFacts;

namespace {

// Lcores `ids`, all on NUMA node 0; the first is the main one.
std::vector<Lcore> on_one_node(const std::vector<unsigned>& ids) {
  std::vector<Lcore> lcores;
  for (const unsigned id : ids)
    lcores.push_back({.id = id, .node = 0});
  return lcores;
}

PortFacts nic(uint16_t port, int node, uint16_t queues_max) {
  return {.port = port,
          .device = "0000:00:05.0",
          .driver = "net_igb",
          .node = node,
          .queues_min = 1,
          .queues_max = queues_max,
          .descriptors = 512};
}

// All of its queues must be polled.
PortFacts fanout(uint16_t port, uint16_t queues) {
  PortFacts facts = nic(port, -1, queues);
  facts.queues_min = queues;
  return facts;
}

LcorePlan plan(const std::vector<Lcore>& lcores, const std::vector<PortFacts>& ports,
               std::optional<unsigned> export_lcore = {}) {
  return plan_lcores(
      {.lcores = lcores, .main = lcores.front().id, .export_lcore = export_lcore, .ports = ports});
}

std::vector<unsigned> ids_of(const std::vector<WorkerPlan>& workers) {
  std::vector<unsigned> ids;
  for (const WorkerPlan& worker : workers)
    ids.push_back(worker.lcore.id);
  return ids;
}

std::vector<size_t> queue_counts(const LcorePlan& plan) {
  std::vector<size_t> counts;
  for (const WorkerPlan& worker : plan.workers)
    counts.push_back(worker.queues.size());
  return counts;
}

// Each queue from 0 on has exactly one owner.
void check_each_queue_has_one_owner(const LcorePlan& plan, const std::vector<PortFacts>& ports) {
  for (const PortFacts& port : ports) {
    const uint16_t queues = plan.queues_of(port.port);
    CHECK(queues >= port.queues_min);
    CHECK(queues <= port.queues_max);
    for (uint16_t queue = 0; queue < queues; ++queue) {
      size_t owners = 0;
      for (const WorkerPlan& worker : plan.workers)
        owners +=
            static_cast<size_t>(std::ranges::count(worker.queues, QueueRef{port.port, queue}));
      CHECK(owners == 1);
    }
  }
}

using Ids = std::vector<unsigned>;
using Counts = std::vector<size_t>;

}  // namespace

TEST_CASE("one lcore does everything") {
  const LcorePlan one = plan(on_one_node({5}), {nic(0, 0, 16)});
  CHECK(one.control.id == 5);
  CHECK(one.exporter.id == 5);
  CHECK(ids_of(one.workers) == Ids{5});
  CHECK(queue_counts(one) == Counts{1});
}

TEST_CASE("of two lcores the main one controls and exports, so that the worker never waits") {
  const LcorePlan two = plan(on_one_node({0, 1}), {nic(0, 0, 16)});
  CHECK(two.control.id == 0);
  CHECK(two.exporter.id == 0);
  CHECK(ids_of(two.workers) == Ids{1});
}

TEST_CASE("of more the main one controls, the last exports, the rest work") {
  const LcorePlan many = plan(on_one_node({0, 1, 2, 3, 4, 5}), {nic(0, 0, 16)});
  CHECK(many.control.id == 0);
  CHECK(many.exporter.id == 5);
  CHECK(ids_of(many.workers) == Ids{1, 2, 3, 4});
  CHECK(queue_counts(many) == Counts{1, 1, 1, 1});
}

TEST_CASE("the main lcore may be the last one: then the one before it exports") {
  const auto lcores = on_one_node({1, 2, 3});
  const LcorePlan last = plan_lcores({.lcores = lcores, .main = 3, .ports = {nic(0, 0, 4)}});
  CHECK(last.control.id == 3);
  CHECK(last.exporter.id == 2);
  CHECK(ids_of(last.workers) == Ids{1});
}

TEST_CASE("--export-lcore names the lcore that exports") {
  const auto lcores = on_one_node({0, 1, 2, 3});
  CHECK(ids_of(plan(lcores, {nic(0, 0, 4)}, 1).workers) == Ids{2, 3});
  CHECK(ids_of(plan(lcores, {nic(0, 0, 4)}, 0).workers) == Ids{1, 2, 3});
  CHECK(plan(lcores, {nic(0, 0, 4)}, 0).exporter.id == 0);
  // Of two, the main lcore then controls and works.
  CHECK(ids_of(plan(on_one_node({0, 1}), {nic(0, 0, 4)}, 1).workers) == Ids{0});
  CHECK_THROWS_WITH(plan(lcores, {nic(0, 0, 4)}, 7),
                    Catch::Contains("--export-lcore 7: EAL has lcores 0, 1, 2, 3 only"));
}

TEST_CASE("more lcores than queues: some stay without work") {
  const LcorePlan few = plan(on_one_node({0, 1, 2, 3, 4, 5, 6, 7}), {nic(0, 0, 2)});
  CHECK(ids_of(few.workers) == Ids{1, 2});
  CHECK(few.idle.size() == 4);
  CHECK(few.exporter.id == 7);
}

TEST_CASE("a device that wants a power of two gets one, and a worker may stay idle") {
  PortFacts vmxnet3 = nic(0, 0, 16);
  vmxnet3.power_of_two = true;
  const LcorePlan three = plan(on_one_node({0, 1, 2, 3, 4}), {vmxnet3});
  CHECK(ids_of(three.workers) == Ids{1, 2});
  CHECK(three.idle.size() == 1);
}

TEST_CASE("more queues than lcores: RSS makes as many as there are workers") {
  const std::vector<PortFacts> ports = {nic(0, 0, 128)};
  const LcorePlan many = plan(on_one_node({0, 1, 2, 3}), ports);
  CHECK(queue_counts(many) == Counts{1, 1});
  check_each_queue_has_one_owner(many, ports);
}

TEST_CASE("queues that must all be polled are shared out evenly") {
  const std::vector<PortFacts> ports = {fanout(0, 5)};
  const LcorePlan all = plan(on_one_node({0, 1, 2, 3}), ports);
  CHECK(queue_counts(all) == Counts{3, 2});
  check_each_queue_has_one_owner(all, ports);
}

TEST_CASE("several ports on one node: each worker has a queue of each") {
  const std::vector<PortFacts> ports = {nic(0, 0, 16), nic(1, 0, 16), nic(2, 0, 16)};
  const LcorePlan three = plan(on_one_node({0, 1, 2, 3, 4}), ports);
  CHECK(queue_counts(three) == Counts{3, 3, 3});
  check_each_queue_has_one_owner(three, ports);
}

TEST_CASE("ports of one queue each go to a worker each") {
  const std::vector<PortFacts> ports = {nic(0, -1, 1), nic(1, -1, 1)};
  const LcorePlan two = plan(on_one_node({0, 1, 2, 3}), ports);
  CHECK(two.workers[0].queues == std::vector<QueueRef>{{0, 0}});
  CHECK(two.workers[1].queues == std::vector<QueueRef>{{1, 0}});
}

TEST_CASE("two nodes with a port each: no queue crosses") {
  const std::vector<Lcore> lcores = {{0, 0}, {1, 0}, {2, 1}, {3, 0}, {4, 1}, {5, 0}};
  const std::vector<PortFacts> ports = {nic(0, 0, 64), nic(1, 1, 64)};
  const LcorePlan two = plan(lcores, ports);
  CHECK(ids_of(two.workers) == Ids{1, 2, 3, 4});
  check_each_queue_has_one_owner(two, ports);
  for (const WorkerPlan& worker : two.workers) {
    REQUIRE(worker.queues.size() == 1);
    CHECK(worker.queues.front().port == worker.lcore.node);
  }
}

TEST_CASE("workers on a node without a port help the others; all-queues ports stay on their node") {
  const std::vector<Lcore> lcores = {{0, 0}, {1, 0}, {2, 1}, {3, 0}};
  CHECK(queue_counts(plan(lcores, {nic(0, 0, 64)})) == Counts{1, 1});

  PortFacts four_queues = fanout(0, 4);
  four_queues.node = 0;
  const LcorePlan near = plan(lcores, {four_queues, nic(1, 1, 1)});
  CHECK(queue_counts(near) == Counts{4, 1});
}

TEST_CASE("a port that no worker is near to is served from afar") {
  const std::vector<PortFacts> ports = {nic(0, 0, 8), nic(1, 1, 8)};
  const LcorePlan far = plan(on_one_node({0, 1, 2, 3}), ports);
  CHECK(queue_counts(far) == Counts{2, 2});
  check_each_queue_has_one_owner(far, ports);
}

TEST_CASE("too few lcores: the error says how many are needed and why") {
  CHECK_THROWS_AS(plan(on_one_node({0, 1, 2}), {fanout(0, 40)}), Failure);
  CHECK_THROWS_WITH(
      plan(on_one_node({0, 1, 2}), {fanout(0, 40)}),
      Catch::Contains("3 lcores are too few") && Catch::Contains("40 receive queues") &&
          Catch::Contains("5 lcores are needed: 3 workers, one to control, one to export"));
  CHECK(queue_counts(plan(on_one_node({0, 1, 2, 3, 4}), {fanout(0, 40)})) == Counts{14, 13, 13});
}

TEST_CASE("too few lcores on a port's own node: the error names the node") {
  PortFacts many = fanout(0, 20);
  many.node = 1;
  const std::vector<Lcore> lcores = {{0, 0}, {1, 0}, {2, 1}, {3, 0}};
  CHECK_THROWS_WITH(plan(lcores, {many, nic(1, 0, 1)}),
                    Catch::Contains("lcore 2 would have to poll 20 receive queues") &&
                        Catch::Contains("NUMA node 1"));
}

TEST_CASE("every layout of up to 8 lcores and 3 ports gives each queue one owner") {
  for (unsigned lcore_count = 1; lcore_count <= 8; ++lcore_count) {
    for (uint16_t port_count = 1; port_count <= 3; ++port_count) {
      for (int nodes = 1; nodes <= 3; ++nodes) {
        for (const uint16_t queues : {uint16_t{1}, uint16_t{3}, uint16_t{64}}) {
          CAPTURE(lcore_count, port_count, nodes, queues);
          std::vector<Lcore> lcores;
          for (unsigned id = 0; id < lcore_count; ++id)
            lcores.push_back({id, static_cast<int>(id) % nodes});
          std::vector<PortFacts> ports;
          for (uint16_t port = 0; port < port_count; ++port)
            ports.push_back(nic(port, port % (nodes + 1) - 1, queues));
          const LcorePlan made = plan(lcores, ports);
          check_each_queue_has_one_owner(made, ports);
          CHECK(made.workers.size() + made.idle.size() ==
                std::max(1U, lcore_count - (lcore_count > 2 ? 2 : 1)));
        }
      }
    }
  }
}
